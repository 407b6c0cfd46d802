"""How far a request may be widened: what a device gives at once, and the addresses that are never read. Pure."""

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
    """Limits of a request that reads more than it needs.

    Attributes:
        most: most registers or bits at once.
        low: first address it may read.
        high: address behind the last that it may read.
    """

    most: int
    low: int
    high: int


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
    )
