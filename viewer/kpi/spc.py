"""Control charts: I-MR and X̄-R with limits that are frozen from a baseline.

Limits are those of phase I, ISO 7870-2:2013 (Shewhart charts): whoever charts new values gives the limits in; they are
never computed anew with values that are out of control unless somebody asks for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Constants(NamedTuple):
    """Factors of a subgroup size."""

    a2: float
    d2: float
    d3: float
    d4: float


CONSTANTS: Final = {
    2: Constants(1.880, 1.128, 0.0, 3.267),
    3: Constants(1.023, 1.693, 0.0, 2.574),
    4: Constants(0.729, 2.059, 0.0, 2.282),
    5: Constants(0.577, 2.326, 0.0, 2.114),
    6: Constants(0.483, 2.534, 0.0, 2.004),
    7: Constants(0.419, 2.704, 0.076, 1.924),
    8: Constants(0.373, 2.847, 0.136, 1.864),
    9: Constants(0.337, 2.970, 0.184, 1.816),
    10: Constants(0.308, 3.078, 0.223, 1.777),
}
"""By subgroup size: A2, d2, D3, D4 of ISO 7870-2:2013, table 2 (ASTM manual MNL 7 has the same)."""
_SINGLE: Final = CONSTANTS[2]
"""A moving range is that of two values."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one chart, in the unit of the values.

    Attributes:
        center: centre line.
        sigma: standard deviation of what is charted.
        lower: lower control limit.
        upper: upper control limit.
        samples: values or subgroups of phase I.
    """

    center: float
    sigma: float
    lower: float
    upper: float
    samples: int


@dataclass(frozen=True, slots=True)
class Chart:
    """Two charts that belong together.

    Attributes:
        place: of values, or of means of subgroups.
        spread: of moving ranges, or of ranges of subgroups.
        sigma: standard deviation of single values within subgroups: R̄ / d2.
    """

    place: Limits
    spread: Limits
    sigma: float


def individuals(values: NDArray[np.float64]) -> Chart | None:
    """I-MR: x̄ ± 3 MR̄ / d2, d2 = 1.128; MR up to D4 MR̄. None without two values in a row.

    Args:
        values: of phase I in their order, float64, shape (n,); NaN = one is missing, which is bridged by no range.
    """
    ranges = moving_ranges(values)
    if not np.isfinite(ranges).any():
        return None
    center, mean_range = float(np.nanmean(values)), float(np.nanmean(ranges))
    sigma = mean_range / _SINGLE.d2
    samples = int(np.isfinite(values).sum())
    place = Limits(center, sigma, center - 3 * sigma, center + 3 * sigma, samples)
    return Chart(place, _of_ranges(mean_range, _SINGLE, int(np.isfinite(ranges).sum())), sigma)


def subgroups(values: NDArray[np.float64]) -> Chart | None:
    """X̄-R: x̿ ± A2 R̄; R from D3 R̄ to D4 R̄. None without a whole subgroup.

    Args:
        values: of phase I, float64, shape (subgroups, 2 to 10); a subgroup in which one is NaN is left out.

    Raises:
        ValueError: subgroups of another size.
    """
    size = values.shape[1]
    if size not in CONSTANTS:
        msg = f"subgroups have 2 to 10 values, not {size}"
        raise ValueError(msg)
    whole = values[np.isfinite(values).all(axis=1)]
    if not len(whole):
        return None
    one = CONSTANTS[size]
    center, mean_range = float(whole.mean()), float(np.ptp(whole, axis=1).mean())
    reach = one.a2 * mean_range
    place = Limits(center, reach / 3, center - reach, center + reach, len(whole))
    return Chart(place, _of_ranges(mean_range, one, len(whole)), mean_range / one.d2)


def moving_ranges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """|xᵢ − xᵢ₋₁|, float64, shape (n − 1,); NaN beside what is missing."""
    return np.abs(np.diff(values))


def _of_ranges(mean: float, one: Constants, samples: int) -> Limits:
    """Limits of ranges, and their σ from the upper one: D4 = 1 + 3 d3 / d2."""
    return Limits(mean, (one.d4 - 1) * mean / 3, one.d3 * mean, one.d4 * mean, samples)
