"""The record of one test: what its steps come to, and the grade."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.derive.battery.grading import HOLD, Figures, GradingRule, Pack, coulombic, dcir_mohm, grade
from pipelines.derive.battery.steps import Step
from pipelines.settings import Range


@dataclass(frozen=True, slots=True)
class Record:
    """One test.

    Attributes:
        start_ns: its beginning, ns since 1970 UTC.
        end_ns: its end.
        pack: which pack, as far as a tag says; empty = unknown.
        model: of the pack; empty = unknown.
        figures: what was measured.
        ah: discharged charge, Ah; None without a discharge.
        wh: discharged energy, Wh.
        grade: of the rule, or 보류.
        reasons: why it is on hold; empty = it is not.
        remarks: conditions that were not those of the standard.
        rule_version: of the limits that were used.
        rule_verified: whether somebody confirmed them.
    """

    start_ns: int
    end_ns: int
    pack: str
    model: str
    figures: Figures
    ah: float | None
    wh: float | None
    grade: str
    reasons: tuple[str, ...]
    remarks: tuple[str, ...]
    rule_version: str
    rule_verified: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """What else is known of a pack when its test ends; None or empty = it is not.

    Attributes:
        pack: which pack.
        model: of the pack.
        delta_mv: difference between its cells' open-circuit voltages, mV.
        insulation_mohm: insulation resistance, MΩ.
    """

    pack: str = ""
    model: str = ""
    delta_mv: float | None = None
    insulation_mohm: float | None = None


def record_of(
    steps: Sequence[Step], facts: Facts, rule: GradingRule, span_ns: tuple[int, int], *, whole: bool
) -> Record:
    """The record of a test.

    Args:
        steps: all of them, in order.
        facts: what else is known.
        rule: how it is graded.
        span_ns: beginning and end of the test, ns since 1970 UTC.
        whole: whether the cycler came to the end; else the pack is on hold.
    """
    pack = rule.pack(facts.model)
    discharges = [step for step in steps if step.kind == "DCH" and step.ah and not step.cut]
    main = max(discharges, key=lambda step: step.ah, default=None)
    pulse = next((step for step in reversed(steps) if step.kind == "PULSE" and step.at_pulse and step.before), None)
    resistance = None
    if pulse is not None and pulse.before is not None and pulse.at_pulse is not None:
        resistance = dcir_mohm(pulse.before, pulse.at_pulse)
    figures = Figures(
        soh_c=100 * main.ah / pack.rated_ah if main and pack else None,
        soh_e=100 * main.wh / pack.rated_wh if main and pack else None,
        dcir_mohm=resistance,
        delta_mv=facts.delta_mv,
        insulation_mohm=facts.insulation_mohm,
        coulombic=coulombic(main.ah, _charged_before(steps, main)) if main else None,
        unknown_s=main.unknown_ns / 1e9 if main else 0.0,
    )
    found, reasons = grade(figures, rule, pack)
    if not whole:
        found, reasons = HOLD, ["시험 중단 (test aborted)", *reasons]
    return Record(
        *span_ns,
        facts.pack,
        facts.model,
        figures,
        main.ah if main else None,
        main.wh if main else None,
        found,
        tuple(reasons),
        tuple(_remarks(main, rule, pack)) if main else (),
        rule.version,
        rule.verified,
    )


def _charged_before(steps: Sequence[Step], discharge: Step) -> float:
    """Charge between the discharge before this one, or the beginning, and this one, Ah."""
    charged = 0.0
    for step in steps[: steps.index(discharge)]:
        charged = 0.0 if step.kind == "DCH" else charged + (step.ah if step.kind == "CHG" else 0.0)
    return charged


def _remarks(main: Step, rule: GradingRule, pack: Pack | None) -> list[str]:
    known_h = (main.end_ns - main.start_ns - main.unknown_ns) / 3.6e12
    c_rate = main.ah / known_h / pack.rated_ah if pack and known_h else None
    found = [
        _outside("온도 (temperature)", main.celsius_start, "℃", rule.conditions.temperature),
        _outside("방전율 (C-rate)", c_rate, "C", rule.conditions.c_rate),
    ]
    return [one for one in found if one]


def _outside(name: str, value: float | None, unit: str, wanted: Range | None) -> str:
    if wanted is None:
        return ""
    if value is None:
        return f"{name} 미측정 (not measured)"
    if wanted.low <= value <= wanted.high:
        return ""
    return f"{name} {value:.2f} {unit}, {wanted.low:g}-{wanted.high:g}"
