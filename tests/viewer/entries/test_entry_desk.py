"""What was told to be saved is stored, whatever happens; what comes twice is stored once."""

from __future__ import annotations

import asyncio
import base64
import functools
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from agent.entering import Importing
from pipelines.delivery.mqtt_settings import MqttSettings
from pipelines.errors import JournalError
from pipelines.sinks.duckdb import DuckDbSink
from tests.pipelines.waiting import until
from tests.services.mosquitto import Mosquitto
from tests.viewer.entries.desks import desk_at, running, store_behind, stored
from tests.viewer.entries.said import DEFECT, KEY, SITE, STOP, entry, written
from viewer.catalog import Catalog
from viewer.entries import desk as module
from viewer.entries.book import Book
from viewer.entries.desk import EntryDesk
from viewer.entries.model import fresh_id
from viewer.entries.read import entries_of, written_in
from viewer.entries.table import read_table
from viewer.entries.times import moment_ns
from viewer.entries.written import Written, lines_of
from viewer.query.downtime import downtime
from viewer.stores.duckdb import DuckDbStore

pytestmark = pytest.mark.wire
FOR_EVER = (0, 2**62)
PLANT = {
    "company": KEY[0],
    "site": KEY[1],
    "machines": {"PRS-01": {"class": "press", "line": "L", "state": {"tag": "s"}}},
    "entry": {"stop_reasons": {"die": {"ko": "금형 교체"}}},
}
ROOT = Path(__file__).parents[3]


async def test_saved_while_broker_and_store_are_away_and_stored_when_they_are_back(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "broker")
    async with desk_at(tmp_path / "desk", broker) as desk:
        first = await desk.save(KEY, [entry()], "web")
        second = await desk.save(KEY, [entry(STOP), entry(value="7")], "web")
        assert desk.queued(KEY) == 3
        assert any("mqtt://" in one for one in desk.troubles(KEY))
    async with desk_at(tmp_path / "desk", broker) as desk:
        await until(lambda: desk.queued(KEY) == 3)
        with broker:
            async with store_behind(broker, tmp_path / "a.duckdb") as store:
                await until(lambda: len(stored(store)) == 3 and desk.queued(KEY) == 0)
                assert stored(store) == [*first, *second]
                await until(lambda: not desk.troubles(KEY))
                found = entries_of(store, KEY, FOR_EVER)
                assert [one.entry.reason for one in found.stops] == ["die"]
                assert [one.entry.value for one in found.defects] == [3.0, 7.0]


async def test_a_reason_goes_from_the_form_to_the_downtime_of_the_machine(tmp_path: Path) -> None:
    """By way of broker, bridge and store; the states are as they were measured."""
    (site,) = Catalog.of([PLANT]).sites.values()
    day = (moment_ns("2026-11-20 08:00"), moment_ns("2026-11-20 10:00"))
    states = (
        f'state,company={KEY[0]},site={KEY[1]},line=L,machine=PRS-01 code={4 if 30 <= at < 60 else 1}i,reason="" '
        f"{day[0] + at * 60 * 10**9}\n"
        for at in range(120)
    )
    with Mosquitto(tmp_path / "broker") as broker:
        async with desk_at(tmp_path / "desk", broker) as desk, store_behind(broker, tmp_path / "a.duckdb") as store:
            sink = DuckDbSink(tmp_path / "states.duckdb")
            await sink.write(KEY[0], "".join(states).encode())
            before = downtime(DuckDbStore(sink.cursor), site, site.machines["PRS-01"], day)
            assert before.without_reason == 100
            said = {**STOP, "id": fresh_id(), "start": "2026-11-20 08:30", "end": "2026-11-20 08:45"}
            await desk.save(KEY, [desk.check(KEY, said)], "web")
            await until(lambda: stored(store))
            await sink.write(KEY[0], b"".join(lines_of(one).body for one in stored(store)))
            after = downtime(DuckDbStore(sink.cursor), site, site.machines["PRS-01"], day)
            assert after.without_reason == 50
            assert after.times == before.times
            assert [one.reason for one in after.stops] == ["", "금형 교체 (수기)"]
            await sink.close()


async def test_a_kill_right_after_saved_loses_nothing(tmp_path: Path) -> None:
    broker, name = Mosquitto(tmp_path / "broker"), fresh_id()
    command = [
        sys.executable,
        str(Path(__file__).with_name("killed.py")),
        str(tmp_path / "desk"),
        str(broker.port),
        name,
    ]
    for _ in range(2):  # the person does not know that it was saved, and taps again
        done = await asyncio.to_thread(
            subprocess.run, command, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False, timeout=60
        )
        assert done.returncode == -signal.SIGKILL
    with broker:
        async with desk_at(tmp_path / "desk", broker) as desk, store_behind(broker, tmp_path / "a.duckdb") as store:
            await until(lambda: stored(store) and desk.queued(KEY) == 0)
            assert [one.id for one in stored(store)] == [name]


