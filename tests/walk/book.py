"""What people know of the companies and wrote down: facts, users, goals, a programme, agreements."""

from __future__ import annotations

import math
from datetime import date
from typing import Final

from argon2.profiles import CHEAPEST

from pipelines.calendar import Span
from pipelines.clock import Clock
from pipelines.share.settings import Level
from tests.viewer.browser import PASSWORD
from tests.walk.factories import COMPANIES, Factories
from viewer.access.access import Access
from viewer.access.mode import Mode
from viewer.access.passwords import Passwords
from viewer.access.roles import Role
from viewer.book.book import Book
from viewer.book.companies import Companies
from viewer.book.facts import Facts
from viewer.cluster.agreement import SHAREABLE, Terms
from viewer.cluster.agreements import Agreements
from viewer.goals.book import GoalBook
from viewer.goals.model import Baseline, Promise, Whose
from viewer.goals.programme import Programmes
from viewer.kpi.catalog import CATALOG
from viewer.query.figures import figures_of
from viewer.query.unit import Unit
from viewer.reports.programme import Target
from viewer.site_info import SiteInfo
from viewer.stores.base import Store

MANAGER: Final = "tp-manager"
BUYER: Final = "buyer"
ORDERING: Final = "시범중공업"
"""The customer of every other company."""
SHARED: Final[tuple[Level, ...]] = ("raw", "kpi", "aggregate", "none")
"""What the first line's company shares with the customer, the second's and so on, over again."""
_GOALS: Final = 4
_TOWNS: Final = ("포항시", "구미시", "포항시", "구미시", "포항시", "영암군", "구미시")
_KSIC: Final = ("C25924", "C30399", "C22292", "C20129", "C28202")
_SIZES: Final = ("micro", "small", "small", "medium")
_LEVELS: Final = ("basic", "basic", "middle1", "middle2")


def book_of(factories: Factories, book: Book, clock: Clock, period: Span) -> Access:
    """Users who have to log in, and a book with all of it.

    Args:
        factories: whom it is about.
        book: an empty one.
        clock: what "now" is.
        period: over which goals are measured, ns since 1970 UTC.
    """
    access = Access(book, clock, Mode.LOGIN, passwords=Passwords(CHEAPEST))
    access.users.add(MANAGER, Role.MANAGER, (), access.hash(PASSWORD, MANAGER))
    access.users.add(BUYER, Role.ORDERING, (ORDERING,), access.hash(PASSWORD, BUYER))

    def note(action: str, target: str = "", detail: str = "") -> None:
        access.audit.write(MANAGER, "local", action, target, detail)

    Companies(book, clock).put([_facts(number, COMPANIES[one]) for number, one in enumerate(factories.lines)], note)
    goals = GoalBook(book, clock)
    for site in factories.catalog.sites.values():
        _promise(goals, factories.store, site, period, note)
    for target in (
        Target(name="지원기업수", unit="개사", target=160, actual=260, source="결과보고", as_of=date(2026, 1, 5)),
        Target(name="연결기업수", unit="개사", target=20, measure="connected"),
    ):
        Programmes(book, clock).put("스마트공장 보급·확산 2026", target, MANAGER, note)
    agreements = Agreements(book, clock)
    for number, line in enumerate(factories.lines):
        level = SHARED[number % len(SHARED)]
        terms = Terms(
            level,
            tuple(SHAREABLE) if level != "none" else (),
            compared=True,
            customer=ORDERING,
            since=date(2026, 1, 1),
            consent_by="대표이사",
            consent_on=date(2026, 1, 2),
            basis="데이터 공유 동의서",
        )
        agreements.put(COMPANIES[line], ORDERING, terms, MANAGER, note)
    return access


def _facts(number: int, company: str) -> Facts:
    return Facts(
        company,
        registration=f"1{number:02}-81-*****",
        ksic=_KSIC[number % len(_KSIC)],
        town=_TOWNS[number % len(_TOWNS)],
        size=_SIZES[number % len(_SIZES)],
        programme="정부일반형",
        year="2025",
        project=f"2025_{number:05}",
        level=_LEVELS[number % len(_LEVELS)],
        aim="middle2",
        supplier=("시범시스템", "시범자동화")[number % 2],
        coordinator=("코디네이터-1", "코디네이터-2", "코디네이터-3")[number % 3],
        until="2026-12-31",
        cluster=("기계", "자동차부품")[number % 2],
    )


def _promise(goals: GoalBook, store: Store, site: SiteInfo, period: Span, note: object) -> None:
    """Goals that some figures have reached and some have not."""
    found = [one for one in figures_of(store, site, Unit(), site.kpis, period) if one.value][:_GOALS]
    whose = Whose(site.company, site.name)
    for number, one in enumerate(found):
        of, value = CATALOG[one.code], one.value or 0.0
        better = 1.0 if of.better == "up" else -1.0
        promise = Promise(
            code=one.code,
            baseline=Baseline(value * (1 - better * 0.2), note="작업일보 4주"),
            target=min(value * (1 + better * (0.1 if number % 2 else -0.05)), math.inf if of.most is None else of.most),
            weight=1 / len(found),
        )
        goals.approve(goals.propose(whose, promise, MANAGER, note), MANAGER, note)  # type: ignore[arg-type]
