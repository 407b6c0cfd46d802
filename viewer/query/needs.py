"""What each figure is made of, so that nothing else is asked for, and why it cannot be where a site lacks it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from viewer.catalog import MachineInfo
from viewer.kpi.words import NO_ENTRIES, Text
from viewer.query.unit import Unit
from viewer.site_info import SiteInfo

Part = Literal["states", "counts", "ideal", "cycles", "energy", "alarms", "gas", "collected", "entries", "limits"]

_NEEDS: Final[dict[str, tuple[Part, ...]]] = {
    "P-UPH": ("counts", "states"), "P-UTIL": ("states",), "P-OEE": ("states", "counts", "ideal"),
    "P-OEE.Q": ("counts", "states"), "P-OEE.A": ("states",), "P-OEE.TA": ("states",), "P-LT": ("entries",),
    "P-CT": ("cycles", "states"), "P-QTY": ("counts", "states"), "P-MTBF": ("states",), "P-MTTR": ("states",),
    "Q-PDR": ("counts", "states"), "Q-FDR": ("entries",), "Q-CLM": ("entries",), "Q-CPK": ("limits", "states"),
    "C-MH": ("entries", "counts", "states"), "C-KWH": ("energy", "counts"), "C-INV": ("entries",),
    "D-OTD": ("entries",), "D-O2S": ("entries",), "S-ALM": ("alarms",), "S-ALM.over": ("gas",), "S-INJ": ("entries",),
    "E-CO2": ("energy",), "E-CO2.piece": ("energy", "counts"), "E-PEAK": ("energy",), "DQ-RATE": ("collected",),
}  # fmt: skip
_WITHOUT_STATES: Final = {"P-UPH", "P-QTY", "P-CT", "Q-PDR", "Q-CPK", "P-OEE.Q", "C-MH"}
"""Figures that a machine has which tells no states; with states they know how much was collected."""
_WHY: Final[dict[Part, Text]] = {
    "states": Text("설정에 상태(state)가 없음", "no state is configured"),
    "counts": Text("설정에 생산 계수기(count)가 없음", "no counter (count) is configured"),
    "ideal": Text("설정에 이론 사이클타임(ideal_s)이 없음", "no ideal cycle time (ideal_s) is configured"),
    "cycles": Text(
        "설정에 사이클 기록(cycle)이 있는 설비가 없거나 둘 이상임", "no machine records cycles (cycle), or several do"
    ),
    "energy": Text("설정에 전력량계(energy)가 없음", "no energy meter (energy) is configured"),
    "alarms": Text("설정에 안전경보(safety)가 없음", "no safety alarm is configured"),
    "gas": Text("설정에 가스(exposure)가 하나가 아님", "not exactly one gas (exposure) is configured"),
    "entries": NO_ENTRIES,
    "limits": Text(
        "설정에 규격(cycle의 quality)이 있는 설비가 없거나 둘 이상임",
        "no machine has specification limits (quality of cycle), or several have",
    ),
}


def needs(codes: Iterable[str]) -> frozenset[Part]:
    """What these figures are made of; a code with a dot needs what the one before the dot does, if nothing is said."""
    return frozenset(part for code in codes for part in _of(code))


def lacking(code: str, site: SiteInfo, unit: Unit, *, entered: bool = False) -> Text | None:
    """Why a figure without a value cannot have one, by what the site says of it; None = it could.

    Args:
        code: of the figure.
        site: of the unit.
        unit: machine, line, or the whole site.
        entered: whether people entered anything that it is made of.
    """
    machines = unit.machines(site)
    for part in _of(code):
        if part == "states" and not _WITHOUT_STATES.isdisjoint({code, code.partition(".")[0]}):
            continue
        if not (entered if part == "entries" else _has(part, site, machines)):
            return _WHY[part]
    return None


def _of(code: str) -> tuple[Part, ...]:
    return _NEEDS[code] if code in _NEEDS else _NEEDS[code.partition(".")[0]]


def _has(part: Part, site: SiteInfo, machines: list[MachineInfo]) -> bool:
    names = {one.name for one in machines}
    return {
        "states": any(one.has_state for one in machines),
        "counts": any(one.counts for one in machines),
        "ideal": any(one.ideal_s is not None for one in machines),
        "cycles": sum(one.cycles for one in machines) == 1,
        "energy": any(one.energy is not None for one in machines),
        "alarms": any(one.safety and one.machine in names for one in site.alarms),
        "gas": sum(one.machine in names for one in site.gases) == 1,
        "limits": sum(one.quality is not None for one in machines) == 1,
        "entries": False,
        "collected": True,
    }[part]
