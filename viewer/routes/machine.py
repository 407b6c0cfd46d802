"""`/machine/{company}/{site}/{machine}`: one machine, its states, its values and their trends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from viewer.catalog import MachineInfo
from viewer.chart import BUCKETS, Chart, draw
from viewer.cycle_table import spec_of, value_text
from viewer.overview import CODE, HOLDS_S, NS, MachineView, TagView, overview
from viewer.query.cycles import columns_of, newest
from viewer.routes.cycles import tabled
from viewer.routes.pages import Pages, machine_key
from viewer.states import Run, draw_states, raw_runs, runs, untold, within
from viewer.stores.base import QUALITY, Place, StoredGap, Trend
from viewer.words import Words
from viewer.zoom import address, beside

_DAY_S: Final = 86_400
PERIODS_S: Final = {
    "10m": 600, "1h": 3600, "8h": 28_800, "1d": _DAY_S, "7d": 7 * _DAY_S, "30d": 30 * _DAY_S, "365d": 365 * _DAY_S,
}  # fmt: skip
REFRESH_S: Final = {"10m": 5, "1h": 15, "8h": 60, "1d": 120}
"""How often the charts of a period are drawn again; of a longer one ten minutes."""
_SELDOM_S: Final = 600
_LONG_S: Final = _DAY_S
"""Longer periods are offered where the store keeps hours: every reading of a month takes too long to be asked for."""
STATES_NS: Final = 8 * _DAY_S * NS
"""A longer picture has no band of states: they would be thinner than a line."""
EVERY_TAG: Final = "*"
"""Tag of a gap in all that an agent had, such as what was dropped at the journal's cap."""
_LOOK_BACK_NS: Final = 86_400 * NS
"""A raw state that is told on change is looked for so long before the start of a picture."""
_RECENT: Final = 5
_RECENT_NS: Final = 3600 * NS
"""So many of the newest cycles are beside the live values, and none that ended longer ago."""
_LAST_MS: Final = 4_102_444_800_000
"""The year 2100; a time in ns must fit 64 bits."""


def routes(pages: Pages) -> list[BaseRoute]:
    """`/machine/{company}/{site}/{machine}`; "-" stands for a level that is not there."""
    return [pages.route("/machine/{company}/{site}/{machine}", _machine, "machine")]


def _machine(pages: Pages, request: Request) -> Response:
    now_ns = pages.clock.now_ns()
    key = machine_key(request)
    views = overview(pages.latest(), pages.catalog, now_ns)
    view = next((view for view in views if view.info.key == key), None)
    if view is None:
        raise HTTPException(404)
    period = request.query_params.get("period", "10m")
    offered = [one for one, length_s in PERIODS_S.items() if length_s <= _LONG_S or pages.store.keeps_hours]
    if period not in offered:
        period = "10m"
    zoom = _zoom(request.query_params)
    length_ns = PERIODS_S[period] * NS
    silent = zoom is None and view.seen_ns is not None and view.seen_ns < now_ns - length_ns
    last_ns = view.seen_ns + NS if silent and view.seen_ns is not None else now_ns
    start_ns, end_ns = zoom or (last_ns - length_ns, last_ns)
    words = pages.words_of(request)
    live_only = request.query_params.get("part") == "live"
    charts = [] if live_only else _charts(pages, view, start_ns, end_ns, words)
    longest_ns = max(PERIODS_S[one] for one in offered) * NS
    known = pages.catalog.machines.get(key)
    return pages.render(
        request,
        "machine.html",
        now_ns=now_ns,
        view=view,
        charts=charts,
        period=period,
        periods=offered,
        zoom=zoom,
        silent=silent,
        zooms={name: span and address(span) for name, span in beside((start_ns, end_ns), now_ns, longest_ns).items()},
        charted=bool(known and known.tags),
        **_recent(pages, known, now_ns, words),
        start_ns=start_ns,
        end_ns=end_ns,
        refresh_s=2,
        charts_refresh_s=0 if zoom else REFRESH_S.get(period, _SELDOM_S),
    )


