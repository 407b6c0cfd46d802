"""Suppliers of one ordering company, each with its own secrets and share level; it is the Tuesday, 10:00."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from argon2.profiles import CHEAPEST
from starlette.applications import Starlette

from pipelines.sinks.duckdb import DuckDbSink
from tests.set_clock import SetClock
from tests.viewer.browser import PASSWORD, Browser
from tests.viewer.one_shop import HOUR, MINUTE, SECOND, T0
from viewer.access.access import Access
from viewer.access.mode import Mode
from viewer.access.passwords import Passwords
from viewer.access.roles import Role
from viewer.app import make_app
from viewer.book.book import Book
from viewer.book.companies import Companies
from viewer.book.facts import Facts
from viewer.catalog import Catalog
from viewer.cluster.agreement import Terms
from viewer.cluster.agreements import Agreements
from viewer.entries.model import Entry
from viewer.entries.written import Written, lines_of
from viewer.stores.base import Store
from viewer.stores.duckdb import DuckDbStore

NOW: Final = T0 + 26 * HOUR
TODAY: Final = date(2026, 9, 8)
BEFORE: Final = date(2026, 9, 1)
ORDERING, RIVAL = "한국모터스", "다른모터스"
KPI, AGGREGATE, RAW, NONE, OVER, LATER, RIVALS, NEVER = (
    "지표정밀", "집계정밀", "원시정밀", "비공유정밀", "만료정밀", "나중정밀", "남의정밀", "모름정밀",
)  # fmt: skip
SUPPLIERS: Final = (KPI, AGGREGATE, RAW, NONE, OVER, LATER, RIVALS, NEVER)
CUSTOMER: Final = "한국 모터스 (주)"
CODES: Final = ("P-OEE", "P-LT", "Q-PDR", "D-OTD")
AGREED: Final = {"consent_by": "대표이사", "consent_on": BEFORE, "since": BEFORE}
TERMS: Final = {
    KPI: Terms("kpi", CODES, customer=CUSTOMER, **AGREED),  # type: ignore[arg-type]
    AGGREGATE: Terms("aggregate", CODES, customer=CUSTOMER, **AGREED),  # type: ignore[arg-type]
    RAW: Terms("raw", ("P-OEE",), **AGREED),  # type: ignore[arg-type]
    NONE: Terms("none"),
    OVER: Terms("raw", CODES, until=date(2026, 9, 7), customer=CUSTOMER, **AGREED),  # type: ignore[arg-type]
    LATER: Terms("raw", CODES, customer=CUSTOMER, **{**AGREED, "since": date(2026, 9, 9)}),  # type: ignore[arg-type]
    RIVALS: Terms("raw", CODES, customer=CUSTOMER, **AGREED),  # type: ignore[arg-type]
}


@dataclass(frozen=True)
class Secrets:
    """What of a supplier is found in a page by searching for it; `n` is its number."""

    n: int

    @property
    def machine(self) -> str:
        return f"비밀설비{self.n}"

    @property
    def label(self) -> str:
        return f"비밀 이름 {self.n}"

    @property
    def tag(self) -> str:
        return f"secret_tag_{self.n}"

    @property
    def lot(self) -> str:
        return f"LOT{self.n}SECRET"

    @property
    def lot_number(self) -> int:
        return 98760 + self.n

    @property
    def value(self) -> float:
        """The greatest reading."""
        return 5000.25 + self.n

    @property
    def order(self) -> str:
        return f"OWN-ORDER-{self.n}"

    @property
    def product(self) -> str:
        return f"OWN-PART-{self.n}"

    @property
    def others(self) -> tuple[str, ...]:
        """Never for an ordering company: other customers, who entered what, notes, alarms, agents."""
        return tuple(
            f"{one}{self.n}" for one in ("남의주문", "남의품번", "남의거래처", "작성자", "메모", "경보", "수집기")
        )


SECRETS: Final = {name: Secrets(number) for number, name in enumerate(SUPPLIERS, 1)}


def site_file(company: str) -> dict[str, Any]:
    own = SECRETS[company]
    tags = [{"name": name} for name in (own.tag, "lot", "lot_id", "state")]
    return {
        "company": company,
        "site": "공장",
        "calendar": {"day_start": "08:00", "shifts": [{"name": "주간", "from": "08:00", "to": "16:00"}]},
        "kpis": ["P-OEE", "P-UTIL"],
        "machines": {
            own.machine: {
                "class": "press",
                "label": {"ko": own.label, "en": own.label},
                "state": {"tag": "state"},
                "count": {"total": "shots", "good": "good", "ideal_s": 30},
            },
            f"{own.machine}b": {"class": "press", "state": {"tag": "state"}},
        },
        "connections": [{"name": "c", "machine": own.machine, "period_s": 10, "tags": tags}],
    }


CATALOG: Final = Catalog.of([site_file(one) for one in SUPPLIERS])


def bodies(company: str) -> Iterator[str]:
    """Yesterday's shift, an hour of today, orders of two customers."""
    own = SECRETS[company]
    place = f"company={company},site=공장,machine={own.machine}"
    alarm, agent, author, note = own.others[5], own.others[6], own.others[3], own.others[4]
    for minute in range(480):
        at = T0 + minute * MINUTE
        yield f'state,{place} code={1 if minute % 10 else 4}i,reason="",since={at}i {at}'
        yield f"count,{place} total={1000 + minute}i,good={1000 + minute - minute // 40}i,epoch=0i {at + SECOND}"
    for step in range(360):
        at = NOW - HOUR + step * 10 * SECOND
        value = own.value if step == 100 else 10 + step % 7
        yield f'press,{place} {own.tag}={value},lot="{own.lot}",lot_id={own.lot_number}i,state=1i {at}'
    yield f'alarm,{place},alarm={alarm} active=true,state="UNACK",event="raised",priority="urgent" {NOW - MINUTE}'
    yield f"agent,company={company},site=공장,machine={agent} connections=1i,connected=1i {NOW - SECOND}"
    for number, (customer, order, product, shipped) in enumerate(
        (
            (CUSTOMER, own.order, own.product, T0 + 3 * HOUR),
            ("한국모터스(주)", f"{own.order}L", own.product, T0 + 9 * HOUR),
            (CUSTOMER, f"{own.order}W", own.product, None),
            (own.others[2], own.others[0], own.others[1], T0 + 2 * HOUR),
        )
    ):
        at = T0 - HOUR + number
        said: dict[str, Any] = {
            "id": f"{number:08x}-0000-4000-8000-{own.n:012x}",
            "kind": "order",
            "order": order,
            "author": author,
        }
        said |= {"product": product, "customer": customer, "note": note, "confirmed": T0 - 48 * HOUR, "value": 120.0}
        said |= {"start": T0, "due": T0 + 6 * HOUR, "end": T0 + 2 * HOUR, "shipped": shipped}
        yield lines_of(Written(Entry.model_construct(**said), company, "공장", at, at, "web")).body.decode().strip()


