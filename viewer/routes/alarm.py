"""`/alarm`: one alarm, its life, who did what, and the forms to acknowledge, shelve and unshelve it.

What is ordered here the agent decides (`viewer.operate`). The page shows what it answered, and below that what was
stored later; never a state that nobody told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final, get_args

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from pipelines.errors import OrderRefused
from pipelines.orders import MOST_COMMENT, Action, AlarmOrder
from pipelines.settings import first_fault
from viewer.access.current import require, visit
from viewer.access.roles import Permission
from viewer.kpi.period import NAMED
from viewer.lengths import length
from viewer.operate.model import Given, fresh_id
from viewer.query.alarm_life import Life, life_of
from viewer.query.alarm_list import LOOK_BACK_NS, SHELVED, WAITING, AlarmKey
from viewer.query.unit import Unit
from viewer.routes.alarm_names import AlarmNames, alarm_url
from viewer.routes.asked import CUSTOM, Asked, asked, find_unit, unit_text
from viewer.routes.entry_form import AUTHOR, author_of, remember
from viewer.routes.pages import Pages
from viewer.site_info import SiteInfo

MINUTES: Final = (15, 30, 60, 120, 240, 480, 1440)
"""How long an alarm may be shelved here."""
REFRESH_S: Final = 10
_MOST_ROWS: Final = 300
_MOST_ORDERS: Final = 5
_NO_STATE: Final = "NORM"
_RECENT: Final = "recent"


@dataclass(frozen=True, slots=True)
class _Trouble:
    """Why a form was not sent on, and what stood in it."""

    word: str
    action: str = ""
    comment: str = ""


def routes(pages: Pages) -> list[BaseRoute]:
    """`/alarm?unit=company/site/-/-&alarm=MACHINE/NAME`, and the forms of `/alarm/order`."""
    return [
        pages.route("/alarm", _alarm, "alarm"),
        pages.route("/alarm/order", _order, "alarm_order", ("POST",)),
    ]


def _which(pages: Pages, request: Request) -> tuple[SiteInfo, AlarmKey]:
    """The alarm of an address.

    Raises:
        HTTPException: 404, whoever asks sees no such machine.
    """
    found = find_unit(request.query_params.get("unit", ""), pages.sites(request))
    machine, _, name = request.query_params.get("alarm", "").partition("/")
    if found is None or machine not in found[0].machines or not name:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return found[0], (machine, name)


def _alarm(pages: Pages, request: Request) -> Response:
    require(Permission.VIEW)
    return _drawn(pages, request, *_which(pages, request))


def _drawn(pages: Pages, request: Request, site: SiteInfo, key: AlarmKey, trouble: _Trouble | None = None) -> Response:
    now_ns, words = pages.clock.now_ns(), pages.words_of(request)
    of = _period(request, site, now_ns)
    since_ns = min(of.period[0], now_ns - LOOK_BACK_NS)
    life = life_of(pages.store, site, key, (since_ns, now_ns + 1))
    names = AlarmNames(site, words)
    if not names.ours(key) and not life.steps:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    steps = [one for one in life.steps if of.period[0] <= one.time_ns <= of.period[1]]
    author, typed = author_of(request)
    may = require(Permission.VIEW).may(Permission.OPERATE)
    desk, alarm = pages.operate, "/".join(key)
    given = desk.of(site.key, alarm) if desk else []
    return pages.render(
        request,
        "alarm.html",
        200 if trouble is None else HTTPStatus.UNPROCESSABLE_ENTITY,
        now_ns=now_ns,
        of=of,
        periods=(_RECENT, *NAMED, CUSTOM),
        unit=unit_text(site, Unit()),
        key=key,
        names=names,
        life=life,
        state=life.standing.state if life.standing else _NO_STATE,
        came=sum(of.period[0] <= one.raised_ns < of.period[1] for one in life.occurrences),
        steps=list(reversed(steps))[:_MOST_ROWS],
        count=len(steps),
        may=may,
        reaches=desk is not None and desk.reaches(site.key, alarm),
        offers=_offers(_newest(life, given), safety=names.safety(key)),
        minutes=MINUTES,
        given=given[:_MOST_ORDERS],
        trouble=trouble,
        id=fresh_id(),
        author=author,
        typed=typed,
        most_comment=MOST_COMMENT,
        order_url=alarm_url(site, key, "/alarm/order"),
        back=f"/alarms?unit={unit_text(site, Unit())}",
        length=lambda length_ns: length(words, length_ns),
        refresh_s=REFRESH_S,
    )


def _period(request: Request, site: SiteInfo, now_ns: int) -> Asked:
    """The period that is asked for; else as far back as an alarm that stands is looked for."""
    of = asked(request, site, Unit(), now_ns, default=_RECENT)
    if request.query_params.get("period", _RECENT) != _RECENT:
        return of
    since_ns = now_ns - LOOK_BACK_NS
    return replace(of, name=_RECENT, period=(since_ns, now_ns), first=site.calendar.production_day(since_ns))


def _newest(life: Life, given: Sequence[Given]) -> str:
    """The state that was told last: stored, or answered by the agent and not stored yet."""
    told = [(one.answer.at_ns, one.answer.state) for one in given if one.answer and one.answer.state]
    stored_ns = life.steps[-1].time_ns if life.steps else 0
    at_ns, state = max(told, default=(0, ""))
    return state if at_ns > stored_ns else life.standing.state if life.standing else _NO_STATE


def _offers(state: str, *, safety: bool) -> list[Action]:
    """What may be done, by what was told last; the agent decides by what it knows."""
    if state == SHELVED:
        return ["unshelve"]
    offers: list[Action] = ["acknowledge"] if state in WAITING else []
    return offers if safety else [*offers, "shelve"]


def _order(pages: Pages, request: Request) -> Response:
    require(Permission.OPERATE)
    site, key = _which(pages, request)
    desk, form, alarm = pages.operate, visit().form, "/".join(key)
    if desk is None or not desk.reaches(site.key, alarm):
        raise HTTPException(HTTPStatus.CONFLICT, "alarm_unreached")
    author, typed = author_of(request)
    author = form.get(AUTHOR).strip() if typed else author
    action, comment = form.get("action"), form.get("comment").strip()
    if action not in get_args(Action):
        raise HTTPException(HTTPStatus.BAD_REQUEST)
    minutes = form.get("minutes") if action == "shelve" else "0"
    word = _wrong(action, author, comment, minutes)
    if word:
        return _drawn(pages, request, site, key, _Trouble(word, action, comment))
    try:
        order = AlarmOrder(
            id=form.get("id"),
            sent_ns=desk.clock.now_ns(),
            action=action,
            alarm=alarm,
            by=author,
            comment=comment,
            for_s=int(minutes) * 60,
        )
    except ValidationError as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, first_fault(error)) from error
    target = f"{site.company}/{site.name}/{alarm}"
    visit().note("alarm_order", target, f"{action} {order.id}" + (f" {minutes} min" if action == "shelve" else ""))
    try:
        given = desk.give_now(site.key, order)
    except OrderRefused as error:
        visit().note("alarm_answer", target, f"{order.id} {error.why}")
        return _drawn(pages, request, site, key, _Trouble(error.why, action, comment))
    visit().note("alarm_answer", target, f"{order.id} {said_of(given)}")
    answer = RedirectResponse(alarm_url(site, key) + "#orders", HTTPStatus.SEE_OTHER)
    return remember(answer, author) if typed else answer


def _wrong(action: str, author: str, comment: str, minutes: str) -> str:
    """The word for what is wrong with a form; empty when all is well."""
    if not author:
        return "no_name"
    if action == "shelve" and minutes not in {str(one) for one in MINUTES}:
        return "too_long"
    if len(comment) > MOST_COMMENT:
        return "comment"
    return "no_comment" if action == "shelve" and not comment else ""


def said_of(given: Given) -> str:
    """What is known of an order, for the audit log: its fate, and the word for why."""
    why = given.answer.why if given.answer else given.trouble
    return f"{given.fate} {why}".strip()
