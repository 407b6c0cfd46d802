"""What was found, for people and as JSON. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from connectors.modbus.probe.diagnosis import Diagnosis
from connectors.modbus.probe.layout import Reading, Spot
from connectors.modbus.probe.reasons import reasons
from connectors.modbus.tag import BIT_TABLES

if TYPE_CHECKING:
    from connectors.modbus.config import ModbusConnection
    from connectors.modbus.probe.found import TableFound, UnitFound
    from connectors.modbus.probe.line import Line

_SHOWN: Final = 2
_EXCEPTIONS: Final = {1: "illegal function", 2: "illegal address", 3: "illegal value", 4: "device failure"}
_SHOWN_SCORE: Final = 0.02


def as_json(settings: ModbusConnection, found: Diagnosis, line: Line) -> dict[str, Any]:
    """Everything, with every reading of every value."""
    return {
        "endpoint": settings.where(),
        "requests": line.requests,
        "exceptions": {str(code): count for code, count in sorted(line.exceptions.items())},
        "unanswered": line.silent,
        "partial": found.partial,
        "silent_units": found.silent,
        "remarks": found.remarks,
        "units": [_unit(one, found) for one in found.units],
    }


def _unit(unit: UnitFound, found: Diagnosis) -> dict[str, Any]:
    tables = [_table(one, found.spots.get((unit.unit, one.table), [])) for one in unit.tables.values()]
    fits = [
        {"profile": one.name, "score": round(one.score, 3), "shift": one.shift, "other_table": one.swapped}
        for one in found.matches.get(unit.unit, [])
    ]
    return {
        "unit": unit.unit,
        "profiles": fits,
        "same_as": unit.twin,
        "order": found.orders.get(unit.unit, ""),
        "tables": tables,
    }


def _table(table: TableFound, spots: list[Spot]) -> dict[str, Any]:
    out: dict[str, Any] = {"table": table.table, "ranges": table.ranges(), "refusal": table.refusal}
    if table.table in BIT_TABLES:
        return out | {"on": sorted(address for address, value in table.reads[0].items() if value)}
    values = [{"address": one.address, "readings": [_reading(each, spots) for each in one.readings]} for one in spots]
    return out | {"values": values}


def _reading(one: Reading, spots: list[Spot]) -> dict[str, Any]:
    value = [None if isinstance(each, float) and not math.isfinite(each) else each for each in one.value]
    return {
        "type": one.way.kind,
        "order": one.way.layout,
        "registers": one.way.width,
        "score": round(one.score, 3),
        "values": value,
        "why": reasons(one, spots),
    }


def as_lines(settings: ModbusConnection, found: Diagnosis, line: Line) -> Iterator[str]:
    """Ranges, values with their best readings, remarks."""
    yield f"{settings.where()}: {line.requests} requests, {line.silent} without an answer"
    for unit in found.units:
        if unit.twin is None:
            yield from _unit_lines(unit, found)
    for remark in found.remarks:
        yield f"note: {remark}"
    if found.silent:
        yield f"note: no answer from unit {', '.join(map(str, found.silent))}" + _remedy(settings, found)
    if found.partial:
        yield f"note: {found.partial}"


def _remedy(settings: ModbusConnection, found: Diagnosis) -> str:
    """What to look at when nobody answered at all."""
    if found.units:
        return ""
    if settings.serial is None:
        return "; name others with --units, or look at the device"
    return f"; check wiring and line settings (now {settings.serial.wiring()}), or name others with --units"


def _unit_lines(unit: UnitFound, found: Diagnosis) -> Iterator[str]:
    for table in unit.tables.values():
        ranges = ", ".join(f"{first}-{last}" if first != last else str(first) for first, last in table.ranges())
        why = f" ({_EXCEPTIONS.get(table.refusal, 'refused')})" if table.refusal and not ranges else ""
        yield f"unit {unit.unit} {table.table}: {ranges or 'nothing'}{why}"
        if table.table in BIT_TABLES:
            if on := [str(address) for address, value in sorted(table.reads[0].items()) if value]:
                yield f"  on: {', '.join(on)}"
            continue
        spots = found.spots.get((unit.unit, table.table), [])
        for spot in spots:
            if any(_known(one) for one in spot.best.value):
                yield from _spot_lines(spot, spots)


def _known(value: Any) -> bool:
    return bool(value.strip("\0")) if isinstance(value, str) else value != 0


def _spot_lines(spot: Spot, spots: list[Spot]) -> Iterator[str]:
    for number, one in enumerate(spot.readings[:_SHOWN]):
        if number and one.score < _SHOWN_SCORE:
            return
        address = f"{spot.address:>7}" if not number else "     or"
        shown = show(one.value[-1])
        yield f"{address}  {one.way.name:<18} {shown:<18} {one.score:4.2f}  {', '.join(reasons(one, spots))}"


def show(value: Any) -> str:
    """A value with the digits that mean something."""
    if isinstance(value, float):
        return f"{value:.7g}"
    return repr(value.rstrip("\0")) if isinstance(value, str) else str(value)
