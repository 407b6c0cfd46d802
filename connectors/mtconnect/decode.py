"""MTConnect documents to plain data. Pure; Part 1 (Fundamentals), 2 (Devices) and 3 (Streams) of the standard."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from xml.etree.ElementTree import Element

from connectors.mtconnect.safexml import parse

UNAVAILABLE: Final = "UNAVAILABLE"
"""What an agent says of a data item whose value it does not know (Part 3, Unavailability of Valid Data Values)."""
_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:?\d\d)?", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIMES_NS: Final = range(-(2**63) + 1, 2**63)
_MOST: Final = 2**64
"""Numbers of the standard have 64 bits (Part 1, Header)."""
_CATEGORIES: Final = {"Samples": "SAMPLE", "Events": "EVENT", "Condition": "CONDITION"}


@dataclass(frozen=True, slots=True)
class Header:
    """Where an agent stands (Part 1, Header of MTConnectStreams).

    Attributes:
        instance: another one means that the agent forgot everything and counts from 1 again.
        first: sequence number of the oldest observation it holds.
        last: of the newest one.
        next: to ask for next.
        time_ns: the agent's clock when it answered, ns since 1970 UTC; None = not said.
    """

    instance: int
    first: int
    last: int
    next: int
    time_ns: int | None


@dataclass(frozen=True, slots=True)
class Observation:
    """One value of one data item.

    Attributes:
        item: id of the data item.
        category: SAMPLE, EVENT or CONDITION.
        element: name of the element: type of the item in camel case; for a condition its level.
        time_ns: when it was observed, ns since 1970 UTC.
        sequence: its number in the agent.
        text: its content, without space around it.
        attributes: everything else that is said of it.
        entries: of a data set: key → text, None = removed; of a table the keys are `row_cell`.
    """

    item: str
    category: str
    element: str
    time_ns: int
    sequence: int
    text: str
    attributes: dict[str, str]
    entries: dict[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Streams:
    """Answer to `current` or `sample`.

    Attributes:
        observations: in order of sequence.
        malformed: observations left out because they lack an id, a number or a time that can be stored.
    """

    header: Header
    observations: tuple[Observation, ...]
    malformed: int = 0


@dataclass(frozen=True, slots=True)
class DataItem:
    """One data item of a device (Part 2, DataItem).

    Attributes:
        path: device, components and item as people read it.
        low: lowest value the device names, None = unknown.
        high: highest one.
    """

    id: str
    name: str
    category: str
    type: str
    sub_type: str
    units: str
    representation: str
    path: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Devices:
    """Answer to `probe`.

    Attributes:
        buffer_size: observations the agent keeps; no answer may be asked to hold more. 0 = not said.
    """

    instance: int
    items: tuple[DataItem, ...]
    buffer_size: int = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """Answer that says no (Part 1, Error Information Model): its code, such as OUT_OF_RANGE, and its words."""

    code: str
    words: str


def document(body: bytes) -> Streams | Devices | Refusal:
    """What an agent answered.

    Raises:
        ValueError: it is no MTConnect document, or lacks what every version from 1.3 on has.
    """
    root = parse(body)
    match root.tag:
        case "MTConnectStreams":
            return _streams(root)
        case "MTConnectDevices":
            place = _header(root)
            size = _number(place, "bufferSize") if place.get("bufferSize") else 0
            return Devices(_number(place, "instanceId"), tuple(_items(root)), size)
        case "MTConnectError":
            error = root if root.find(".//Error") is None else root.find(".//Error")
            assert error is not None
            return Refusal(error.get("errorCode", "UNKNOWN"), (error.text or "").strip()[:200])
        case other:
            raise ValueError(f"<{other[:40]}> is no MTConnect document")


def time_ns(text: str) -> int:
    """A time as agents write it, ns since 1970 UTC: any number of decimals; without a zone UTC (Part 1, timestamp).

    Raises:
        ValueError: not such a time.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text[:40]!r} is not a time")
    whole = datetime.fromisoformat(match[1]).replace(tzinfo=UTC)
    seconds = (whole - _EPOCH) // timedelta(seconds=1)
    zone = match[3]
    if zone and zone != "Z":
        minutes = int(zone[1:3]) * 60 + int(zone[-2:])
        seconds -= (minutes if zone[0] == "+" else -minutes) * 60
    return seconds * 10**9 + int((match[2] or "0")[:9].ljust(9, "0"))


