"""What the plant produced, per tag: truth lines turned into items that a store must hold. Pure."""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from simulators.words import register_count

RECEIVE_S: Final = 2.0
"""Longest way of a change to the client, real seconds; as long are times in doubt after a clock was off."""
STALL_NEAR_S: Final = 0.5
"""A poll this close to a stall of the plant may have been delayed by the same load, real seconds."""

Key = tuple[Any, ...]
"""Where a value comes from: (device, unit, table, address) or (device, node)."""
POLL: Final = "poll"
SUBSCRIBE: Final = "subscribe"
READ: Final = "read"
ANY_BAD: Final = -1
"""Status of an item whose bad StatusCode the client chooses: a refused request has no value and no code."""
OVERFLOW: Final = 0x480
_TABLES: Final = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}


class Item(NamedTuple):
    """One value that left the plant.

    Attributes:
        start_ns: request arrived; for changes and reads the source time.
        end_ns: response left; for changes and reads the source time.
        value: engineering value, None where `status` is ANY_BAD.
        left_ns: when the plant was done with it: response left, or source time of a change.
        shape: (function code, address, count) of the request; empty for OPC UA.
        required: False = it may be stored but need not be.
        received_ns: changes of a device whose clock was off: from when until when a client may have received it, by a
            right clock; it may bear that time instead.
        swapped: its registers came in the wrong word order: a client may see that this is not its device.
        forgotten: changes: the device ended before it was sent and acknowledged.
        slack_ns: polls: the stored time may lie outside the interval by this much; twice the longest stall of the plant
            near the poll until the judge adds what it grants.
    """

    start_ns: int
    end_ns: int
    value: Any
    status: int
    left_ns: int
    shape: tuple[int, ...] = ()
    required: bool = True
    slack_ns: int = 0
    received_ns: tuple[int, int] | None = None
    swapped: bool = False
    forgotten: bool = False


@dataclass
class _Tag:
    mode: str
    items: list[Item] = field(default_factory=list)
    watchers: int = 0
    seen_ns: set[int] = field(default_factory=set)
    forgotten_ns: set[int] = field(default_factory=set)


def modbus_key(device: str, unit: int, table: str, address: int) -> Key:
    """The truth key of a register or bit; `device` is the connection's name."""
    return (device, unit, table, address)


def opcua_key(device: str, node: str) -> Key:
    """The truth key of a node; `node` is its string identifier, with or without `nsu=…;s=`."""
    return (device, node.rpartition(";s=")[2])


def truth_key(signal: Mapping[str, Any]) -> Key:
    """The truth key of a signal of a header."""
    if "node" in signal:
        return (signal["device"], signal["node"])
    return (signal["device"], signal["unit"], signal["table"], signal["address"])


def items_of(
    truths: Iterable[Iterable[Mapping[str, Any]]], mapping: Mapping[str, Key], modes: Mapping[str, str]
) -> dict[str, list[Item]]:
    """Per tag, its items in order of `start_ns`.

    Args:
        truths: for each truth file its lines, the header first.
        mapping: tag → truth key.
        modes: tag → `poll`, `subscribe` or `read`.

    Raises:
        ValueError: a truth has no header, or a tag's key is in none of them.
    """
    found: dict[str, list[Item]] = {}
    for lines in truths:
        file = _File(mapping, modes)
        for line in lines:
            file.take(line)
        for tag, items in file.result().items():
            found.setdefault(tag, []).extend(items)
    missing = sorted(set(mapping) - set(found))
    if missing:
        raise ValueError(f"no truth knows {', '.join(f'{tag} = {mapping[tag]}' for tag in missing[:5])}")
    return {tag: sorted(items, key=lambda item: item.start_ns) for tag, items in found.items()}


