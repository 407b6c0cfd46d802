"""Pictures of the pages about all companies, of a hundred made-up ones, for docs/screens/.

    PYTHONPATH=. .venv/bin/python -m tests.viewer.fleet.screens OUT PAGE…

A page is NAME=PATH, for example `fleet=/fleet`; `--dark`, `--width`, `--height`, `--lang` and `--tall` are those of
`tests.viewer.screens`.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from pipelines.sinks.duckdb import DuckDbSink
from tests.set_clock import SetClock
from tests.viewer.one_shop import HOUR, MINUTE, T0
from tests.viewer.screens import add_looks, draw
from tests.viewer.serving import serving
from viewer.access.access import Access
from viewer.access.mode import Mode
from viewer.app import make_app
from viewer.book.book import Book
from viewer.book.companies import Companies
from viewer.book.facts import Facts
from viewer.catalog import Catalog
from viewer.fleet.tiles import TOWNS
from viewer.goals.book import GoalBook
from viewer.goals.model import Baseline, Promise, Whose
from viewer.goals.programme import Programmes
from viewer.reports.programme import Target
from viewer.stores.duckdb import DuckDbStore

MANY: Final = 100
NOW: Final = T0 + 3 * HOUR
_FIRST: Final = ("가온", "나래", "다온", "라온", "마루", "바른", "새한", "아람", "자람", "한빛")
_LAST: Final = ("정밀", "금속", "테크", "산업", "케미칼", "푸드", "소재", "기공", "오토", "세라믹")
_TRADES: Final = ("C25924", "C24112", "C30399", "C10749", "C20119")
_BUSY: Final = ("포항시", "경주시", "구미시", "여수시", "광양시", "순천시", "경산시", "영암군")
NAMES: Final = [first + last for first in _FIRST for last in _LAST]


def site(company: str) -> dict[str, Any]:
    """A press whose state, counter and one value are known."""
    return {
        "company": company,
        "site": "본사",
        "calendar": {"day_start": "08:00", "shifts": [{"name": "주간", "from": "08:00", "to": "20:00"}]},
        "kpis": ["P-UTIL", "DQ-RATE"],
        "machines": {"PRS-01": {"class": "press", "label": {"ko": "프레스 1호기"}, "state": {"tag": "state"}}},
        "connections": [{"name": "c", "machine": "PRS-01", "period_s": 60, "tags": [{"name": "spm"}]}],
    }


def body(n: int, company: str) -> str:
    """What came of a company this morning; of one in twelve nothing for days, of one in nine some, else nearly all."""
    where = f"company={company},site=본사,machine=PRS-01"
    if n % 12 == 0:
        return f"press,{where} spm=1 {T0 - (n % 5 + 1) * 24 * HOUR}"
    lines = []
    for minute in range(180):
        if (minute * 7 + n) % 100 < (30 if n % 9 == 0 else n % 4):
            continue
        at, state = T0 + minute * MINUTE, 4 if (minute // 10 + n) % 17 == 0 else 1
        lines.append(f"press,{where} spm={50 + n % 7} {at + 59 * 10**9}")
        lines.append(f'state,{where} code={state}i,reason="{"" if n % 6 == 1 else "금형 교체"}",since={at}i {at}')
    if n % 11 == 3:
        said = 'active=true,acknowledged=false,priority="urgent",event="raised",state="UNACK"'
        lines.append(f"alarm,{where},alarm=estop {said} {T0 + HOUR}")
    return "\n".join(lines)


def known(access: Access, clock: SetClock) -> None:
    """Facts, goals and a programme."""
    facts = [
        Facts(
            one,
            ksic=_TRADES[n % 5 if n % 13 else 0],
            town=_BUSY[n % 8] if n % 10 < 8 else TOWNS[n % len(TOWNS)],
            size=("micro", "small", "medium")[n % 3],
            level=("basic", "basic", "basic", "middle1")[n % 4],
            coordinator=f"코디네이터{n % 6 + 1}",
        )
        for n, one in enumerate(NAMES)
    ]
    Companies(access.book, clock).put(facts, lambda *_: None)
    goals = GoalBook(access.book, clock)
    for n, one in enumerate(NAMES):
        said = (("P-UTIL", 60.0 + n % 7 * 6, 88.0 + n % 4 * 3), ("DQ-RATE", 1.0, 1.9 + n % 3 * 0.5))
        for code, baseline, target in said[: n % 3]:
            if baseline >= target:
                continue
            promise = Promise(code=code, baseline=Baseline(baseline, "작업일보"), target=target)
            made = goals.propose(Whose(one, "본사"), promise, "담당자", lambda *_: None)
            if n % 5:
                goals.approve(made, "코디네이터1", lambda *_: None)
    for target in (
        Target(name="지원기업", unit="개사", target=160, actual=260, source="2022 성과보고"),
        Target(name="활성기업", unit="개사", target=80, measure="active"),
    ):
        Programmes(access.book, clock).put("스마트공장 보급·확산 2022", target, "", lambda *_: None)


def main() -> None:
    """Draw them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("pages", nargs="+")
    add_looks(parser, height=1000)
    said = parser.parse_args()
    said.out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        sink = DuckDbSink(Path(folder) / "many.duckdb")
        for n, one in enumerate(NAMES):
            asyncio.run(sink.write(one, body(n, one).encode()))
        clock = SetClock(NOW)
        access = Access(Book(), clock, Mode.OPEN)
        known(access, clock)
        app = make_app(DuckDbStore(sink.cursor), Catalog.of([site(one) for one in NAMES]), clock, [], access)
        app.state.fleet.turn(longest_s=1e9)
        with serving(app) as url:
            draw(url, folder, said)
        asyncio.run(sink.close())


if __name__ == "__main__":
    main()
