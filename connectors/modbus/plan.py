"""Which requests read which tags: merges neighbours, bridges small gaps, never splits a value. Pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors.modbus.config import BIT_TABLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors.modbus.config import ModbusConnection, Table


@dataclass(frozen=True, slots=True)
class Request:
    """One read of neighbouring addresses.

    Attributes:
        unit: unit id 0-255.
        table: coil, discrete, input or holding.
        period_s: time between two reads, seconds.
        address: first address, 0-65535.
        count: bits or registers.
        tags: indexes into the connection's tags, ascending by address; each lies wholly inside.
    """

    unit: int
    table: Table
    period_s: float
    address: int
    count: int
    tags: tuple[int, ...]


def plan(connection: ModbusConnection) -> tuple[Request, ...]:
    """The fewest requests that read every tag exactly once per period, within the connection's limits.

    Tags share a request when unit, table and period are equal. Taking tags by ascending address and opening a new
    request at the first that does not fit is optimal: a tag that starts later and would still have fitted lies wholly
    inside the one that did not.
    """
    groups: defaultdict[tuple[int, Table, float], list[int]] = defaultdict(list)
    for index, tag in enumerate(connection.tags):
        unit = connection.unit if tag.unit is None else tag.unit
        groups[unit, tag.table, tag.period_s or connection.period_s].append(index)
    return tuple(
        Request(unit, table, period_s, *_span(connection, part), tags=tuple(part))
        for (unit, table, period_s), members in groups.items()
        for part in _parts(connection, table, members)
    )


def split(connection: ModbusConnection, request: Request) -> tuple[Request, Request]:
    """The two halves of a request of at least two tags, each no wider than its tags need."""
    middle = len(request.tags) // 2
    left, right = (
        Request(request.unit, request.table, request.period_s, *_span(connection, part), tags=part)
        for part in (request.tags[:middle], request.tags[middle:])
    )
    return left, right


def _parts(connection: ModbusConnection, table: Table, members: list[int]) -> list[list[int]]:
    limit, gap = connection.max_registers, connection.max_gap
    if table in BIT_TABLES:
        limit, gap = connection.max_bits, connection.max_gap * 16
    parts: list[list[int]] = []
    first = end = 0
    for index in sorted(members, key=lambda index: (connection.tags[index].address, index)):
        tag = connection.tags[index]
        last = max(end, tag.address + tag.width())
        if parts and tag.address <= end + gap and last - first <= limit:
            parts[-1].append(index)
            end = last
        else:
            parts.append([index])
            first, end = tag.address, tag.address + tag.width()
    return parts


def _span(connection: ModbusConnection, part: Sequence[int]) -> tuple[int, int]:
    tags = [connection.tags[index] for index in part]
    first = min(tag.address for tag in tags)
    return first, max(tag.address + tag.width() for tag in tags) - first
