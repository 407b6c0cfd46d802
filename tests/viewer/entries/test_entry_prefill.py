"""What a form says already."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from pipelines.derive.signals import DOWN, RUN
from pipelines.sinks.duckdb import DuckDbSink
from tests.viewer.entries.said import KEY, NOW_NS, STOP, entry, written
from viewer.catalog import Catalog
from viewer.entries.prefill import open_stops, running, shift_now
from viewer.entries.read import contexts
from viewer.entries.times import moment_ns
from viewer.entries.written import Written
from viewer.site_info import SiteInfo
from viewer.stores.base import Latest, Place
from viewer.stores.duckdb import DuckDbStore

MINUTE = 60 * 10**9
CALENDAR = {
    "day_start": "08:00",
    "shifts": [{"name": "주간", "from": "08:00", "to": "20:00"}, {"name": "야간", "from": "20:00", "to": "08:00"}],
    "breaks": ["10:00-10:10"],
    "days": [0, 1, 2, 3, 4, 5, 6],
}


def site(**more: Any) -> SiteInfo:
    file = {"company": KEY[0], "site": KEY[1], "line": "프레스라인", **more}
    file["machines"] = {"PRS-01": {"class": "press", "state": {"tag": "s"}}, "MTR": {"class": "meter"}}
    (found,) = Catalog.of([file]).sites.values()
    return found


def told(at_ns: int, code: int) -> str:
    tags = f"company={KEY[0]},site={KEY[1]},line=프레스라인,machine=PRS-01"
    return f'state,{tags} code={code}i,reason="" {at_ns}\n'


def test_stops_are_asked_about_in_working_time_alone(tmp_path: Path) -> None:
    ten = moment_ns("2026-11-20 10:00")
    now_ns = ten + 60 * MINUTE
    sink = DuckDbSink(tmp_path / "a.duckdb")
    codes = [(at, DOWN if -7 <= at < 17 or at >= 40 else RUN) for at in range(-60, 61)]
    asyncio.run(sink.write(KEY[0], "".join(told(ten + at * MINUTE, code) for at, code in codes).encode()))
    store = DuckDbStore(sink.cursor)
    with_break = site(calendar=CALENDAR)
    found = open_stops(store, with_break, [], now_ns)
    assert [(one.start_ns, one.end_ns, one.length_ns // MINUTE) for one in found] == [
        (ten + 40 * MINUTE, None, 20),
        (ten + 10 * MINUTE, ten + 17 * MINUTE, 7),
        (ten - 7 * MINUTE, ten, 7),
    ], "the break at ten is nobody's loss"
    assert len(open_stops(store, site(calendar=CALENDAR, entry={"least_stop_s": 600}), [], now_ns)) == 1
    said = entry(STOP).model_copy(update={"start": ten + 40 * MINUTE, "end": None})
    assert len(open_stops(store, with_break, [written(said)], now_ns)) == 2
    assert open_stops(store, with_break, [], now_ns + 3 * 24 * 60 * MINUTE) == []
    asyncio.run(sink.close())


def one(kind: str, at: int, **said: Any) -> Written:
    return written(entry({"kind": kind, "author": "김", **said}), NOW_NS + at)


def newest(field: str, value: Any, status: int = 0) -> Latest:
    return Latest(Place(*KEY, "프레스라인", "PRS-01", "press"), field, value, NOW_NS, status, NOW_NS)


def test_what_runs_now_is_what_the_machine_says_before_what_people_said() -> None:
    said = contexts(
        [
            one("order", 0, order="A-1", product="P-1", start="2026-11-22 08:00"),
            one("order", 1, order="A-0", product="P-0", start="2026-11-21 08:00", end="2026-11-21 09:00"),
            one("order", 2, order="A-2", start="2026-11-25 08:00"),
            one("lot", 3, lot="L-1", machine="PRS-01", start="2026-11-22 09:00"),
            one("lot", 4, lot="L-2", machine="PRS-02", start="2026-11-22 09:00"),
        ]
    )
    assert running([], said, "PRS-01", NOW_NS) == {"order": "A-1", "product": "P-1", "lot": "L-1"}
    assert running([], said, "", NOW_NS) == {"order": "A-1", "product": "P-1"}
    latest = [newest("product_code", 1180), newest("lot_id", "", 0)]
    assert running(latest, said, "PRS-01", NOW_NS)["product"] == "1180"
    assert running(latest, said, "PRS-02", NOW_NS)["product"] == "P-1"
    stored = [newest("product_code", 1180.0), newest("lot_id", 26112301.0)]
    assert running(stored, [], "PRS-01", NOW_NS) == {"product": "1180", "lot": "26112301"}
    assert running([newest("product_code", 11.5)], [], "PRS-01", NOW_NS) == {"product": "11.5"}
    assert running([newest("product_code", 1180, 0x8031_0000)], said, "PRS-01", NOW_NS)["product"] == "P-1"


def test_the_shift_that_is_on() -> None:
    calendar = site(calendar=CALENDAR).calendar
    night = (moment_ns("2026-11-20 20:00"), moment_ns("2026-11-21 08:00"))
    assert shift_now(calendar, moment_ns("2026-11-21 03:00")) == night
    assert shift_now(calendar, moment_ns("2026-11-20 10:05")) == (moment_ns("2026-11-20 08:00"), night[0])
    off = site(calendar={**CALENDAR, "days": [0]}).calendar
    assert shift_now(off, moment_ns("2026-11-20 10:05")) is None