def _recent(pages: Pages, machine: MachineInfo | None, now_ns: int, words: Words) -> dict[str, Any]:
    """The newest cycles of the last hour; nothing of a machine without records."""
    site = pages.catalog.sites.get(machine.key[:2]) if machine and machine.cycles else None
    if machine is None or site is None:
        return {"recent": None}
    columns = columns_of(pages.store, site, machine)
    cycles = newest(pages.store, machine, columns, (now_ns - _RECENT_NS, now_ns + 1), _RECENT)
    return {
        "recent": tabled(pages.store, site, machine, columns, list(reversed(cycles)), entries=False),
        "spec": spec_of(machine, columns),
        "value": lambda column, value: value_text(words, column, value),
    }


def _charts(pages: Pages, view: MachineView, start_ns: int, end_ns: int, words: Words) -> list[tuple[str, str, Chart]]:
    """Caption, unit and picture of the states and of each tag that can be drawn."""
    gaps = [
        gap
        for gap in pages.store.gaps(view.info.company)
        if _is_of(gap, view) and gap.start_ns < end_ns and (gap.end_ns is None or gap.end_ns > start_ns)
    ]
    trends: dict[tuple[Place, str], Trend] = {}
    for place in {tag.place for tag in view.tags if tag.place is not None}:
        fields = [tag.info.name for tag in view.tags if tag.place == place]
        found = pages.store.trends(place, fields, start_ns, end_ns, BUCKETS)
        trends.update({(place, field): trend for field, trend in found.items()})
    charts = []
    raw = _raw_state(view)
    if (view.states is not None or raw is not None) and end_ns - start_ns <= STATES_NS:
        states = _states(pages, view, raw, start_ns, min(end_ns, pages.clock.now_ns()))
        own = [gap for gap in gaps if gap.tag in {EVERY_TAG, raw.info.name if raw else EVERY_TAG}]
        label = words("state_band")
        charts.append((label, "", draw_states(states, own, start_ns, end_ns, words, label)))
    for tag in view.tags:
        if tag.place is None or isinstance(tag.value, str):
            continue
        own = [gap for gap in gaps if gap.tag in {tag.info.name, EVERY_TAG}]
        label = words.label(tag.info.label, tag.info.name)
        trend = trends[tag.place, tag.info.name]
        charts.append((label, tag.info.unit, draw(trend, own, start_ns, end_ns, words, label, tag.info.decimals)))
    return charts


def _states(pages: Pages, view: MachineView, raw: TagView | None, start_ns: int, end_ns: int) -> list[Run]:
    """Derived states, and where none was told those of the raw tag."""
    on_change = raw is not None and raw.info.name in view.info.tags and raw.info.period_s is None
    begin_ns = start_ns - (_LOOK_BACK_NS if on_change else int(HOLDS_S * NS))
    told: list[Run] = []
    if view.states is not None:
        told = runs(pages.store.points(view.states, CODE, begin_ns, end_ns), begin_ns, end_ns)
    seen = within(told, start_ns, end_ns)
    if raw is None or raw.place is None or not untold(seen, start_ns, end_ns):
        return seen
    values, quality = (
        pages.store.points(raw.place, field, begin_ns, end_ns) for field in (raw.info.name, raw.info.name + QUALITY)
    )
    until_ns = min(end_ns, view.seen_ns or end_ns) if on_change else end_ns
    code, span_ns = view.info.state_code, (begin_ns, max(begin_ns, until_ns))
    return within([*told, *raw_runs(values, quality, code, told, span_ns, on_change=on_change)], start_ns, end_ns)


def _zoom(query: Mapping[str, str]) -> tuple[int, int] | None:
    """The span `from`–`to` (ms since 1970 UTC) as ns, when it is one."""
    texts = query.get("from", ""), query.get("to", "")
    if not all(text.isdecimal() and len(text) <= 13 for text in texts):  # noqa: PLR2004 - more is no time
        return None
    start_ms, end_ms = map(int, texts)
    return (start_ms * 1_000_000, end_ms * 1_000_000) if start_ms < end_ms < _LAST_MS else None


def _raw_state(view: MachineView) -> TagView | None:
    """The tag that says the state itself, as far as the store has it."""
    if view.info.state_map is None:
        return None
    return next((tag for tag in view.tags if tag.info.name == view.info.state_tag and tag.place is not None), None)


def _is_of(gap: StoredGap, view: MachineView) -> bool:
    """Whether a gap is the machine's, or one of everything an agent of its site had."""
    place = gap.place
    if gap.tag == EVERY_TAG:
        return (place.company, place.site) == view.info.key[:2]
    return (place.company, place.site, place.machine) == view.info.key