async def test_a_double_tap_is_stored_once(tmp_path: Path) -> None:
    one = entry()
    with Mosquitto(tmp_path / "broker") as broker:
        async with desk_at(tmp_path / "desk", broker) as desk, store_behind(broker, tmp_path / "a.duckdb") as store:
            both = await asyncio.gather(*(desk.save(KEY, [one], "web") for _ in range(2)))
            altered = await desk.save(KEY, [one.model_copy(update={"value": 9.0})], "web")
            assert both[0] == both[1] == altered
            await until(lambda: stored(store) and desk.queued(KEY) == 0)
            assert stored(store) == both[0]


async def test_no_two_have_the_same_time_and_each_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even on a clock that stands still, over a restart, in one file of many rows."""
    with Mosquitto(tmp_path / "broker") as broker:
        async with store_behind(broker, tmp_path / "a.duckdb") as store:
            taken = []
            for _ in range(2):
                async with desk_at(tmp_path / "desk", broker) as desk:
                    monkeypatch.setattr(desk, "clock", Still())
                    taken += await desk.save(KEY, [entry(value=str(number)) for number in range(50)], "csv")
                    taken += await desk.save(KEY, [entry(STOP)], "web")
                    await until(lambda: desk.queued(KEY) == 0)
            assert len({one.time_ns for one in taken}) == len(taken) == 102
            await until(lambda: len(stored(store)) == 102)
            assert {one.id for one in stored(store)} == {one.id for one in taken}


class Still:
    rate = 1.0

    def now_ns(self) -> int:
        return 1_795_316_400_000_000_000

    def monotonic_s(self) -> float:
        return 0.0


async def test_what_the_disk_refuses_is_not_saved_and_may_be_given_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = entry()
    with Mosquitto(tmp_path / "broker") as broker:
        async with desk_at(tmp_path / "desk", broker) as desk, store_behind(broker, tmp_path / "a.duckdb") as store:
            await desk.save(KEY, [entry(STOP)], "web")

            def sick(fd: int) -> None:
                raise OSError(5, "Input/output error")

            with monkeypatch.context() as patch:
                patch.setattr(os, "fdatasync", sick)
                patch.setattr(module, "_SAVED_S", 0.3)
                with pytest.raises(JournalError, match="not saved yet"):
                    await desk.save(KEY, [one], "web")
            assert [each.id for each in await desk.save(KEY, [one], "web")] == [one.id]
            await until(lambda: desk.queued(KEY) == 0 and len(stored(store)) == 2)
            assert [each.id for each in stored(store)].count(one.id) == 1


async def test_what_only_the_book_has_is_sent_at_the_next_start(tmp_path: Path) -> None:
    """The process ended between the book and the journal: nobody was told, and nothing is lost all the same."""
    book = Book(tmp_path / "desk/entries.db")
    (one,) = book.add(KEY, [entry()], "web", 1)
    book.close()
    with Mosquitto(tmp_path / "broker") as broker:
        async with desk_at(tmp_path / "desk", broker), store_behind(broker, tmp_path / "a.duckdb") as store:
            await until(lambda: stored(store) == [one])


async def test_sites_do_not_mix(tmp_path: Path) -> None:
    other = (KEY[0], "구미공장")
    with Mosquitto(tmp_path / "broker") as broker:
        async with desk_at(tmp_path / "desk", broker) as desk, store_behind(broker, tmp_path / "a.duckdb") as store:
            (here,) = await desk.save(KEY, [entry()], "web")
            (there,) = await desk.save(other, [entry()], "web")
            await until(lambda: not desk.queued(KEY) and not desk.queued(other))
            assert stored(store) == [here]
            assert desk.get(other, here.id) is None
            assert desk.get(KEY, here.id) == here
            assert desk.recent(other, 0) == [there]


async def test_what_two_companies_say_alike_is_kept_for_both(tmp_path: Path) -> None:
    """A file of "no accident" is the same in many factories; an id that one has used takes nothing from another."""
    other = ("한빛정공", "구미공장")
    content = "구분,재해자,근로자,일시,입력자\n재해,0,12,2024-01-01,김\n".encode()
    with Mosquitto(tmp_path / "broker") as broker:
        async with desk_at(tmp_path / "desk", broker) as desk, store_behind(broker, tmp_path / "a.duckdb") as store:
            taken = {}
            for key in (KEY, other):
                for _ in range(2):  # and the same file twice is kept once
                    entries = read_table(content, functools.partial(desk.check, key)).entries
                    taken[key] = await desk.save(key, entries, "csv")
            assert taken[KEY][0].id == taken[other][0].id
            await until(lambda: not desk.queued(KEY) and not desk.queued(other))
            for key, saved in taken.items():
                assert [(one.company, one.site) for one in saved] == [key]
                assert desk.recent(key, 0) == saved
                await until(lambda key=key, saved=saved: written_in(store, key, 0) == saved)


def test_a_book_of_the_first_version_is_taken_over(tmp_path: Path) -> None:
    said = entry()
    with sqlite3.connect(tmp_path / "entries.db") as base:
        base.executescript(FIRST)
        row = (said.id, 5, 4, *KEY, "web", said.model_dump_json(exclude_defaults=True), 0)
        base.execute("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    base.close()
    for _ in range(2):
        book = Book(tmp_path / "entries.db")
        assert book.waiting() == book.of_site(KEY, 0) == [Written(said, *KEY, 5, 4, "web")]
        assert book.add(("다른 회사", "공장"), [said], "web", 9)[0].company == "다른 회사"
        book.durable(("다른 회사", "공장"), [said.id])
        assert book.sites() == [KEY]
        book.close()


FIRST = """
CREATE TABLE entry (
    id TEXT PRIMARY KEY,
    time_ns INTEGER NOT NULL UNIQUE,
    entered_ns INTEGER NOT NULL,
    company TEXT NOT NULL,
    site TEXT NOT NULL,
    source TEXT NOT NULL,
    said TEXT NOT NULL,
    durable INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX of_site ON entry (company, site, time_ns);
CREATE INDEX waiting ON entry (durable) WHERE durable = 0;
PRAGMA user_version = 1;
"""
"""The file as version 1 made it."""


async def test_a_file_is_looked_through_beside_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of thousands of rows each is looked up on the disk, and the pages and the bridge share this loop."""
    content = "구분,설비,불량수량,일시,입력자\n불량,PRS-01,3,2024-01-01 10:00,김\n".encode()
    threads: list[int] = []
    with Mosquitto(tmp_path / "broker") as broker:
        async with desk_at(tmp_path / "desk", broker) as desk:
            check = desk.check

            def noted(*said: Any) -> Any:
                threads.append(threading.get_ident())
                return check(*said)

            monkeypatch.setattr(desk, "check", noted)
            answer = await Importing(desk).order({"file": base64.b64encode(content).decode()})
    assert (answer["saved"], answer["refused"]) == (1, [])
    assert threads
    assert threading.get_ident() not in threads


async def test_a_desk_that_does_not_run_saves_nothing(tmp_path: Path) -> None:
    desk = EntryDesk(tmp_path, MqttSettings(), {KEY: SITE}, Still(), lambda *_: asyncio.sleep(0))  # type: ignore[arg-type]
    with pytest.raises(JournalError, match="does not run"):
        await desk.save(KEY, [entry()], "web")
    assert not desk.alive()
    async with running(desk.run()):
        assert desk.alive()
    await desk.close()


def test_a_book_of_a_later_version_is_refused(tmp_path: Path) -> None:
    Book(tmp_path / "entries.db").close()
    with sqlite3.connect(tmp_path / "entries.db") as base:
        base.execute("PRAGMA user_version = 9")
    base.close()
    with pytest.raises(JournalError, match="version 9"):
        Book(tmp_path / "entries.db")


async def test_measured_values_stay_what_they_are(tmp_path: Path) -> None:
    """An entry's series is never one of a machine, whatever is said in it."""
    measured = f'press,company={KEY[0]},site={KEY[1]},line=프레스라인,machine=PRS-01 value=1.5,reason="run" 5\n'
    sink = DuckDbSink(tmp_path / "a.duckdb")
    await sink.write(KEY[0], measured.encode())
    for one in (
        entry(),
        entry(STOP),
        entry({**DEFECT, "kind": "lot", "lot": "press", "value": 5, "end": "2026-11-22 11:00"}),
    ):
        body = lines_of(written(one, 5)).body
        assert body.split(b",", 1)[0] in {b"entry", b"context"}
        await sink.write(KEY[0], body)
    store = DuckDbStore(sink.cursor)
    (place,) = [one.place for one in store.series() if one.place.measurement == "press"]
    assert store.points(place, "value").value.tolist() == [1.5]
    assert store.points(place, "reason").value.tolist() == ["run"]
    await sink.close()
