"""What the reads mean: values, orders, and what is off by one or behind another function code. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from connectors.modbus.probe.found import TableFound, UnitFound, alike
from connectors.modbus.probe.layout import Spot, explain, order_of
from connectors.modbus.probe.profiles import Match, match
from connectors.modbus.profile import Profile
from connectors.modbus.tag import BIT_TABLES

_FEW: Final = 3
_MOST: Final = 0.8
CODES: Final = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
"""Function code that reads a table (V1.1b3 §6)."""


@dataclass(slots=True)
class Diagnosis:
    """What was found, and what is made of it.

    Attributes:
        units: units that answer.
        silent: units that do not.
        spots: values by (unit, table), ascending by address.
        orders: order of the values of several registers, by unit; empty = there are none.
        remarks: what to know before writing tags.
        partial: why not everything was looked at; empty when it was.
        matches: known devices that a unit looks like, the likeliest first, by unit.
    """

    units: list[UnitFound]
    silent: list[int]
    spots: dict[tuple[int, str], list[Spot]] = field(default_factory=dict)
    orders: dict[int, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    partial: str = ""
    matches: dict[int, list[Match]] = field(default_factory=dict)


def diagnose(
    units: Sequence[UnitFound], silent: Sequence[int], partial: str, profiles: Mapping[str, Profile]
) -> Diagnosis:
    """Make something of what was read, and find the profiles that fit."""
    out = Diagnosis(list(units), list(silent), partial=partial)
    for unit in units:
        tables = [one for one in unit.tables.values() if one.table not in BIT_TABLES and one.reads[0]]
        guess = {one.table: _spots(one, "") for one in tables}
        order = order_of([spot for spots in guess.values() for spot in spots])
        out.orders[unit.unit] = order
        for one in tables:
            settled = order_of(guess[one.table]) in {"", order}
            out.spots[unit.unit, one.table] = guess[one.table] if settled else _spots(one, order)
        out.matches[unit.unit] = match(unit, profiles)
        out.remarks += _about(unit, out)
    return out


def _spots(table: TableFound, order: str) -> list[Spot]:
    found = []
    for first, last in table.ranges():
        words = table.words(first, last)
        if len(words):
            found += explain(words, first, order)
    return found


def _about(unit: UnitFound, out: Diagnosis) -> Iterator[str]:
    who = f"unit {unit.unit}"
    if unit.twin is not None:
        yield f"{who} holds the same as unit {unit.twin}: the device does not look at the unit id"
        return
    yield from _looks_like(who, unit.unit, out.matches[unit.unit])
    yield from _function_codes(who, unit)
    for (number, table), spots in out.spots.items():
        if number == unit.unit:
            yield from _off_by_one(f"{who}, {table}", unit.tables[table], spots)


def _looks_like(who: str, unit: int, matches: Sequence[Match]) -> Iterator[str]:
    for number, one in enumerate(matches):
        text = (
            f"{who} {'also fits' if number else 'looks like'} {one.title} (profile {one.name}, score {one.score:.2f})"
        )
        if one.shift:
            higher = "higher" if one.shift > 0 else "lower"
            text += f", but every address is one {higher} than in its map"
        if one.swapped:
            text += ", but in the other table: holding and input are exchanged"
        if not (number or one.shift or one.swapped):
            text += f"; instead of tags you can write devices: [{{profile: {one.name}, unit: {unit}}}]"
        yield text


def _function_codes(who: str, unit: UnitFound) -> Iterator[str]:
    holding, inputs = unit.tables.get("holding"), unit.tables.get("input")
    if holding is None or inputs is None:
        return
    if alike(holding.reads[0], inputs.reads[0]):
        yield f"{who}: holding and input hold the same, so function codes 3 and 4 both work"
        return
    for there, absent in ((holding, inputs), (inputs, holding)):
        if there.reads[0] and not absent.reads[0]:
            yield (
                f"{who}: only {there.table} (function code {CODES[there.table]}) can be read; "
                f"with table {absent.table} ({CODES[absent.table]}) it refuses everything"
            )


def _off_by_one(where: str, table: TableFound, spots: Sequence[Spot]) -> Iterator[str]:
    long = [spot for spot in spots if spot.best.way.width in {2, 4} and any(spot.best.value)]
    odd = sum(spot.address % 2 for spot in long)
    from_one = "register N of such a manual is address N here, not N - 1"
    first = min((one for one, _ in table.ranges()), default=0)
    if len(long) >= _FEW and odd >= _MOST * len(long):
        yield f"{where}: the values of several registers begin at odd addresses, as if counted from 1: {from_one}"
    elif first == 1:
        yield f"{where}: address 0 is refused and 1 is there, as if counted from 1: {from_one}"
