"""What to ask a server for, worked out without one."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from connectors.opcua.config import OpcUaConnection, OpcUaTag

T = TypeVar("T")
MAX_PER_CALL: Final = 500
"""Nodes in one request when the server names no limit."""
TRIGGERS: Final = {"status": 0, "status_value": 1, "status_value_timestamp": 2}
"""DataChangeTrigger (OPC 10000-4 §7.22.2)."""
_NO_DEADBAND, _ABSOLUTE, _PERCENT = range(3)
_ABOVE: Final = 1 + 1e-9
"""A server's deadband is this much wider than ours: what it reports then always passes ours, and both go on comparing
with the same value."""
QUEUE_COVERS_S: Final = 60.0
"""Absence that a default server-side queue bridges, seconds."""
MAX_DEFAULT_QUEUE: Final = 10_000
SHORTEST_PUBLISHING_S: Final = 0.05
"""Real seconds below which a sped-up simulation does not push a server."""
RETEST_FIRST_S: Final = 10.0
RETEST_LONGEST_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Item:
    """One monitored item to create.

    Attributes:
        tag: index into the connector's tag table; also the client handle.
        sampling_ms: requested sampling interval, milliseconds of the server's clock.
        queue_size: requested queue size, samples.
        trigger: DataChangeTrigger.
        deadband_type: 0 none, 1 absolute, 2 percent of the EURange (OPC 10000-8 §7.2).
        deadband: in raw units of the server, or percent.
    """

    tag: int
    sampling_ms: float
    queue_size: int
    trigger: int = TRIGGERS["status_value_timestamp"]
    deadband_type: int = _NO_DEADBAND
    deadband: float = 0.0


@dataclass(frozen=True, slots=True)
class Rates:
    """Subscription parameters as the server counts them.

    Attributes:
        publishing_ms: publishing interval, milliseconds of the server's clock.
        keepalive_count: publishing intervals without data until a keep-alive.
        lifetime_count: publishing intervals without a PublishRequest until the subscription ends.
    """

    publishing_ms: float
    keepalive_count: int
    lifetime_count: int


def rates(settings: OpcUaConnection, clock_rate: float = 1.0) -> Rates:
    """Subscription parameters; counts keep lifetime ≥ 3 keep-alives (OPC 10000-4 §5.14.2)."""
    publishing_s = settings.publishing_interval_s
    if clock_rate > 1:
        publishing_s = max(publishing_s / clock_rate, min(SHORTEST_PUBLISHING_S, publishing_s))
    keepalive = max(1, math.ceil(settings.keepalive_s / publishing_s))
    return Rates(publishing_s * 1000, keepalive, max(3 * keepalive, math.ceil(settings.lifetime_s / publishing_s)))


def default_queue_size(sampling_s: float, publishing_s: float) -> int:
    """Samples between two publishes, twice over, or one minute of them, whichever is more; at least 10.

    Args:
        sampling_s: sampling interval, seconds; 0 = as fast as the server can.
        publishing_s: publishing interval, seconds.
    """
    if sampling_s <= 0:
        return MAX_DEFAULT_QUEUE
    return min(
        MAX_DEFAULT_QUEUE, max(10, math.ceil(2 * publishing_s / sampling_s), math.ceil(QUEUE_COVERS_S / sampling_s))
    )


def items(settings: OpcUaConnection, clock_rate: float = 1.0) -> list[Item]:
    """The monitored items of every tag with `mode: subscribe`, in table order."""
    out = []
    for index, tag in enumerate(settings.tags):
        if tag.mode != "subscribe":
            continue
        sampling_s = settings.sampling_interval_s if tag.sampling_interval_s is None else tag.sampling_interval_s
        publishing_s = rates(settings, clock_rate).publishing_ms / 1000 * clock_rate
        size = tag.queue_size or settings.queue_size or default_queue_size(sampling_s, publishing_s)
        out.append(Item(index, sampling_s / clock_rate * 1000, size, *server_filter(tag)))
    return out


def server_filter(tag: OpcUaTag) -> tuple[int, int, float]:
    """Trigger, type and width of the deadband that the server is asked for.

    The server compares raw values, the configuration speaks of engineering units: the width is divided by the scale.
    A percentage of the tag's own range becomes an absolute one, so that nothing depends on the server's EURange. With a
    deadband a new time alone is no change (OPC 10000-4 §7.22.2).
    """
    trigger, band = TRIGGERS[tag.trigger], tag.deadband
    if band is None or tag.deadband_on != "server":
        return trigger, _NO_DEADBAND, 0.0
    trigger = min(trigger, TRIGGERS["status_value"])
    if band.type == "absolute":
        return trigger, _ABSOLUTE, band.value / abs(tag.scale) * _ABOVE
    if tag.range is None:
        return trigger, _PERCENT, band.value
    return trigger, _ABSOLUTE, band.value / 100 * (tag.range.high - tag.range.low) / abs(tag.scale) * _ABOVE


def in_runs(wanted: Iterable[Item], datatypes: Mapping[int, str]) -> list[Item]:
    """Items ordered so that equal data types stand together: notifications then decode as long runs.

    Args:
        wanted: items to order.
        datatypes: data type by tag index, any text; unknown ones may be left out.
    """
    return sorted(wanted, key=lambda item: (datatypes.get(item.tag, ""), item.sampling_ms, item.queue_size, item.tag))


def batches(wanted: Sequence[T], most: int = MAX_PER_CALL) -> list[Sequence[T]]:
    """`wanted` in pieces of at most `most`, in order."""
    return [wanted[i : i + most] for i in range(0, len(wanted), most)]


def reads(settings: OpcUaConnection) -> dict[float, list[int]]:
    """Tag indexes of cyclic reads by period, seconds."""
    out: dict[float, list[int]] = {}
    for index, tag in enumerate(settings.tags):
        if tag.mode == "read":
            out.setdefault(tag.period_s or settings.period_s, []).append(index)
    return out


def shares(count: int, most: int) -> list[tuple[int, int]]:
    """Which items stand in which subscription: (start, stop) of each, evenly; at most `most` in one, 0 = any number."""
    if not count:
        return []
    pieces = math.ceil(count / most) if most else 1
    return [(count * i // pieces, count * (i + 1) // pieces) for i in range(pieces)]


def fingerprint(wanted: Iterable[Item], nodes: Mapping[int, str], events: str = "") -> str:
    """A hash of handle → node and its parameters: an old subscription is only taken over when it is equal.

    Args:
        wanted: the items of the subscription.
        nodes: resolved node id as text by tag index.
        events: the notifiers, as text that begins with a new line.
    """
    text = "\n".join(
        f"{i.tag} {i.sampling_ms!r} {i.queue_size} {i.trigger} {i.deadband_type} {i.deadband!r} {nodes.get(i.tag, '')}"
        for i in sorted(wanted, key=lambda i: i.tag)
    )
    return hashlib.sha256((text + events).encode()).hexdigest()[:16]


@dataclass(slots=True)
class Retest:
    """When to ask again for tags the server refused: 10 s after, then twice as long each time, up to 300 s.

    Attributes:
        due: by tag index, (monotonic time of the next try in seconds, wait before it in seconds).
    """

    due: dict[int, tuple[float, float]] = field(default_factory=dict)

    def failed(self, tag: int, now_s: float) -> None:
        """The server refused `tag` at `now_s` (monotonic seconds)."""
        _, wait = self.due.get(tag, (0.0, RETEST_FIRST_S / 2))
        wait = min(wait * 2, RETEST_LONGEST_S)
        self.due[tag] = (now_s + wait, wait)

    def soon(self, tag: int) -> None:
        """`tag` was refused some time ago: ask at the next opportunity."""
        self.due.setdefault(tag, (0.0, RETEST_FIRST_S / 2))

    def worked(self, tag: int) -> None:
        """The server took `tag`."""
        self.due.pop(tag, None)

    def ready(self, now_s: float) -> list[int]:
        """Tags to try now, in table order."""
        return sorted(tag for tag, (at, _) in self.due.items() if at <= now_s)
