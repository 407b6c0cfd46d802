"""`/spc/{company}/{site}/{machine}`: a control chart (관리도), what is out of control and why, capability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from pipelines.calendar import Span
from viewer.chart import Chart as Picture
from viewer.control_chart import HEIGHTS, Panel, draw_control, labels, shown_spec
from viewer.kpi.capability import verdict
from viewer.kpi.control import ENOUGH, SIZES, Control, Mark
from viewer.kpi.nelson import TESTS
from viewer.kpi.period import NAMED
from viewer.query.charted import CYCLE, EVERY, INTERVALS_S, MOST_TAG_NS, TAG, characteristics
from viewer.query.unit import Unit
from viewer.routes.asked import CUSTOM, asked, find_machine, unit_text
from viewer.routes.pages import Pages
from viewer.routes.spc_asked import BASES, KINDS, Wanted, wanted
from viewer.routes.spc_found import NO_LIMITS, Found, alike, found_of, spec_of, sure
from viewer.routes.spc_text import Names, value_digits

WINDOW: Final = 100
"""Points of a picture; tests run over the whole period."""
MOST_MARKS: Final = 50
"""Rows of the table of what is out of control: the newest of the points that are shown come first."""


@dataclass(frozen=True, slots=True)
class _Window:
    """Points that are shown: from number `first` to before `last`, of `count`."""

    first: int
    last: int
    count: int

    @property
    def earlier(self) -> int | None:
        """Behind the last point of the picture before; None = there is none."""
        return self.first if self.first > 0 else None

    @property
    def later(self) -> int | None:
        """Behind the last point of the picture after this one."""
        return min(self.count, self.last + WINDOW) if self.last < self.count else None


def routes(pages: Pages) -> list[BaseRoute]:
    """`/spc/{company}/{site}/{machine}?value=cycle:ton_peak&kind=imr&period=today&base=custom&base_from=…&base_to=…`."""
    return [pages.route("/spc/{company}/{site}/{machine}", _spc, "spc")]


def _spc(pages: Pages, request: Request) -> Response:
    site, machine = find_machine(request, pages.sites(request))
    now_ns, words = pages.clock.now_ns(), pages.words_of(request)
    of = asked(request, site, Unit(machine.line, machine.name), now_ns)
    choices = characteristics(pages.store, site, machine)
    want = wanted(request, site, choices, of.period, now_ns)
    too_long = any(_too_long(want, span) for span in (of.period, want.baseline or of.period))
    found = None if want.what is None or too_long else found_of(pages.store, site, machine, want, of.period)
    spec = spec_of(machine, want)
    query = want.query(of)
    names = Names(words, want, machine)
    values: dict[str, Any] = {}
    if found is not None and found.chart is not None:
        window = _window(want.at, len(found.chart.points.time_ns))
        values = _shown(found, found.chart, window, spec, names)
        values |= {"earlier": _link(query, window.earlier), "later": _link(query, window.later), "window": window}
    return pages.render(
        request,
        "spc.html",
        now_ns=now_ns,
        of=of,
        view=machine,
        unit=unit_text(site, Unit(machine.line, machine.name)),
        periods=(*NAMED, CUSTOM),
        choices=[(one.key, names.choice(one), one.of) for one in choices],
        kinds=KINDS,
        bases=BASES,
        sizes=SIZES,
        intervals=[*([EVERY] if want.what is not None and want.what.of == CYCLE else []), *INTERVALS_S],
        want=want,
        names=names,
        spec=spec,
        found=found,
        too_long=too_long,
        enough=ENOUGH,
        tests=TESTS,
        newest=urlencode(query),
        judges=want.what is not None and machine.quality is not None and spec != NO_LIMITS,
        **{"chart": None, **values},
    )


def _too_long(want: Wanted, span: Span) -> bool:
    return want.what is not None and want.what.of == TAG and span[1] - span[0] > MOST_TAG_NS


def _window(at: int | None, count: int) -> _Window:
    last = count if at is None else min(max(at, 1), count)
    return _Window(max(0, last - WINDOW), last, count)


def _link(query: dict[str, str], at: int | None) -> str:
    return "" if at is None else urlencode({**query, "at": at})


def _shown(
    found: Found, chart: Control, window: _Window, spec: tuple[float | None, float | None], names: Names
) -> dict[str, Any]:
    """What the page shows of a chart."""
    part = slice(window.first, window.last)
    marks = chart.marks(window.first, window.last)
    by_point = {one.at: one for one in marks}
    drawn = shown_spec(chart.limits.place, spec) if names.want.kind == "imr" else NO_LIMITS
    digits = value_digits(chart, names.want)
    pictures = _pictures(chart, part, by_point, drawn, names, digits)
    cpk, _, ppk, _ = found.results
    return {
        "chart": chart,
        "pictures": pictures,
        "digits": digits,
        "marks": list(reversed(marks))[:MOST_MARKS],
        "by_point": by_point,
        "rows": range(window.first, window.last),
        "totals": {number: int(one.sum()) for number, one in chart.tests.items()},
        "beyond": int(chart.beyond.sum()),
        "out": int(chart.marked.sum()),
        "far_spec": drawn != spec and names.want.kind == "imr",
        "verdicts": [(one.code, verdict(one.value)) for one in (cpk, ppk) if sure(one) and one.value is not None],
        "around": names.around,
        "alike": alike(found),
    }


def _pictures(
    chart: Control,
    part: slice,
    by_point: dict[int, Mark],
    spec: tuple[float | None, float | None],
    names: Names,
    digits: int,
) -> Sequence[tuple[str, Picture]]:
    """Name and picture of places, and of spreads."""
    points, first = chart.points, part.start
    place, spread = names.pictures()
    panels = (
        Panel(names.alt(place, chart.limits.place, digits, len(by_point)), chart.limits.place, spec,
              labels(list(by_point.values())), zones=True, height=HEIGHTS[0]),
        Panel(names.alt(spread, chart.limits.spread, digits, sum(one.spread for one in by_point.values())),
              chart.limits.spread, NO_LIMITS, {at: "R" if names.want.kind == "xbar" else "MR"
              for at, one in by_point.items() if one.spread}, zones=False, height=HEIGHTS[1]),
    )  # fmt: skip
    columns = (points.place, points.spread)
    return [
        (
            name,
            draw_control(
                points.time_ns[part],
                column[part],
                first,
                panel,
                lambda value: names.number(value, digits),
                lambda at, column=column: names.point(chart, at, float(column[at]), by_point.get(at), digits),  # type: ignore[misc]
            ),
        )
        for name, column, panel in zip((place, spread), columns, panels, strict=True)
    ]