class _File:
    """One truth file while it is read."""

    def __init__(self, mapping: Mapping[str, Key], modes: Mapping[str, str]) -> None:
        self._names: defaultdict[Key, list[str]] = defaultdict(list)
        for tag, key in mapping.items():
            self._names[key].append(tag)
        self._modes = modes
        self._tags: dict[str, _Tag] = {}
        self._by_id: dict[int, list[_Tag]] = {}
        self._spans: list[tuple[Key, int, int, list[_Tag]]] = []
        self._stalls: list[tuple[int, int]] = []
        self._rate = 1.0
        self._device: dict[int, str] = {}
        self._skew: dict[str, tuple[int, int | None]] = {}
        self._skewed: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        self._swapped_until: dict[str, int] = {}
        self._headed = False

    def result(self) -> dict[str, list[Item]]:
        if not self._headed:
            raise ValueError("a truth begins with its header")
        self._stalls.sort()
        near_ns = round(STALL_NEAR_S * self._rate * 1e9)
        starts = [start for start, _ in self._stalls]
        longest_ns = max((end - start for start, end in self._stalls), default=0)
        slacks: dict[int, int] = {}

        def slack_ns(item: Item) -> int:
            if item.start_ns not in slacks:
                first = bisect.bisect_left(starts, item.start_ns - near_ns - longest_ns)
                last = bisect.bisect_right(starts, item.end_ns + near_ns)
                near = (b - a for a, b in self._stalls[first:last] if b >= item.start_ns - near_ns)
                slacks[item.start_ns] = 2 * max(near, default=0)
            return slacks[item.start_ns]

        return {
            name: [item._replace(slack_ns=slack_ns(item)) for item in tag.items]
            if tag.mode == POLL
            else [item._replace(forgotten=item.start_ns in tag.forgotten_ns) for item in tag.items]
            for name, tag in self._tags.items()
        }

    def take(self, line: Mapping[str, Any]) -> None:
        kind = line["k"]
        handler = {
            "header": self._header,
            "poll": self._poll,
            "read": self._read,
            "item": self._item,
            "change": self._change,
            "overflow": self._overflow,
            "forgot": self._forgot,
            "stall": self._stall,
            "fault": self._fault,
        }
        if kind in handler:
            handler[kind](line)

    def _header(self, line: Mapping[str, Any]) -> None:
        self._headed = True
        self._rate = line.get("rate", 1.0)
        for signal in line["signals"]:
            key = truth_key(signal)
            tags = [self._tags.setdefault(name, _Tag(self._modes[name])) for name in self._names.get(key, ())]
            self._by_id[signal["id"]] = tags
            self._device[signal["id"]] = signal["device"]
            if tags and "table" in signal:
                first = signal["address"]
                width = signal.get("registers") or register_count(signal["datatype"])
                self._spans.append((key[:3], first, first + width, tags))

    def _stall(self, line: Mapping[str, Any]) -> None:
        self._stalls.append((line["start_ns"], line["end_ns"]))

    def _fault(self, line: Mapping[str, Any]) -> None:
        """A device's clock goes wrong by some ns, or is right again at some time; or its word order."""
        if line["fault"] == "word_order":
            self._swapped_until[line["device"]] = line["end_ns"] + self._late_ns
        if line["fault"] == "clock_skew":
            by_ns = int(line["by_s"] * 1e9)
            self._skew[line["device"]] = (0, line["end_ns"]) if line.get("ended") else (by_ns, None)
            if line.get("ended"):
                self._skewed[line["device"]].append((line["start_ns"] + by_ns, line["end_ns"] + by_ns))

    @property
    def _late_ns(self) -> int:
        return round(RECEIVE_S * self._rate * 1e9)

    def _received_ns(self, signal: int, time: int) -> tuple[int, int] | None:
        by_ns, until_ns = self._skew.get(self._device[signal], (0, 0))
        doubted = until_ns is None or time < until_ns + self._late_ns
        return (time - by_ns, time - by_ns + self._late_ns) if doubted else None

    def _reread_ns(self, device: str, time: int, t0: int, t1: int) -> tuple[int, int] | None:
        """As `_received_ns`, of a Read from `t0` to `t1`; a source time of then is doubted as long as it is read."""
        _, until_ns = self._skew.get(device, (0, 0))
        doubted = until_ns is None or t0 < until_ns + self._late_ns
        doubted |= any(first <= time <= last for first, last in self._skewed[device])
        return (t0, t1 + self._late_ns) if doubted else None

    def _of(self, signal: int, mode: str) -> list[_Tag]:
        return [tag for tag in self._by_id.get(signal, ()) if tag.mode == mode]

    def _poll(self, line: Mapping[str, Any]) -> None:
        shape = (line["fc"], line["address"], line["count"])
        if line["status"] == 0:
            for signal, value in zip(line["ids"], line["values"], strict=True):
                status = value["status"] if isinstance(value, dict) else 0
                for tag in self._of(signal, POLL):
                    swapped = line["t0"] < self._swapped_until.get(line["device"], 0)
                    tag.items.append(Item(line["t0"], line["t1"], value, status, line["t1"], shape, swapped=swapped))
            return
        where, end = (line["device"], line["unit"], _TABLES.get(line["fc"])), line["address"] + line["count"]
        for key, first, last, tags in self._spans:
            if key == where and line["address"] <= first and last <= end:
                for tag in tags:
                    refused = Item(line["t0"], line["t1"], None, ANY_BAD, line["t1"], shape, required=False)
                    tag.items.append(refused)

    def _read(self, line: Mapping[str, Any]) -> None:
        for signal, value, time, status in zip(line["ids"], line["values"], line["times"], line["status"], strict=True):
            received_ns = self._reread_ns(self._device[signal], time, line["t0"], line["t1"])
            for tag in self._of(signal, READ):
                fresh = time not in tag.seen_ns  # the same reading again is no other one, unless it bears another time
                if fresh or received_ns:
                    tag.seen_ns.add(time)
                    item = Item(time, time, value, status, line["t1"], required=fresh, received_ns=received_ns)
                    tag.items.append(item)

    def _item(self, line: Mapping[str, Any]) -> None:
        for tag in self._of(line["id"], SUBSCRIBE):
            if line["event"] == "created":
                tag.watchers += 1
                self._produced(tag, line)
            else:
                tag.watchers -= 1

    def _change(self, line: Mapping[str, Any]) -> None:
        for tag in self._of(line["id"], SUBSCRIBE):
            if tag.watchers > 0:
                self._produced(tag, line)

    def _overflow(self, line: Mapping[str, Any]) -> None:
        """The oldest value left in a full queue says that others were lost before it."""
        for tag in self._of(line["id"], SUBSCRIBE):
            for index in range(len(tag.items) - 1, -1, -1):
                item = tag.items[index]
                if item.start_ns == line["marked"]:
                    tag.items[index] = item._replace(status=item.status | OVERFLOW)
                    break

    def _forgot(self, line: Mapping[str, Any]) -> None:
        """What the device had not brought home when it ended."""
        for tag in self._of(line["id"], SUBSCRIBE):
            tag.forgotten_ns.update(line["times"])

    def _produced(self, tag: _Tag, line: Mapping[str, Any]) -> None:
        time = line["time"]
        if time not in tag.seen_ns:  # the initial value of a further subscription was counted as a change before
            tag.seen_ns.add(time)
            received_ns = self._received_ns(line["id"], time)
            left_ns = received_ns[0] if received_ns else time
            tag.items.append(Item(time, time, line["value"], line["status"], left_ns, received_ns=received_ns))
