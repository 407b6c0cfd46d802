"""The curve of a battery test as pictures: voltage, current and temperature of the samples it was computed of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from pipelines.calendar import Span
from pipelines.derive.battery.steps import SAMPLED_NS, Sample
from viewer.chart import Chart, draw
from viewer.stores.base import Place, Points, StoredGap, downsample
from viewer.words import Words

_BUCKETS: Final = 400
_LINES: Final[tuple[tuple[str, str, int, Callable[[Sample], float | None]], ...]] = (
    ("battery_voltage", "V", 3, lambda one: one.volt),
    ("battery_current", "A", 2, lambda one: one.ampere),
    ("battery_temperature", "℃", 1, lambda one: one.celsius),
)


def draw_curve(samples: Sequence[Sample | None], span: Span, words: Words) -> list[tuple[str, str, Chart]]:
    """Caption, unit and picture of each of the three.

    Args:
        samples: oldest first; None = voltage or current are not known from the one before on.
        span: beginning and end of the test, ns since 1970 UTC.
        words: of the reader.
    """
    inside = [one for one in samples if one is not None and span[0] <= one.time_ns <= span[1]]
    gaps = [
        StoredGap(Place(), "", words("battery_not_known"), low, high, None, filled=False)
        for low, high in unknown(samples, span)
    ]
    drawn = []
    bucket_ns = max(1, -(-(span[1] - span[0] + 1) // _BUCKETS))
    for caption, unit, decimals, value in _LINES:
        known = [(one.time_ns, found) for one in inside if (found := value(one)) is not None]
        times, values = np.array([at for at, _ in known], np.int64), np.array([one for _, one in known], np.float64)
        trend = downsample(Points(times, values), span[0], bucket_ns)
        drawn.append((words(caption), unit, draw(trend, gaps, *span, words, words(caption), decimals)))
    return drawn


def unknown(samples: Sequence[Sample | None], span: Span) -> list[Span]:
    """Stretches of a test that were not measured: between two samples too far apart, or known to be bad."""
    found, lost = [], False
    last_ns = span[0]
    for one in samples:
        if one is None:
            lost = True
            continue
        if span[0] <= one.time_ns <= span[1]:
            if lost or one.time_ns - last_ns > SAMPLED_NS:
                found.append((last_ns, one.time_ns))
            last_ns = one.time_ns
        lost = False
    return found + ([(last_ns, span[1])] if span[1] - last_ns > SAMPLED_NS else [])