def written(folder: Path) -> tuple[DuckDbSink, Store]:
    """The store of all of them."""
    sink = DuckDbSink(folder / "cluster.duckdb")
    for company in SUPPLIERS:
        asyncio.run(sink.write(company, "\n".join(bodies(company)).encode()))
    return sink, DuckDbStore(sink.cursor)


def filled(clock: SetClock) -> Access:
    """A user of every kind, facts and agreements."""
    access = Access(Book(), clock, Mode.AUTO, passwords=Passwords(CHEAPEST))
    for name, role, scope in (
        ("boss", Role.MANAGER, ()),
        ("order", Role.ORDERING, (ORDERING,)),
        ("rival", Role.ORDERING, (RIVAL,)),
        ("fake", Role.ORDERING, (KPI, AGGREGATE, RAW)),
        ("own", Role.COMPANY, (KPI,)),
        ("other", Role.COMPANY, (RAW,)),
        ("maker", Role.SUPPLIER, (KPI,)),
        ("coord", Role.COORDINATOR, (KPI, RAW)),
        ("reader", Role.READER, (KPI,)),
    ):
        access.users.add(name, role, scope, access.hash(PASSWORD, name))
    Companies(access.book, clock).put([Facts(one, cluster="자동차부품") for one in (*SUPPLIERS, ORDERING)], quiet)
    agreements = Agreements(access.book, clock)
    for supplier, terms in TERMS.items():
        agreements.put(supplier, RIVAL if supplier == RIVALS else ORDERING, terms, "own", quiet)
    return access


def quiet(action: str, target: str = "", detail: str = "") -> None:
    """Tells nobody."""


def pages_of(store: Store, access: Access, clock: SetClock) -> Starlette:
    """The pages over it."""
    return make_app(store, CATALOG, clock, [], access)


def logged_in(app: Starlette, name: str) -> Browser:
    """A user's browser."""
    browser = Browser(app)
    browser.log_in(name)
    return browser
