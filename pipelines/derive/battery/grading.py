"""How a pack is graded: limits as data with a version, and the figures they are held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field

from pipelines.settings import Range, Settings
from pipelines.table import read_table

RULE: Final = Path(__file__).with_name("grading.yaml")
HOLD: Final = "보류"
_FIGURES = Literal["soh_c", "soh_e", "dcir_mohm", "delta_mv", "insulation_mohm", "coulombic"]
_EFFICIENT: Final = 1.005
"""A discharge that gives more than was charged began full: its quotient is no efficiency."""


class Grade(Settings):
    """One grade."""

    grade: str
    """Its name."""
    soh_min: Annotated[float, Field(ge=0)]
    """Least state of health, percent of the rated capacity."""
    use: str = ""
    """What such packs are for."""
    reuse: bool = True
    """Whether they are used again: those that are not do not count for the yield."""


class Gates(Settings):
    """Limits each pack has to keep, whatever its state of health; null = no limit."""

    delta_mv_max: Annotated[float, Field(gt=0)] | None = None
    """Greatest difference between the cells' open-circuit voltages, mV."""
    dcir_percent_max: Annotated[float, Field(gt=0)] | None = None
    """Greatest resistance, percent of that at the beginning of life."""
    insulation_mohm_min: Annotated[float, Field(gt=0)] | None = None
    """Least insulation resistance, MΩ."""
    unknown_s_max: Annotated[float, Field(ge=0)] | None = None
    """Longest time of the discharge in which voltage or current was not known, seconds."""


class Conditions(Settings):
    """Under which the capacity is measured."""

    temperature: Range | None = None
    """Of the pack when the discharge begins, ℃."""
    c_rate: Range | None = None
    """Mean current by rated capacity, 1/h; a third is the standard."""


class Pack(Settings):
    """What a model of pack is rated for."""

    rated_ah: Annotated[float, Field(gt=0)]
    """Capacity, Ah."""
    rated_wh: Annotated[float, Field(gt=0)]
    """Energy, Wh."""
    bol_dcir_mohm: Annotated[float, Field(gt=0)]
    """Resistance at the beginning of life, mΩ."""


class GradingRule(Settings):
    """A file of limits."""

    version: Annotated[str, Field(min_length=1)]
    """Changes with every change; each record names it."""
    verified: bool
    """Whether somebody confirmed these limits."""
    source: str
    """Where they come from."""
    grades: Annotated[tuple[Grade, ...], Field(min_length=1)]
    """From the best."""
    gates: Gates
    """Limits beside the state of health."""
    required: tuple[_FIGURES, ...]
    """Figures without which a pack is put on hold."""
    pulse_s: Annotated[float, Field(gt=0)] = 10.0
    """When in the pulse the resistance is taken, seconds."""
    thermal_k_per_min: Annotated[float, Field(gt=0)] = 1.0
    """A pack that warms faster than this is told, ℃/min."""
    conditions: Conditions = Conditions()
    """Under which the capacity is measured."""
    packs: dict[str, Pack]
    """By model; `default` for the others."""

    def pack(self, model: str) -> Pack | None:
        """What a model is rated for; None where it is not listed and there is no `default`."""
        return self.packs.get(model) or self.packs.get("default")


def load(path: Path = RULE) -> GradingRule:
    """The rule in a file.

    Raises:
        ConfigError: it cannot be read, or holds something else.
    """
    return read_table(path, GradingRule, "grading rule")


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured of a pack; None = it was not.

    Attributes:
        soh_c: state of health by capacity, percent: discharged Ah / rated Ah.
        soh_e: state of health by energy, percent: discharged Wh / rated Wh.
        dcir_mohm: resistance of the pulse, mΩ: voltage drop / current step.
        delta_mv: difference between the cells' open-circuit voltages, mV.
        insulation_mohm: insulation resistance, MΩ.
        coulombic: discharged Ah / charged Ah, 0 to 1.
        unknown_s: time of the discharge in which voltage or current was not known, seconds.
    """

    soh_c: float | None
    soh_e: float | None
    dcir_mohm: float | None
    delta_mv: float | None
    insulation_mohm: float | None
    coulombic: float | None
    unknown_s: float


def dcir_mohm(before: tuple[float, float], after: tuple[float, float]) -> float | None:
    """Resistance of a pulse, mΩ; None without a step of current.

    Args:
        before: voltage, V, and current, A, before it.
        after: the same in it.
    """
    step_a = abs(after[1] - before[1])
    return abs(after[0] - before[0]) / step_a * 1000 if step_a else None


def coulombic(discharged_ah: float, charged_ah: float) -> float | None:
    """Coulombic efficiency, 0 to 1; None where nothing was charged, or the charge did not begin empty."""
    if not charged_ah or discharged_ah > _EFFICIENT * charged_ah:
        return None
    return discharged_ah / charged_ah


def grade(found: Figures, rule: GradingRule, pack: Pack | None) -> tuple[str, Sequence[str]]:
    """The grade of a pack, and why: what failed or is missing, in words; 보류 (on hold) with at least one reason."""
    gates, reasons = rule.gates, []
    if pack is None:
        reasons.append("정격 미등록 (model not rated)")
    reasons += [f"미측정 {name} (not measured)" for name in rule.required if getattr(found, name) is None]
    if found.delta_mv is not None and gates.delta_mv_max is not None and found.delta_mv > gates.delta_mv_max:
        reasons.append(f"셀 전압차 {found.delta_mv:.0f} mV > {gates.delta_mv_max:g} (cell ΔV)")
    if found.dcir_mohm is not None and gates.dcir_percent_max is not None and pack is not None:
        percent = 100 * found.dcir_mohm / pack.bol_dcir_mohm
        if percent > gates.dcir_percent_max:
            reasons.append(f"내부저항 {percent:.0f} % > {gates.dcir_percent_max:g} % (DCIR)")
    insulation, least = found.insulation_mohm, gates.insulation_mohm_min
    if insulation is not None and least is not None and insulation < least:
        reasons.append(f"절연저항 {insulation:g} MΩ < {least:g} (insulation)")
    if gates.unknown_s_max is not None and found.unknown_s > gates.unknown_s_max:
        reasons.append(f"데이터 누락 {found.unknown_s:.0f} s (data missing)")
    if reasons or found.soh_c is None:
        return HOLD, reasons
    soh = found.soh_c
    return next((one.grade for one in rule.grades if soh >= one.soh_min), HOLD), ()
