"""Q-CPK: how a process fits its specification. Indices of ISO 22514-2:2017; σ within subgroups by ISO 7870-2:2013."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from viewer.kpi import words
from viewer.kpi.result import Evidence, Result, missing
from viewer.kpi.spc import individuals, subgroups
from viewer.kpi.words import Amount, Text

FEWEST: Final = 25
"""Samples below which an index is told with a remark: phase I of ISO 7870-2:2013 takes 20 to 25 subgroups."""
VERDICTS: Final = (
    (1.67, Text("우수", "excellent")),
    (1.33, Text("양호", "good")),
    (1.0, Text("보통", "fair")),
    (-np.inf, Text("부족", "poor")),
)
"""From so much on a Cpk is called that."""


@dataclass(frozen=True, slots=True)
class Capability:
    """Cp and Cpk with σ within subgroups, Pp and Ppk with s over all values."""

    cp: Result
    cpk: Result
    pp: Result
    ppk: Result


def verdict(cpk: float) -> Text:
    """What a Cpk is called."""
    return next(text for least, text in VERDICTS if cpk >= least)


def capability(values: NDArray[np.float64], lower: float | None, upper: float | None, evidence: Evidence) -> Capability:
    """Indices of what was measured in a period.

    Args:
        values: float64, shape (n,), or (subgroups, 2 to 10); NaN = missing.
        lower: lower specification limit; None = there is none.
        upper: upper specification limit; None = there is none.
        evidence: period and collection rate; its samples are counted here.

    Raises:
        ValueError: the lower limit is not below the upper one; subgroups of another size.
    """
    if lower is not None and upper is not None and lower >= upper:
        msg = f"a lower limit of {lower} is not below an upper one of {upper}"
        raise ValueError(msg)
    known = values[np.isfinite(values)]
    evidence = replace(evidence, samples=len(known))
    chart = (individuals if values.ndim == 1 else subgroups)(values)
    within = None if chart is None else chart.sigma
    overall = float(known.std(ddof=1)) if len(known) > 1 else None
    center = float(known.mean()) if len(known) else None
    limits = (lower, upper)
    return Capability(
        _index("Q-CPK.Cp", center, within, limits, evidence),
        _index("Q-CPK", center, within, limits, evidence),
        _index("Q-CPK.Pp", center, overall, limits, evidence),
        _index("Q-CPK.Ppk", center, overall, limits, evidence),
    )


def _index(
    code: str,
    center: float | None,
    sigma: float | None,
    limits: tuple[float | None, float | None],
    evidence: Evidence,
) -> Result:
    lower, upper = limits
    parts = (
        Amount(Text("평균 μ", "mean μ"), center, words.NO_UNIT),
        Amount(Text("표준편차 σ", "standard deviation σ"), sigma, words.NO_UNIT),
        Amount(Text("규격 하한 LSL", "lower limit LSL"), lower, words.NO_UNIT),
        Amount(Text("규격 상한 USL", "upper limit USL"), upper, words.NO_UNIT),
    )
    if center is None or sigma is None:
        return missing(code, evidence, parts=parts)
    if not sigma:
        return missing(code, evidence, words.NO_SPREAD, parts=parts)
    if code in {"Q-CPK.Cp", "Q-CPK.Pp"}:
        width = None if lower is None or upper is None else upper - lower
        value = None if width is None else width / (6 * sigma)
    else:
        distances = [] if upper is None else [upper - center]
        distances += [] if lower is None else [center - lower]
        value = min(distances) / (3 * sigma) if distances else None
    if value is None:
        return missing(code, evidence, words.NO_LIMITS, parts=parts)
    notes = (words.FEW_SAMPLES,) if evidence.samples < FEWEST else ()
    return Result(code, value, evidence, parts, notes=notes)
