"""Figures of a supplier as an ordering company gets them: of days that are over, of its own orders, without readings.

They are computed by `viewer.kpi` from everything the store has; what is told of them is what the level lets through
(`told`). Periods are whole production days that are over: of a figure that grows, two that differ tell what came
between.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from pipelines.calendar import Calendar, Span
from pipelines.share.settings import Level
from viewer.access.scope import ScopedStore
from viewer.access.users import plain
from viewer.cluster.agreement import OF_ORDERS
from viewer.entries.read import Context, entries_of
from viewer.kpi import words
from viewer.kpi.figure import figure
from viewer.kpi.period import days, month
from viewer.kpi.result import Evidence, Result, missing
from viewer.kpi.words import Text
from viewer.query.figures import BEYOND_HOLIDAYS, NO_CALENDAR, WHOLE_LINE, remarked
from viewer.query.inputs import inputs_of
from viewer.query.needs import needs
from viewer.query.unit import Unit
from viewer.site_info import SiteInfo
from viewer.stores.base import Store

PERIODS: Final = ("days7", "days30", "yesterday", "last_month")
"""Of whole production days that are over; the first one unless somebody asks for another."""
_DAYS: Final = {"days7": 7, "days30": 30, "yesterday": 1}

OWN_ORDERS: Final = Text("이 발주기업의 주문만", "orders of this ordering company alone")
NO_CUSTOMER: Final = Text("협력사가 쓰는 거래처명이 정해지지 않음", "the supplier's name for this customer is not set")
NO_ORDERS: Final = Text("이 발주기업의 주문 입력 없음", "no orders of this ordering company were entered")
NOT_YET: Final = Text("공유 시작일 이후 끝난 생산일 없음", "no production day has ended since the sharing began")
REST_NOT_SHARED: Final = Text("세부 비고는 공유되지 않음", "a further remark is not shared")

_SAFE: Final = frozenset(
    {
        OWN_ORDERS, NO_CALENDAR, WHOLE_LINE, BEYOND_HOLIDAYS, words.CHECK_IDEAL, words.MUCH_UNKNOWN, words.UNVERIFIED,
        words.FEW_SAMPLES,
    }
)  # fmt: skip
_COUNTED: Final = re.compile(re.escape(words.SUMMED.en).replace(r"\{\}", r"\d+"))


def over(calendar: Calendar, name: str, now_ns: int) -> Span:
    """A period of production days that are over, by its name.

    Raises:
        ValueError: it is none of `PERIODS`.
    """
    today = calendar.production_day(now_ns)
    if name == "last_month":
        before = today.replace(day=1) - timedelta(days=1)
        return month(calendar, before.year, before.month)
    if name not in _DAYS:
        msg = f"{name!r} is none of {', '.join(PERIODS)}"
        raise ValueError(msg)
    return days(calendar, today - timedelta(days=_DAYS[name]), today - timedelta(days=1))


def is_of(context: Context, customer: str) -> bool:
    """Whether an order is of the customer that a supplier calls so; case and spaces do not count."""
    return context.kind == "order" and bool(customer) and _folded(context.said.customer) == _folded(customer)


def computed(
    store: Store, site: SiteInfo, codes: Sequence[str], period: Span, customer: str | None = None
) -> list[Result]:
    """Figures of a supplier's site, by their codes.

    Args:
        store: everything.
        site: of the supplier.
        codes: of the catalogue.
        period: start and end, ns since 1970 UTC; it is over.
        customer: whose orders those of `OF_ORDERS` are made of, as the supplier calls it; None = everybody's.

    Raises:
        DependencyError: the store cannot be reached.
    """
    own = ScopedStore(store, frozenset({site.company}))
    if period[0] >= period[1]:
        return [missing(code, Evidence(period=(period[0], period[0]), samples=0), NOT_YET) for code in codes]
    inputs = inputs_of(own, site, Unit(), period, parts=needs(codes))
    found = {
        code: remarked(figure(code, inputs), inputs, site, Unit())
        for code in codes
        if customer is None or code not in OF_ORDERS
    }
    asked = [code for code in codes if code not in found]
    if asked:
        contexts = entries_of(own, site.key, period).contexts
        orders = [one.times for one in contexts if is_of(one, customer or "")]
        why = NO_CUSTOMER if not customer else NO_ORDERS if not orders else None
        for code in asked:
            one = figure(code, replace(inputs, orders=orders))
            if one.value is None:
                found[code] = one if why is None else replace(one, why=why)
            else:
                found[code] = replace(one, notes=(*one.notes, OWN_ORDERS))
    return [found[code] for code in codes]


def told(result: Result, level: Level) -> Result:
    """What of a figure a level lets through: at `kpi` neither the numbers it was made of, nor names in remarks.

    Samples of a defect rate are pieces: of them the first digit alone is told, except of the reader's own orders.
    """
    if level in {"aggregate", "raw"}:
        return result
    notes = tuple(one for one in result.notes if _safe(one))
    if len(notes) < len(result.notes):
        notes = (*notes, REST_NOT_SHARED)
    evidence = replace(result.evidence, left_out=(), seen_ns=None)
    if result.code not in OF_ORDERS:
        rounded = _first_digit(evidence.samples)
        evidence = replace(evidence, samples=rounded, at_least=rounded > 9)  # noqa: PLR2004 - one digit is all of it
    return replace(result, parts=(), notes=notes, evidence=evidence)


def _first_digit(count: int) -> int:
    text = str(count)
    return int(text[0] + "0" * (len(text) - 1))


def _safe(note: Text) -> bool:
    return note in _SAFE or _COUNTED.fullmatch(note.en) is not None


def _folded(text: str) -> str:
    return "".join(plain(text).casefold().split())
