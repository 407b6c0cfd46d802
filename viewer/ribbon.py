"""How much of each piece of a period is known, as a ribbon in SVG: whole, in part, nothing."""

from __future__ import annotations

from itertools import groupby
from typing import Final

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from pipelines.calendar import Span
from viewer.kpi.result import LEAST_COVER
from viewer.words import local

_CELLS: Final = 240
_WIDE: Final = 1000


def ribbon(known: NDArray[np.float64], start_ns: NDArray[np.int64], width_ns: int, period: Span, label: str) -> Markup:
    """A ribbon over a period.

    Args:
        known: known part of each piece, 0 to 1.
        start_ns: their beginnings, ns since 1970 UTC.
        width_ns: length of a piece; the last one may go beyond the period.
        period: start and end.
        label: what it is, for people who cannot see it.
    """
    if not len(known):
        return Markup()
    inside = np.minimum(start_ns + width_ns, period[1]) - start_ns
    each = -(-len(known) // _CELLS)
    first = np.arange(0, len(known), each)
    lengths = np.add.reduceat(inside, first)
    parts = np.add.reduceat(known * width_ns, first) / lengths * 100
    kinds = np.where(parts >= LEAST_COVER, "r-ok", np.where(parts > 0, "r-part", "r-none")).tolist()
    scale = _WIDE / (period[1] - period[0])
    drawn, at = [], 0
    for kind, run in groupby(kinds):
        count = len(list(run))
        cells = slice(at, at + count)
        low = int(start_ns[first[at]])
        high = low + int(lengths[cells].sum())
        share = float((parts[cells] * lengths[cells]).sum() / lengths[cells].sum())
        at += count
        said = f"{local(low):%m-%d %H:%M} – {local(high):%m-%d %H:%M}: {share:.0f} %"
        drawn.append(
            f'<rect class="{kind}" x="{(low - period[0]) * scale:.1f}" width="{(high - low) * scale:.1f}" height="10">'
            f"<title>{escape(said)}</title></rect>"
        )
    return Markup(  # noqa: S704 - every text in it is escaped
        f'<svg class="ribbon" viewBox="0 0 {_WIDE} 10" preserveAspectRatio="none" role="img"'
        f' aria-label="{escape(label)}">{"".join(drawn)}</svg>'
    )
