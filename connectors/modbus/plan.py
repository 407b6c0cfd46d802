"""Which requests read which tags: merges neighbours, bridges small gaps, never splits a value. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors.modbus.tag import BIT_TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from connectors.modbus.config import ModbusConnection
    from connectors.modbus.tag import Table


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
    inside the one that did not. A forbidden range is a wall between the tags on its two sides and so leaves two runs of
    tags that have nothing to do with each other.
    """
    groups: defaultdict[tuple[int, Table, float], list[int]] = defaultdict(list)
    for index, tag in enumerate(connection.tag_list()):
        unit = connection.unit if tag.unit is None else tag.unit
        groups[unit, tag.table, tag.period_s or connection.period_s].append(index)
    return tuple(
        Request(unit, table, period_s, *_span(connection, part), tags=tuple(part))
        for (unit, table, period_s), members in groups.items()
        for part in _parts(connection, unit, table, members)
    )


def split(connection: ModbusConnection, request: Request) -> tuple[Request, Request]:
    """The two halves of a request of at least two tags, each no wider than its tags need."""
    middle = len(request.tags) // 2
    left, right = (
        Request(request.unit, request.table, request.period_s, *_span(connection, part), tags=part)
        for part in (request.tags[:middle], request.tags[middle:])
    )
    return left, right


def join(connection: ModbusConnection, requests: Sequence[Request], around: Sequence[Request]) -> tuple[Request, ...]:
    """The fewest requests that read the tags of `requests`, all of one kind, and touch nothing that `around` reads."""
    if not requests:
        return ()
    like = requests[0]
    members = [index for request in requests for index in request.tags]
    barred = [one.address for one in around]
    return tuple(
        Request(like.unit, like.table, like.period_s, *_span(connection, part), tags=tuple(part))
        for part in _parts(connection, like.unit, like.table, members, barred)
    )


def _parts(
    connection: ModbusConnection, unit: int, table: Table, members: list[int], barred: Iterable[int] = ()
) -> list[list[int]]:
    """The tags of each request; none reaches over the addresses in `barred` or into a forbidden range."""
    limit, gap = connection.most_registers(unit), connection.max_gap
    if table in BIT_TABLES:
        limit, gap = connection.max_bits, connection.max_gap * 16
    walls = sorted([*barred, *(first for first, _ in connection.walls(unit, table))])
    tags = connection.tag_list()
    parts: list[list[int]] = []
    first = end = side = 0
    for span, index in sorted((tags[index].span(), index) for index in members):
        last = max(end, span[1])
        here = bisect_left(walls, span[0])
        if parts and span[0] <= end + gap and last - first <= limit and here == side:
            parts[-1].append(index)
            end = last
        else:
            parts.append([index])
            (first, end), side = span, here
    return parts


def _span(connection: ModbusConnection, part: Sequence[int]) -> tuple[int, int]:
    tags = connection.tag_list()
    spans = [tags[index].span() for index in part]
    first = min(span[0] for span in spans)
    return first, max(span[1] for span in spans) - first
