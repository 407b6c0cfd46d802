"""Which known device this looks like: its map laid over what was read, also one address beside and in the other table.

Every number of a profile that was read counts 1 when it is plausible there (finite, of a usual size for a float,
inside the profile's range), nothing when it is 0 or says little (an integer without a range), and -1 when it is not
plausible; an address that cannot be read counts -0.5. The score is the mean over the numbers that the profile reads by
itself. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from connectors.modbus.probe.found import TableFound, UnitFound
from connectors.modbus.probe.reading import ODD_LAYOUTS, WAYS, read
from connectors.modbus.probe.score import cost
from connectors.modbus.probe.search import Area, runs
from connectors.modbus.profile import Item, Profile

_OTHER: Final = {"holding": "input", "input": "holding"}
_SHIFTS: Final = (0, 1, -1)
_LEAST: Final = 0.5
_FEW: Final = 3
_STRANGE_BITS: Final = {"float32": 40.0, "float64": 70.0}
_UNREADABLE: Final = -0.5
_NEAR: Final = 16
_WAYS: Final = {(way.kind, way.order): way for way in WAYS if way.layout not in ODD_LAYOUTS}


@dataclass(frozen=True, slots=True)
class Match:
    """A profile that fits.

    Attributes:
        name: of the profile.
        title: maker and model.
        score: -1 to 1; 1 = every number is plausible.
        points: numbers that are.
        shift: how much higher the addresses are than in the profile.
        swapped: whether the values are in the other one of `holding` and `input`.
        items: the profile's values, by table and address as found.
    """

    name: str
    title: str
    score: float
    points: float
    shift: int
    swapped: bool
    items: Mapping[tuple[str, int], tuple[str, Item]]


def match(unit: UnitFound, profiles: Mapping[str, Profile]) -> list[Match]:
    """Profiles that fit a unit, the one that explains most first."""
    found = []
    for name, profile in profiles.items():
        tries = [_laid(unit, name, profile, shift, swap) for swap in (False, True) for shift in _SHIFTS]
        best = max(tries, key=lambda one: (one.points, one.score))
        if best.score >= _LEAST and best.points >= _FEW:
            found.append(best)
    return sorted(found, key=lambda one: (-one.points, -one.score))


def areas(profiles: Mapping[str, Profile], known: tuple[Area, ...]) -> Iterator[Area]:
    """Where the profiles have values beyond the `known` areas, in both tables of registers."""
    there: dict[str, set[int]] = {}
    for profile in profiles.values():
        for item in _numbers(profile).values():
            for table in _OTHER:
                there.setdefault(table, set()).update(range(item.address, item.address + item.width()))
    for table, addresses in there.items():
        inside = {a for one in known if one.table == table for a in range(one.first, one.last + 1)}
        bridged = {a + gap for a in addresses for gap in range(_NEAR) if a + gap <= max(addresses)} - inside
        for first, last in runs(bridged):
            ends = [a for a in addresses if first <= a <= last]
            if ends:
                yield Area(table, min(ends), max(ends) + 1, guess=True)  # one more, for a map that is off by one


def _numbers(profile: Profile) -> dict[str, Item]:
    """Values that stand at one address everywhere and are numbers of registers."""
    fixed = {name: item for name, item in profile.items.items() if not item.plus and item.table in _OTHER}
    return {name: item for name, item in fixed.items() if item.datatype not in {"bool", "string"}}


def _laid(unit: UnitFound, name: str, profile: Profile, shift: int, swap: bool) -> Match:
    points, asked = 0.0, 0
    items: dict[tuple[str, int], tuple[str, Item]] = {}
    for label, item in _numbers(profile).items():
        place = (_OTHER[item.table] if swap else item.table, item.address + shift)
        items[place] = (label, item)
        if item.on_request:
            continue
        asked += 1
        table = unit.tables.get(place[0])
        points += _UNREADABLE if table is None else _points(table, place[1], item, profile)
    return Match(name, profile.title, points / max(asked, 1), points, shift, swap, items)


def _points(table: TableFound, address: int, item: Item, profile: Profile) -> float:
    span = range(address, address + item.width())
    way = _WAYS.get((item.datatype, item.byte_order or profile.byte_order))
    if way is None or not all(one in table.reads[0] for one in span):
        return _UNREADABLE
    values = read(table.words(span[0], span[-1]), way)
    raw = values[0, 0]
    if raw == 0:
        return 0.0
    plausible = bool(np.isfinite(raw))
    if item.datatype in _STRANGE_BITS:
        plausible = plausible and float(cost(values[:1], way)[0]) < _STRANGE_BITS[item.datatype]
        plausible = plausible and abs(float(raw)) >= (item.least_magnitude or 0)
    if item.range is not None:
        scaled = float(raw) * item.scale + item.offset
        plausible = plausible and item.range.low <= scaled <= item.range.high
    elif not item.datatype.startswith("float"):
        return 0.0
    return 1.0 if plausible else -1.0
