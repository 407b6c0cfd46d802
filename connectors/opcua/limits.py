"""How much one server takes at once: what it says, what it was found to refuse, remembered for the next start."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson

from connectors.base import LinkContext
from connectors.opcua.library import ua
from connectors.opcua.session import OpcUaSession
from pipelines.errors import LinkError

T = TypeVar("T")
FILE: Final = "servers.json"
_VERSION: Final = 1
_FORGET_NS: Final = 30 * 86_400 * 1_000_000_000
"""What was found out is tried anew after so long: the server may have been replaced or may only have been busy."""
LEAST: Final = 8
"""A connection that ends under so few operations did not end because of them."""
_MOST: Final = {"reads": 1000, "items": 500, "paths": 500, "items_per_subscription": 0, "notifications": 10_000}
"""Our own limits; 0 = none."""
_BYTES: Final = {"reads": 150, "items": 250, "paths": 500}
"""What one operation takes in a request, with a long name."""
TOO_MUCH: Final = frozenset(
    getattr(ua.StatusCodes, name)
    for name in (
        "BadTooManyOperations",
        "BadTcpMessageTooLarge",
        "BadRequestTooLarge",
        "BadResponseTooLarge",
        "BadEncodingLimitsExceeded",
    )
)
"""Answers to a request that would have worked in pieces (OPC 10000-4 §7.38.2)."""
_ASKED: Final = {
    "reads": (ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead,),
    "items": (
        ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall,
        ua.ObjectIds.Server_ServerCapabilities_MaxArrayLength,
    ),
    "paths": (
        ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerTranslateBrowsePathsToNodeIds,
        ua.ObjectIds.Server_ServerCapabilities_MaxArrayLength,
    ),
    "items_per_subscription": (ua.ObjectIds.Server_ServerCapabilities_MaxMonitoredItemsPerSubscription,),
}


@dataclass(slots=True)
class Limits:
    """What one server takes.

    Names: `reads` (nodes in one Read), `items` (in one CreateMonitoredItems), `paths` (in one
    TranslateBrowsePathsToNodeIds), `items_per_subscription`, `notifications` (in one PublishResponse).

    Attributes:
        said: what the server and we allow, by name; 0 = no limit.
        learnt: what was found out by being refused, by name.
        server: endpoint and server URI, the key in the file.
        file: where `learnt` is kept; None = nowhere.
    """

    said: dict[str, int] = field(default_factory=lambda: dict(_MOST))
    learnt: dict[str, int] = field(default_factory=dict)
    server: str = ""
    file: Path | None = None
    _now_ns: Callable[[], int] = lambda: 0
    _note: Callable[..., None] = lambda *_, **__: None

    def most(self, name: str) -> int:
        """What fits now; 0 = no limit."""
        return _least(self.said[name], self.learnt.get(name, 0))

    def refused(self, name: str, size: int, reason: str) -> None:
        """`size` at once was too much: half of it from now on."""
        self.learn(name, max(1, size // 2), reason)

    def learn(self, name: str, most: int, reason: str) -> None:
        """No more than `most` from now on, and after the next start."""
        if 0 < self.learnt.get(name, 0) <= most:
            return
        self.learnt[name] = most
        self._note("server_limit_learnt", limit=name, most=most, reason=reason)
        if self.file is not None:
            servers = _load(self.file)
            servers[self.server] = {"learnt_ns": self._now_ns(), **self.learnt}
            _save(self.file, servers)

    async def in_pieces(
        self, session: OpcUaSession, name: str, wanted: Sequence[T], send: Callable[[Sequence[T]], Awaitable[Any]]
    ) -> AsyncIterator[tuple[Sequence[T], Any]]:
        """Send `wanted` in pieces as large as the server takes, smaller ones when it says so.

        Yields:
            (piece, what `send` gave for it), in order.

        Raises:
            TimeoutError, OSError, ua.UaStatusCodeError, ValueError: no usable answer. When the connection ended or
                nothing came under a large piece, the next attempt is made with half of it.
        """
        at = 0
        while at < len(wanted):
            piece = wanted[at : at + (self.most(name) or len(wanted))]
            try:
                answer = await send(piece)
            except ua.UaStatusCodeError as error:
                if error.code not in TOO_MUCH or len(piece) == 1:
                    raise
                self.refused(name, len(piece), ua.StatusCode(error.code).name)
                if session.client.uaclient.protocol.is_closed:  # told by an Error message, which ends the connection
                    raise
                continue
            except (TimeoutError, OSError) as error:
                if len(piece) > LEAST:
                    self.refused(name, len(piece), "no answer" if isinstance(error, TimeoutError) else "closed")
                raise
            yield piece, answer
            at += len(piece)


async def limits_of(session: OpcUaSession, context: LinkContext) -> Limits:
    """What the server of an open session takes: OperationLimits, the Acknowledge message, and what is remembered.

    Raises:
        LinkError: the connection ended.
    """
    said = dict(_MOST)
    asked = [(name, number) for name, numbers in _ASKED.items() for number in numbers]
    nodes = [ua.NodeId(ua.ObjectIds.Server_ServerArray), *(ua.NodeId(number) for _, number in asked)]
    uri = ""
    try:
        servers, *values = [_value(one) for one in await session.read_attribute(nodes, ua.AttributeIds.Value)]
    except LinkError as error:
        if not isinstance(error.__cause__, ua.UaStatusCodeError):
            raise
    else:
        uri = str(servers[0]) if isinstance(servers, list) and servers else ""
        for (name, _), value in zip(asked, values, strict=True):
            said[name] = _least(said[name], value if isinstance(value, int) else 0)
    file = context.state_dir / FILE if context.state_dir is not None else None
    key = f"{session.settings.endpoint} {uri}".strip()
    for name, each in _BYTES.items():
        said[name] = _least(said[name], _message_bytes(session) // each)
    limits = Limits(said, {}, key, file, context.clock.now_ns, context.note)
    known = _load(file).get(key) if file is not None else None
    if isinstance(known, dict) and 0 <= context.clock.now_ns() - int(known.pop("learnt_ns", 0)) < _FORGET_NS:
        limits.learnt = {name: most for name, most in known.items() if name in _MOST and isinstance(most, int)}
    session.reads_per_call = limits.most("reads")
    return limits


def _least(one: int, other: int) -> int:
    """The smaller of two limits, of which 0 is none."""
    return min(one, other) if one > 0 and other > 0 else max(one, other, 0)


def _value(found: Any) -> Any:
    return found.Value.Value if found.Value is not None else None


def _message_bytes(session: OpcUaSession) -> int:
    """Largest request by the Acknowledge message (OPC 10000-6 §7.1.2.4); 0 = no limit."""
    limits = session.client.uaclient.protocol._connection._limits  # noqa: SLF001 (asyncua keeps it nowhere else)
    chunks = limits.max_chunk_count * limits.max_send_buffer
    return _least(int(limits.max_message_size), int(chunks))


def _load(file: Path) -> dict[str, Any]:
    try:
        found = orjson.loads(file.read_bytes())
        servers = found["servers"] if found["version"] == _VERSION else {}
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
        return {}  # worth nothing more than what is found out again
    return servers if isinstance(servers, dict) else {}


def _save(file: Path, servers: dict[str, Any]) -> None:
    """Replace the file at once: a reader sees the old or the new one, never a part."""
    fresh = file.with_suffix(".new")
    with contextlib.suppress(OSError):  # a full disk costs a few refused requests after the next start
        fresh.write_bytes(orjson.dumps({"version": _VERSION, "servers": servers}, option=orjson.OPT_INDENT_2))
        fresh.replace(file)