def _header(root: Element) -> Element:
    header = root.find("Header")
    if header is None:
        raise ValueError(f"<{root.tag}> has no Header")
    return header


def _number(element: Element, key: str) -> int:
    text = element.get(key, "")
    number = _whole(text)
    if number is None:
        raise ValueError(f"Header has no number {key}")
    return number


def _whole(text: str) -> int | None:
    """A number from 0 to 2^64-1 in plain digits, None when it is none."""
    number = int(text) if len(text) <= len(str(_MOST)) and text.isascii() and text.isdecimal() else _MOST
    return number if number < _MOST else None


def _streams(root: Element) -> Streams:
    place = _header(root)
    try:
        when = time_ns(place.get("creationTime", ""))
    except ValueError:
        when = None
    keys = ("instanceId", "firstSequence", "lastSequence", "nextSequence")
    instance, first, last, next_ = (_number(place, key) for key in keys)
    header = Header(instance, first, last, next_, when)
    found: list[Observation] = []
    malformed = 0
    for container in root.iter():
        category = _CATEGORIES.get(container.tag)
        for element in container if category else ():
            try:
                found.append(_observation(element, category or ""))
            except (KeyError, ValueError):
                malformed += 1
    return Streams(header, tuple(sorted(found, key=lambda one: one.sequence)), malformed)


def _observation(element: Element, category: str) -> Observation:
    attributes = dict(element.attrib)
    sequence, when = _whole(attributes.pop("sequence")), time_ns(attributes.pop("timestamp"))
    if sequence is None or when not in _TIMES_NS:
        raise ValueError("a number or a time that cannot be")
    return Observation(
        attributes.pop("dataItemId"),
        category,
        element.tag,
        when,
        sequence,
        (element.text or "").strip(),
        attributes,
        dict(_entries(element)) if len(element) else {},
    )


def _entries(element: Element) -> list[tuple[str, str | None]]:
    """Entries of a data set; cells of a table."""
    found: list[tuple[str, str | None]] = []
    for entry in element:
        key, gone = entry.get("key", ""), entry.get("removed") == "true"
        if len(entry):
            found += [(f"{key}_{cell.get('key', '')}", (cell.text or "").strip()) for cell in entry]
        else:
            found.append((key, None if gone else (entry.text or "").strip()))
    return found


def _items(root: Element) -> list[DataItem]:
    """Every data item, depth first, in the order of the document."""
    found: list[DataItem] = []
    stack = [(one, "") for one in reversed(root.findall("Devices/*"))]
    while stack:
        component, above = stack.pop()
        path = f"{above}/{component.get('name') or component.get('id') or component.tag}"
        found += [_item(one, path) for one in component.findall("DataItems/DataItem") if one.get("id")]
        stack += [(one, path) for one in reversed(component.findall("Components/*"))]
    return found


def _item(element: Element, path: str) -> DataItem:
    name, kind, sub_type = element.get("name", ""), element.get("type", ""), element.get("subType", "")
    return DataItem(
        element.get("id", ""),
        name,
        element.get("category", "").upper(),
        kind,
        sub_type,
        element.get("units") or element.get("nativeUnits") or "",
        element.get("representation", "VALUE"),
        f"{path}/{name or element.get('id')}",
        _limit(element, "Minimum"),
        _limit(element, "Maximum"),
    )


def _limit(element: Element, which: str) -> float | None:
    try:
        return float(element.findtext(f"Constraints/{which}", ""))
    except ValueError:
        return None
