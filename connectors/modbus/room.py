"""How a request may be reshaped: what a device gives at once, what is never read, where it may be cut. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from connectors.modbus.tag import ADDRESSES, BIT_TABLES

if TYPE_CHECKING:
    from connectors.modbus.config import ModbusConnection
    from connectors.modbus.plan import Request
    from connectors.modbus.tag import Table

_MOST_REGISTERS: Final = 125
_MOST_BITS: Final = 2000


class Room(NamedTuple):
    """Limits of a request that is put in another shape.

    Attributes:
        most: most registers or bits at once.
        low: first address it may read.
        high: address behind the last that it may read.
        cuts: addresses before which it may be cut in two without tearing a value.
    """

    most: int
    low: int
    high: int
    cuts: tuple[int, ...] = ()


def standard_room(table: Table) -> Room:
    """What the standard gives (V1.1b3 §6.1, §6.3)."""
    return Room(_MOST_BITS if table in BIT_TABLES else _MOST_REGISTERS, 0, ADDRESSES)


def room(connection: ModbusConnection, request: Request) -> Room:
    """What this device gives around the addresses of `request`."""
    end = request.address + request.count
    walls = connection.walls(request.unit, request.table)
    return Room(
        connection.max_bits if request.table in BIT_TABLES else connection.most_registers(request.unit),
        max((last + 1 for _, last in walls if last < request.address), default=0),
        min((first for first, _ in walls if first >= end), default=ADDRESSES),
        _cuts(connection, request),
    )


def _cuts(connection: ModbusConnection, request: Request) -> tuple[int, ...]:
    """Where a tag begins and no other reaches over; bits are cut at whole bytes of the reply."""
    tags = connection.tag_list()
    step = 8 if request.table in BIT_TABLES else 1
    cuts, end = [], request.address
    for first, last in sorted(tags[index].span() for index in request.tags):
        if first >= end and first > request.address and not (first - request.address) % step:
            cuts.append(first)
        end = max(end, last)
    return tuple(cuts)
