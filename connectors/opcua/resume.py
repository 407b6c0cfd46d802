"""The state from which a later link continues, as bytes in `Delivery.resume`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

import orjson

_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class ResumeState:
    """Where one subscription stands. It holds a session's token, which is worth nothing once the session expired.

    Attributes:
        endpoint: the server's address.
        server_start: the server's start time as text; another one means that nothing of before exists any more.
        subscription: subscription id, 0 = none.
        fingerprint: hash of client handle → node.
        sequence: last sequence number delivered, 0 = none.
        last_ns: until when everything was delivered, ns since 1970 UTC.
        session_token: authentication token of the session, node id as text.
        session_nonce: last server nonce, hex.
        refused: tags the server refused, by index.
        security: policy, certificate and user of the session, hashed; empty for none and anonymous.
    """

    endpoint: str
    server_start: str
    subscription: int
    fingerprint: str
    sequence: int
    last_ns: int
    session_token: str
    session_nonce: str
    refused: tuple[int, ...] = ()
    security: str = ""

    def to_bytes(self) -> bytes:
        """JSON with a format version."""
        return orjson.dumps({"version": _VERSION, **asdict(self)})

    @staticmethod
    def from_bytes(raw: bytes | None) -> ResumeState | None:
        """The state in `raw`, or None when there is none that this version understands."""
        if raw is None:
            return None
        try:
            found = orjson.loads(raw)
            if found.pop("version") != _VERSION:
                return None
            return ResumeState(**{**found, "refused": tuple(found["refused"])})
        except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
            return None
