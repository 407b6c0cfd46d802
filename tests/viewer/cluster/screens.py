"""Pictures of the pages of a digital cluster, for docs/screens/: seven made-up suppliers of one company, eight days.

    PYTHONPATH=. .venv/bin/python -m tests.viewer.cluster.screens OUT USER NAME=PATH…

Users: `order` (the ordering company), `own` (of the first supplier), `boss` (the programme). Options are those of
`tests.viewer.screens`.
"""

from __future__ import annotations

import argparse
import asyncio
import math
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from argon2.profiles import CHEAPEST

from pipelines.sinks.duckdb import DuckDbSink
from tests.set_clock import SetClock
from tests.viewer.browser import PASSWORD, Browser
from tests.viewer.one_shop import HOUR, MINUTE, SECOND, T0
from tests.viewer.screens import add_looks, draw
from tests.viewer.serving import serving
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
from viewer.stores.duckdb import DuckDbStore

DAY: Final = 24 * HOUR
NOW: Final = T0 + 8 * DAY + 3 * HOUR
ORDERING: Final = "한국모터스"
ALL: Final = ("P-OEE", "P-LT", "Q-PDR", "C-KWH", "D-OTD")
SUPPLIERS: Final = ("경주정공", "영천프레스", "경산금형", "구미정밀", "포항열처리", "칠곡도금", "대구다이캐스팅")
_AGREED: Final[dict[str, Any]] = {
    "customer": ORDERING, "since": date(2026, 9, 1), "consent_by": "대표이사", "consent_on": date(2026, 8, 28),
}  # fmt: skip
TERMS: Final = (
    Terms("aggregate", ALL, until=date(2026, 12, 31), basis="데이터 공유 동의서 2026-03", **_AGREED),
    Terms("kpi", ALL, until=date(2027, 8, 31), **_AGREED),
    Terms("raw", ALL, **_AGREED),
    Terms("kpi", ("P-OEE", "D-OTD"), **_AGREED),
    Terms("none", since=date(2026, 9, 1)),
    Terms("kpi", ALL, until=date(2026, 9, 11), **_AGREED),
    Terms("kpi", ALL, **{**_AGREED, "since": date(2026, 10, 1)}),
)


def site(company: str) -> dict[str, Any]:
    tags = [
        {"name": "spm", "label": {"ko": "분당 타수", "en": "Strokes a minute"}, "engineering_unit": "spm"},
        {"name": "ton_peak", "label": {"ko": "최대 하중", "en": "Peak load"}, "engineering_unit": "t", "scale": 0.1},
        {"name": "oil_t", "label": {"ko": "유온", "en": "Oil temperature"}, "engineering_unit": "℃", "scale": 0.1},
        {"name": "lot_id", "label": {"ko": "로트 번호", "en": "Lot"}},
    ]
    press = {"class": "press", "label": {"ko": "프레스 1호기", "en": "Press 1"}, "state": {"tag": "state"}}
    return {
        "company": company,
        "site": "1공장",
        "line": "프레스라인",
        "calendar": {"day_start": "08:00", "shifts": [{"name": "주간", "from": "08:00", "to": "17:00"}]},
        "machines": {
            "PRS-01": {
                **press,
                "count": {"total": "shots", "good": "good", "ideal_s": 30},
                "energy": {"kwh": "MTR-01/kwh", "covers": "line"},
            },
            "MTR-01": {"class": "meter", "label": {"ko": "전력량계", "en": "Power meter"}},
        },
        "connections": [{"name": "c", "machine": "PRS-01", "period_s": 10, "tags": tags}],
    }


def bodies(number: int, company: str) -> Iterator[str]:
    """Eight days by the minute, of which people work nine hours; readings of the last night and morning; orders."""
    place = f"company={company},site=1공장,line=프레스라인,machine=PRS-01"
    total = 0
    for minute in range((NOW - T0) // MINUTE):
        at, day = T0 + minute * MINUTE, minute // 1440
        works = minute % 1440 < 540 and day % 7 < 5
        down = (minute * 7 + day * 13 + number * 5) % 100 < 6 + 3 * number
        total += (2 - (minute % 11 == 0)) if works and not down else 0
        code = (4 if down else 1) if works else 7
        yield f'state,{place} code={code}i,reason="",since={at}i {at}'
        yield f"count,{place} total={total}i,good={total - total // (90 - 11 * number)}i,epoch=0i {at + SECOND}"
        if not minute % 60:
            kwh = 38 + number + minute % 7 if works else 3
            yield f"energy,{place},per=hour kwh={kwh},cover=100,demand_kw=50 {at}"
    late = 2 * HOUR if number == 1 else 0
    for step in range(9 * 360):
        at = NOW - late - (9 * 360 - step) * 10 * SECOND
        ton, oil = 125 + 3 * math.sin(step / 97) + math.sin(step / 3), 48 + 6 * math.sin(step / 800)
        spm = 52 + round(3 * math.sin(step / 61))
        yield f"press,{place} spm={spm}i,ton_peak={ton:.1f},oil_t={oil:.1f},lot_id=7i {at}"
    for order in range(8):
        due = T0 + (order + 1) * DAY + 9 * HOUR
        shipped = due + ((order * 5 + number * 3) % 14 - 9) * HOUR
        said = {"id": f"{order:08x}-0000-4000-8000-{number:012x}", "kind": "order", "author": "생산관리"}
        said |= {"order": f"PO-26-{410 + order * 3 + number}", "product": f"BRK-{20 + order % 3}", "customer": ORDERING}
        said |= {"value": 1200.0 + 200 * order, "confirmed": due - 9 * DAY, "due": due}
        said |= {"start": due - 3 * DAY - number * 5 * HOUR} if due - 3 * DAY < NOW else {}
        said |= {"end": due - 12 * HOUR} if due - 12 * HOUR < NOW else {}
        said |= {"shipped": shipped} if shipped < NOW and order < 7 else {}
        written = Written(Entry.model_construct(**said), company, "1공장", T0 + order, T0, "web")
        yield lines_of(written).body.decode().strip()


def main() -> None:
    """Draw them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("user", choices=("order", "own", "boss"))
    parser.add_argument("pages", nargs="+")
    add_looks(parser, height=720)
    said = parser.parse_args()
    said.out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        sink = DuckDbSink(Path(folder) / "cluster.duckdb")
        for number, company in enumerate(SUPPLIERS):
            asyncio.run(sink.write(company, "\n".join(bodies(number, company)).encode()))
        clock = SetClock(NOW)
        access = Access(Book(), clock, Mode.AUTO, passwords=Passwords(CHEAPEST))
        for name, role, scope in (
            ("order", Role.ORDERING, (ORDERING,)),
            ("own", Role.COMPANY, SUPPLIERS[:1]),
            ("boss", Role.MANAGER, ()),
        ):
            access.users.add(name, role, scope, access.hash(PASSWORD, name))
        facts = [Facts(one, cluster="자동차부품", town="경산시") for one in SUPPLIERS]
        Companies(access.book, clock).put(facts, lambda *_: None)
        for company, terms in zip(SUPPLIERS, TERMS, strict=True):
            Agreements(access.book, clock).put(company, ORDERING, terms, "own", lambda *_: None)
        app = make_app(DuckDbStore(sink.cursor), Catalog.of([site(one) for one in SUPPLIERS]), clock, [], access)
        app.state.fleet.turn(longest_s=1e9)
        browser = Browser(app, base="http://127.0.0.1")
        browser.log_in(said.user)
        with serving(app) as url:
            draw(url, folder + "/profile", said, browser.cookies)
        asyncio.run(sink.close())


if __name__ == "__main__":
    main()
