"""A complete configuration file out of what was found. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from connectors.modbus.probe.report import show
from connectors.modbus.tag import BIT_TABLES, LONG_ORDERS

if TYPE_CHECKING:
    from connectors.modbus.config import ModbusConnection
    from connectors.modbus.probe.diagnosis import Diagnosis
    from connectors.modbus.probe.found import UnitFound
    from connectors.modbus.probe.layout import Spot

_MOST_BITS: Final = 64
_HEAD: Final = """\
# Proposed by `agent probe {where}`. Change company, site and machine; give the tags names, units and scales; remove
# what nobody needs; then `agent check` and `agent read` this file. Comments: what was read, and how sure that is.
company: my-company
site: my-site

machines:
  device: {{class: device}}

connections:
"""


def proposal(settings: ModbusConnection, found: Diagnosis) -> str:
    """A configuration file that `agent check` takes; empty when there is nothing to read."""
    units = [unit for unit in found.units if unit.twin is None]
    tags = [line for unit in units for line in _tags(unit, found, several=len(units) > 1)]
    if not any(line.lstrip().startswith("- ") for line in tags):
        return ""
    first = units[0].unit
    order = found.orders.get(first) or "ABCD"
    fields = settings.model_dump(mode="json", exclude_unset=True, exclude={"tags", "unit", "machine", "byte_order"})
    fields |= {"machine": "device", "unit": first, "byte_order": order}
    tables = [one for unit in units for one in unit.tables.values()]
    blocks = [one.block for one in tables if one.table not in BIT_TABLES and one.limited]
    if blocks:
        fields["max_registers"] = max(4, min(blocks))
    lines = "  - " + "\n    ".join(f"{key}: {json.dumps(value)}" for key, value in fields.items())
    return _HEAD.format(where=settings.where()) + "\n".join([lines, "    tags:", *tags]) + "\n"


def _tags(unit: UnitFound, found: Diagnosis, *, several: bool) -> Iterator[str]:
    prefix = f"u{unit.unit}_" if several else ""
    more: dict[str, Any] = {"unit": unit.unit} if several else {}
    for table in unit.tables.values():
        if table.table in BIT_TABLES:
            for number, (address, value) in enumerate(sorted(table.reads[0].items())):
                fields = {"table": table.table, "address": address, "datatype": "bool", **more}
                yield _line(f"{prefix}{table.table}_{address}", fields, f"{value}", off=number >= _MOST_BITS)
            continue
        for spot in found.spots.get((unit.unit, table.table), []):
            label, known = _known(found, unit, table.table, spot)
            name = f"{prefix}{label or f'{table.table}_{spot.address}'}"
            fields = {"table": table.table, "address": spot.address, **_type(spot, found.orders), **known, **more}
            yield _line(name, fields, _comment(spot), off=not any(map(_says_something, spot.best.value)))


def _known(found: Diagnosis, unit: UnitFound, table: str, spot: Spot) -> tuple[str, dict[str, Any]]:
    """Name, unit and scale that the likeliest profile has for a value."""
    for one in found.matches.get(unit.unit, [])[:1]:
        label, item = one.items.get((table, spot.address), ("", None))
        if item is not None and item.width() == spot.best.way.width:
            more: dict[str, Any] = {"scale": item.scale} if item.scale != 1 else {}
            if item.engineering_unit:
                more["engineering_unit"] = json.dumps(item.engineering_unit, ensure_ascii=False)
            return label, more
    return "", {}


def _type(spot: Spot, orders: dict[int, str]) -> dict[str, Any]:
    way = spot.best.way
    if way.kind == "text":
        return {"datatype": "string", "length": way.width, "byte_order": "BADC" if way.layout == "BA" else "ABCD"}
    fields: dict[str, Any] = {"datatype": way.kind}
    if way.width == 1:
        swapped = way.layout == "BA"
        if swapped != (next(iter(orders.values()), "") in {"BADC", "DCBA"}):
            fields["byte_order"] = "BADC" if swapped else "ABCD"
    elif way.layout in LONG_ORDERS or way.order != (next(iter(orders.values()), "") or "ABCD"):
        fields["byte_order"] = way.layout if way.layout in LONG_ORDERS else way.order
    return fields


def _says_something(value: Any) -> bool:
    return bool(value.strip("\0 ")) if isinstance(value, str) else value != 0


def _comment(spot: Spot) -> str:
    best = spot.best
    text = f"{', '.join(dict.fromkeys(show(one) for one in best.value))}; score {best.score:.2f}"
    if len(spot.readings) > 1:
        other = spot.readings[1]
        text += f"; or {other.way.name} {show(other.value[-1])}, {other.score:.2f}"
    return text


def _line(name: str, fields: dict[str, Any], comment: str, *, off: bool) -> str:
    inner = ", ".join(f"{key}: {value}" for key, value in {"name": name, **fields}.items())
    shown = "".join(one if one.isprintable() else "?" for one in comment)
    return f"      {'# ' if off else ''}- {{{inner}}}  # {shown}"
