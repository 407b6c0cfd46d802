"""Figures of a battery test: their names, units, digits and formulas, the same on pages and in reports."""

from __future__ import annotations

from typing import Final, NamedTuple

from pipelines.derive.battery.record import Record
from viewer.battery.record import BatteryTest
from viewer.kpi.words import Text
from viewer.reports.cell import Missing, Number, number

_NOT: Final = Text("측정되지 않음", "was not measured")


class Kind(NamedTuple):
    """One figure.

    Attributes:
        field: of the record.
        name: as people call it.
        unit: of what is shown.
        digits: behind the point.
        formula: how it is computed.
        scale: from what is stored to what is shown.
        head: a shorter name, for a column; None = the name.
    """

    field: str
    name: Text
    unit: str
    digits: int
    formula: Text
    scale: float = 1.0
    head: Text | None = None

    def of(self, one: BatteryTest | Record) -> float | None:
        """Of a record that was stored, or of one that was made anew; None = it was not measured."""
        holder = one.figures if isinstance(one, Record) and self.field not in {"ah", "wh"} else one
        found: float | None = getattr(holder, self.field)
        return None if found is None else found * self.scale

    def cell(self, one: BatteryTest | Record, *, unit: bool = True) -> Number | Missing:
        """The same as it is written; without its unit where the table says it, % always with it."""
        said = self.unit if unit or self.unit == "%" else ""
        return number(self.of(one), said, self.digits, why=_NOT if unit else None)


AH: Final = Kind(
    "ah",
    Text("방전 용량", "Capacity"),
    "Ah",
    2,
    Text(
        "∫|I| dt, 가장 큰 방전 (사다리꼴, 30초 넘는 공백 제외)",
        "∫|I| dt of the largest discharge (trapezoidal, gaps > 30 s left out)",
    ),
)
WH: Final = Kind(
    "wh",
    Text("방전 에너지", "Energy"),
    "Wh",
    1,
    Text("∫|V·I| dt, 같은 방전", "∫|V·I| dt of the same discharge"),
)
SOH: Final = Kind(
    "soh_c",
    Text("SoH (용량)", "SoH (charge)"),
    "%",
    1,
    Text("SoH = 방전 용량(Ah) / 정격 용량 × 100", "SoH = discharged Ah / rated Ah × 100"),
    head=Text("SoH", "SoH"),
)
SOH_E: Final = Kind(
    "soh_e",
    Text("SoH (에너지)", "SoH (energy)"),
    "%",
    1,
    Text("방전 에너지(Wh) / 정격 에너지 × 100", "discharged Wh / rated Wh × 100"),
)
DCIR: Final = Kind(
    "dcir_mohm",
    Text("직류내부저항 DCIR", "DCIR"),
    "mΩ",
    2,
    Text("DCIR = ΔV / ΔI (펄스 직전과 10초 뒤)", "DCIR = ΔV / ΔI, before the pulse and 10 s into it"),
    head=Text("DCIR", "DCIR"),
)
COULOMBIC: Final = Kind(
    "coulombic",
    Text("충방전 효율", "Coulombic efficiency"),
    "%",
    1,
    Text("방전 Ah / 직전 방전 뒤 충전 Ah × 100", "discharged Ah / Ah charged since the discharge before × 100"),
    100.0,
)
DELTA: Final = Kind(
    "delta_mv",
    Text("셀 전압차 ΔV", "ΔV of its cells"),
    "mV",
    0,
    Text("최고 셀 OCV − 최저 셀 OCV, 시험이 끝날 때의 값", "highest − lowest cell OCV, as told when the test ends"),
    head=Text("ΔV", "ΔV"),
)
INSULATION: Final = Kind(
    "insulation_mohm",
    Text("절연저항", "Insulation"),
    "MΩ",
    2,
    Text("절연저항 시험기의 값, 시험이 끝날 때", "of the insulation tester, as told when the test ends"),
)
UNKNOWN: Final = Kind(
    "unknown_s",
    Text("방전 중 데이터 없는 시간", "Discharge without data"),
    "s",
    0,
    Text("방전 중 전압·전류를 모르는 시간의 합", "time of the discharge in which voltage or current is not known"),
)
FIGURES: Final = (AH, WH, SOH, SOH_E, DCIR, COULOMBIC, DELTA, INSULATION, UNKNOWN)


def rule_text(one: BatteryTest) -> str:
    """Version of the rule that graded it, and whether nobody confirmed its limits."""
    return one.rule if one.verified else f"{one.rule} · 기준 미확인 (unverified)"
