"""`/battery/{company}/{site}/pack`: every test of a pack, and one of them with its curve, made anew by today's rule."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from threading import BoundedSemaphore
from typing import Final
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from viewer.battery.anew import SAME, Pair, pairs, verdict
from viewer.battery.curve import draw_curve
from viewer.battery.figures import FIGURES, rule_text
from viewer.battery.histogram import draw_steps, kind_class
from viewer.battery.passport import passport
from viewer.battery.record import BatteryTest, StepRow
from viewer.battery.summary import AGREE, grades_of, summary
from viewer.chart import Chart
from viewer.lengths import length
from viewer.query.batteries import Warned, records_of, records_of_pack, steps_of, warned_of
from viewer.query.battery_curve import Anew, TooLongError, made_anew
from viewer.query.incoming import incoming_of
from viewer.query.unit import Unit
from viewer.reports.cell import Language, shown
from viewer.routes.asked import unit_text
from viewer.routes.battery import COLUMNS, Ruled, pack_url, ruled, testing
from viewer.routes.pages import Pages
from viewer.site_info import SiteInfo
from viewer.words import Words

_ONE: Final = BoundedSemaphore(2)
"""A curve has a hundred thousand readings: two are made anew at a time, and whoever comes meanwhile waits."""
_WAIT_S: Final = 5.0
"""Longer, and a few impatient readers would hold every thread of the pages, those of alarms too."""
_DIGITS: Final = 18
"""More are no time, ns, of this century."""


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The test that is shown whole.

    Attributes:
        test: as it was recorded.
        ruled: the rule of today of its cycler.
        anew: made anew; None = it cannot be.
        why: key of the words why it cannot be.
        verdict: key of what comparing says.
        pairs: figures both ways.
        curve: caption, unit and picture.
    """

    test: BatteryTest
    ruled: Ruled
    steps: list[StepRow]
    warned: list[Warned]
    band: Chart
    anew: Anew | None = None
    why: str = ""
    verdict: str = ""
    pairs: tuple[Pair, ...] = ()
    curve: list[tuple[str, str, Chart]] = field(default_factory=list)


def routes(pages: Pages) -> list[BaseRoute]:
    """`/battery/{company}/{site}/pack?id=EV26-2601&test=CYC-01/ch1/1767567600000000000`; "-" is no such level."""
    return [pages.route("/battery/{company}/{site}/pack", _pack, "battery_pack")]


def _pack(pages: Pages, request: Request) -> Response:
    key = tuple("" if request.path_params[one] == "-" else request.path_params[one] for one in ("company", "site"))
    site = next((one for one in pages.sites(request) if one.key == key and testing(one)), None)
    if site is None:
        raise HTTPException(404)
    pack = request.query_params.get("id", "")
    asked = request.query_params.get("test", "")
    tests = records_of_pack(pages.store, testing(site), pack) if pack else _single(pages, site, asked)
    if not tests:
        raise HTTPException(404)
    words, now_ns = pages.words_of(request), pages.clock.now_ns()
    test = next((one for one in tests if one.key == asked), tests[-1])
    chosen = _chosen(pages, site, test, words)
    rules = {one.name: rule for one in testing(site) if (rule := ruled(one).rule)}
    grades = grades_of(tests, rules)
    incoming = incoming_of(pages.store, site, pack)
    language: Language = "en" if words.language == "en" else "ko"
    month = f"{site.calendar.production_day(test.span[0]):%Y-%m}"
    return pages.render(
        request,
        "battery_pack.html",
        now_ns=now_ns,
        site=site,
        unit=unit_text(site, Unit()),
        pack=pack,
        tests=list(reversed(tests)),
        facts=passport(pack, tests, chosen.ruled.rule, incoming),
        made=summary(tests, rules),
        agree=AGREE,
        chosen=chosen,
        same_percent=SAME * 100,
        columns=COLUMNS,
        figures=FIGURES,
        color={grade: kind_class(order, grades) for order, grade in enumerate(grades)},
        shown=lambda cell: shown(cell, language),
        rule_text=rule_text,
        report=urlencode({"unit": unit_text(site, Unit()), "month": month}),
        url=lambda one: pack_url(site, one),
        length=lambda length_ns: length(words, length_ns),
    )


def _single(pages: Pages, site: SiteInfo, text: str) -> list[BatteryTest]:
    """The one test of a pack whose number no tag said."""
    name, _, at = text.partition("/")[0], *text.rpartition("/")[1:]
    machine = next((one for one in testing(site) if one.name == name), None)
    if machine is None or not (at.isascii() and at.isdecimal() and len(at) <= _DIGITS):
        return []
    return [one for one in records_of(pages.store, machine, (int(at), int(at) + 1)) if one.key == text]


def _chosen(pages: Pages, site: SiteInfo, test: BatteryTest, words: Words) -> _Chosen:
    machine = site.machines[test.name]
    rule = ruled(machine)
    end_ns = test.span[1] or pages.clock.now_ns()
    steps = steps_of(pages.store, machine, test.channel, (test.span[0], end_ns))
    warned = warned_of(pages.store, machine, test.channel, (test.span[0], end_ns))
    shown_first = _Chosen(test, rule, steps, warned, draw_steps(steps, test.span[0], end_ns, words))
    if rule.rule is None:
        return replace(shown_first, why="battery_no_rule")
    try:
        if not _ONE.acquire(timeout=_WAIT_S):
            return replace(shown_first, why="battery_busy")
        try:
            anew = made_anew(pages.store, site, test, rule.rule)
        finally:
            _ONE.release()
    except TooLongError:
        return replace(shown_first, why="battery_too_long")
    if anew is None:
        return replace(shown_first, why="battery_not_anew")
    record = anew.record
    if record is None:
        curve = draw_curve(anew.found.samples, (test.span[0], end_ns), words)
        return replace(shown_first, curve=curve, why="battery_not_anew")
    curve = draw_curve(anew.found.samples, (record.start_ns, record.end_ns), words)
    return replace(shown_first, anew=anew, verdict=verdict(test, record), pairs=pairs(test, record), curve=curve)
