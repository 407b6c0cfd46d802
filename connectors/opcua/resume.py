"""The state from which a later link continues, as bytes in `Delivery.resume`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Final

import orjson

_VERSION: Final = 2


@dataclass(frozen=True, slots=True)
class Part:
    """Where one subscription stands.

    Attributes:
        subscription: subscription id.
        start: first of the connection's monitored items that stand in it, in table order.
        stop: the one behind the last.
        fingerprint: hash of client handle → node of the items that were not refused.
        sequence: last sequence number delivered, 0 = none.
        last_ns: until when everything was delivered, ns since 1970 UTC.
        handles: (tag index, client handle) of items that were made again and no longer have the tag index as handle.
    """

    subscription: int
    start: int
    stop: int
    fingerprint: str
    sequence: int
    last_ns: int
    handles: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class ResumeState:
    """Where one link stands. It holds a session's token, which is worth nothing once the session expired.

    Attributes:
        endpoint: the server's address.
        server_start: the server's start time as text; another one means that nothing of before exists any more.
        session_token: authentication token of the session, node id as text.
        session_nonce: last server nonce, hex.
        read_ns: time of the last cyclic read, or of the opening, ns since 1970 UTC.
        parts: its subscriptions.
        refused: tags the server refused, by index; below 0 notifiers, as `Gap.tag` has them.
        security: policy, certificate and user of the session, hashed; empty for none and anonymous.
    """

    endpoint: str
    server_start: str
    session_token: str
    session_nonce: str
    read_ns: int
    parts: tuple[Part, ...] = ()
    refused: tuple[int, ...] = ()
    security: str = ""

    @property
    def last_ns(self) -> int:
        """Until when everything was delivered by subscription, else by cyclic reads, ns since 1970 UTC."""
        return min((part.last_ns for part in self.parts), default=self.read_ns)

    def elsewhere(self, endpoint: str) -> ResumeState:
        """What it is worth for another server: until when everything was delivered, and nothing else."""
        return replace(self, endpoint=endpoint, server_start="elsewhere", session_token="", security="elsewhere")

    def to_bytes(self) -> bytes:
        """JSON with a format version."""
        return orjson.dumps({"version": _VERSION, **asdict(self)})

    @staticmethod
    def from_bytes(raw: bytes | None) -> ResumeState | None:
        """The state in the first line of `raw`, or None when there is none that this version understands."""
        if raw is None:
            return None
        try:
            found = orjson.loads(raw.partition(b"\n")[0])
            if found.pop("version") != _VERSION:
                return None
            parts = tuple(
                Part(**{**part, "handles": tuple((tag, handle) for tag, handle in part["handles"])})
                for part in found["parts"]
            )
            return ResumeState(**{**found, "parts": parts, "refused": tuple(found["refused"])})
        except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError):
            return None
