"""What a page with a control chart is asked for by its address: value, kind of chart, and where limits are from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from pipelines.calendar import Span
from viewer.kpi.control import SIZES, Kind
from viewer.query.charted import EVERY, INTERVALS_S, TAG, Characteristic, usual_interval_s
from viewer.routes.asked import CUSTOM, Asked, chosen_days
from viewer.site_info import SiteInfo

KINDS: Final[tuple[Kind, ...]] = ("imr", "xbar")
FIRST: Final = "first"
BASES: Final = ("", FIRST, CUSTOM)
"""Limits are of the whole period, of its first points, or of production days of their own."""
USUAL_SIZE: Final = 5
_MOST_VALUES: Final = 500
"""Values of a tag: about so many fit the shortest interval that is taken without being asked for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be charted, and how.

    Attributes:
        what: value of the cycles, or tag; None = the machine has none that is a number.
        kind: of the chart.
        size: values of a subgroup.
        interval_s: how far apart values are that are charted; 0 = every cycle.
        base: where limits are from: one of `BASES`.
        baseline: from when to when; None = from the period itself, or from its first points.
        base_from: first day that was asked for, as it was written.
        base_to: last one.
        sound: whether the days of the baseline could be used; else limits are the period's own.
        at: number of the point behind the last one that is shown; None = the newest.
    """

    what: Characteristic | None
    kind: Kind
    size: int
    interval_s: int
    base: str
    baseline: Span | None
    base_from: str
    base_to: str
    sound: bool
    at: int | None

    def query(self, of: Asked) -> dict[str, str]:
        """The address of the same, without the point."""
        found = {"period": of.name, "from": of.first.isoformat(), "to": of.last.isoformat(), "kind": self.kind}
        found |= {"value": self.what.key} if self.what else {}
        found |= {"size": str(self.size)} if self.kind == "xbar" else {}
        found |= {"interval": str(self.interval_s)} if self.interval_s else {}
        found |= {"base": self.base} if self.base else {}
        if self.baseline is not None:
            found |= {"base_from": self.base_from, "base_to": self.base_to}
        return found


def wanted(request: Request, site: SiteInfo, choices: Sequence[Characteristic], period: Span, now_ns: int) -> Wanted:
    """What a request wants; what cannot be used is the value that judges the process, I-MR, the period's limits.

    Args:
        request: asks for it.
        site: of the machine.
        choices: what can be charted.
        period: of the chart.
        now_ns: ns since 1970 UTC.
    """
    query = request.query_params
    what = next((one for one in choices if one.key == query.get("value")), choices[0] if choices else None)
    size, interval_s, at = (_number(query.get(name, "")) for name in ("size", "interval", "at"))
    base_from, base_to = (query.get(name, "")[:10] for name in ("base_from", "base_to"))
    usual = usual_interval_s(period, _MOST_VALUES) if what is not None and what.of == TAG else EVERY
    base = next((one for one in BASES if one == query.get("base")), BASES[0])
    baseline = chosen_days(site, base_from, base_to, now_ns) if base == CUSTOM else None
    sound = base != CUSTOM or baseline is not None
    return Wanted(
        what,
        next((one for one in KINDS if one == query.get("kind")), KINDS[0]),
        size if size in SIZES else USUAL_SIZE,
        interval_s if interval_s in INTERVALS_S else usual,
        base if sound else BASES[0],
        baseline,
        base_from,
        base_to,
        sound,
        at,
    )


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None  # noqa: PLR2004 - no more points
