"""The state from which a later link continues, as bytes in `Delivery.resume`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Final

import orjson

_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Position:
    """Where this connection stands in an agent's stream.

    Attributes:
        endpoint: the agent's address and device.
        instance: the agent's instance; another one means that its numbers mean something else.
        next: sequence number to ask for next.
        last_ns: until when everything was delivered, by our clock, ns since 1970 UTC.
        active: active faults and warnings: data item → code → level.
    """

    endpoint: str
    instance: int
    next: int
    last_ns: int
    active: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """JSON with a format version."""
        return orjson.dumps({"version": _VERSION, **asdict(self), "instance": str(self.instance)})

    @staticmethod
    def from_bytes(raw: bytes | None, endpoint: str) -> Position | None:
        """The state in `raw`; None when there is none, of this version and this agent."""
        if raw is None:
            return None
        try:
            found = orjson.loads(raw)
            if found.pop("version") != _VERSION or found["endpoint"] != endpoint:
                return None
            return Position(**{**found, "instance": int(found["instance"])})
        except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError):
            return None
