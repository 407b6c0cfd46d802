"""`agent quarantine`, and what an agent does with its quarantine: retry, drop, and points that are too old."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from agent.cli import run
from agent.control.client import order
from agent.control.quarantine import DROP, RETRY, QuarantineOrders
from agent.control.server import serve_control
from pipelines.clock import SystemClock
from pipelines.errors import DependencyError, RecordRejected
from pipelines.expired import expiry_gaps
from pipelines.lines import Lines
from pipelines.place import Place
from pipelines.quarantine import Quarantine, kept
from pipelines.topics import RecordId
from tests.pipelines.conftest import broker
from tests.pipelines.delivery.test_uplink import Agent, Store, bridging, running
from tests.pipelines.waiting import until
from tests.services.mosquitto import Mosquitto

__all__ = ["broker"]
NOW_NS = SystemClock().now_ns()
HOUR_NS = 3600 * 10**9


class Picky(Store):
    """Refuses lines that hold a word, and points that are older than a day, in InfluxDB's own words."""

    def __init__(self, *words: bytes) -> None:
        super().__init__()
        self.words = words

    async def write(self, company: str, body: bytes) -> None:
        lines = body.splitlines()
        odd = [line for line in lines if any(word in line for word in self.words)]
        old = [line for line in lines if _time(line) < NOW_NS - 24 * HOUR_NS]
        if odd or old:  # the rest is stored, and one reason is told
            self.bodies.append(b"".join(line + b"\n" for line in lines if line not in [*odd, *old]))
            said = f"it says so dropped={len(odd)}" if odd else f"points beyond retention policy dropped={len(old)}"
            raise RecordRejected(self.name, f"partial write: {said}")
        await super().write(company, body)


def _time(line: bytes) -> int:
    return int(line.rsplit(b" ", 1)[1])


def body(*fields: bytes, at_ns: int = NOW_NS) -> bytes:
    return b"".join(b"m,company=C,site=S %s %d\n" % (one, at_ns + number) for number, one in enumerate(fields))


@asynccontextmanager
async def agent_with(folder: Path, broker: Mosquitto, store: Store) -> AsyncIterator[tuple[Agent, QuarantineOrders]]:
    agent = Agent(folder, broker)
    clock = SystemClock()
    orders = QuarantineOrders(agent.quarantine, agent.flow, agent.stats, clock)
    agent.uplink.refusals.on_expired = expiry_gaps(agent.flow, Place("agent", "C", "S", "", "A"), clock)
    async with running(bridging(broker, store), agent.keep_open(), agent.flow.run()):
        await until(lambda: agent.sessions and store.sessions)
        yield agent, orders
    assert agent.imbalances <= {0}
    assert agent.flow.imbalance == 0
    agent.journal.close()
    agent.quarantine.close()


@pytest.mark.wire
async def test_lines_travel_again_and_come_back_once_while_they_are_refused(tmp_path: Path, broker: Mosquitto) -> None:
    store = Picky(b'"odd"')
    async with agent_with(tmp_path, broker, store) as (agent, orders):
        await agent.put(body(b"a=1", b'a="odd",b=2', b"a=3"))
        await until(lambda: agent.outbox.idle)
        assert (agent.stats.stored, agent.stats.quarantined, agent.quarantine.points) == (2, 1, 1)
        ((first, lines),) = kept(tmp_path)
        with pytest.raises(ValueError, match="not in quarantine"):
            await orders.retry({"records": [first.record, "x:1"]})
        assert await orders.retry({"records": [first.record]}) == {"points": 1, "records_left": 0, "points_left": 0}
        await until(lambda: agent.quarantine.points == 1)
        ((again, lines_again),) = kept(tmp_path)
        assert again.record != first.record
        assert lines_again == lines
        assert agent.quarantine.records == 1
        store.words = ()
        assert (await orders.retry({"all": True}))["points"] == 1
        await until(lambda: agent.outbox.idle)
        assert list(kept(tmp_path)) == []
        assert (agent.stats.retried, agent.stats.accepted) == (2, 5)
        assert (agent.stats.stored, agent.stats.quarantined) == (3, 2)
    assert b'm,company=C,site=S a="odd" %d' % (NOW_NS + 1) in store.lines


@pytest.mark.wire
async def test_a_crash_between_commit_and_removal_keeps_no_line_twice(tmp_path: Path, broker: Mosquitto) -> None:
    store = Picky(b'"odd"')
    async with agent_with(tmp_path, broker, store) as (agent, orders):
        await agent.put(body(b'a="odd"'))
        await until(lambda: agent.quarantine.points == 1)
        await until(lambda: agent.outbox.idle)
        store.open.clear()
        _, lines, _ = orders._batch([entry.record for entry in agent.quarantine.entries()])
        await agent.flow.put_alone(lines)  # and there it ends
    assert len(list(kept(tmp_path))) == 1
    store.open.set()
    store.sessions = 0
    async with agent_with(tmp_path, broker, store) as (agent, _):
        await until(lambda: agent.outbox.idle)
        assert agent.quarantine.records == 1
        assert agent.stats.quarantined == 1
        ((entry, _),) = kept(tmp_path)
        assert entry.record.split(":")[0] != agent.journal.epoch  # under the id of the record that travelled


@pytest.mark.wire
async def test_a_retry_takes_no_live_line_along(tmp_path: Path, broker: Mosquitto) -> None:
    """Lines of another company come back whole; what was read meanwhile is not among them."""
    store = Picky()
    async with agent_with(tmp_path, broker, store) as (agent, orders):
        agent.quarantine.put(RecordId("a" * 32, 1), [{"line": "m,company=D f=1 1", "points": 1, "reason": "no"}])
        agent.append(body(b"a=1"))
        await orders.retry({"all": True})
        agent.append(body(b"a=2", at_ns=NOW_NS + 10))
        await agent.flow.flush()
        await until(lambda: agent.outbox.idle)
        ((_, lines),) = kept(tmp_path)
        assert [one["line"] for one in lines] == ["m,company=D f=1 1"]
        assert agent.stats.stored == 2


@pytest.mark.wire
async def test_points_that_are_too_old_are_told_as_a_gap_and_the_others_come_out_right(
    tmp_path: Path, broker: Mosquitto
) -> None:
    store = Picky(b'"odd"')
    old_ns = NOW_NS - 48 * HOUR_NS
    async with agent_with(tmp_path, broker, store) as (agent, _):
        mixed = body(b"a=1", b'a="odd",b=2') + body(b"a=3,c=4", b"a=5,a_quality=0i", at_ns=old_ns) + body(b"d=6")
        agent.flow.put(Lines(mixed, 7, (old_ns, NOW_NS + 1), {}))
        await agent.flow.flush()
        await until(lambda: agent.stats.stored == 4)  # a, b, d and the gap
        assert (agent.stats.quarantined, agent.stats.expired) == (1, 3)
        assert agent.flow.dropped == {"cap": 0, "expired": 3, "damaged": 0}
    stored = b"\n".join(store.lines).decode()
    assert {f"{name}={value}" for name, value in re.findall(r"\b([abd])=(\d)", stored)} == {"a=1", "b=2", "d=6"}
    (gap,) = re.findall(r"gap,cause=expired,.*", stored)
    assert f"count=3i,first={old_ns}i,last={old_ns + 1}i" in gap
    ((_, lines),) = kept(tmp_path)
    assert [one["line"].split()[1] for one in lines] == ['a="odd"']


@pytest.mark.wire
async def test_a_clock_in_1970_tells_no_gap_without_end(tmp_path: Path, broker: Mosquitto) -> None:
    store = Picky()

    class Old(SystemClock):
        def now_ns(self) -> int:
            return 5_000_000_000

    async with agent_with(tmp_path, broker, store) as (agent, _):
        agent.uplink.refusals.on_expired = expiry_gaps(agent.flow, Place("agent", "C", "S", "", "A"), Old())
        await agent.put(body(b"a=1", at_ns=4_000_000_000))
        await until(lambda: agent.outbox.idle)
        assert (agent.stats.expired, agent.stats.accepted) == (1, 1)


@pytest.mark.wire
async def test_a_full_quarantine_keeps_records_in_the_journal_and_blocks_no_other(
    tmp_path: Path, broker: Mosquitto
) -> None:
    store = Picky(b'"odd')
    async with agent_with(tmp_path, broker, store) as (agent, orders):
        agent.quarantine._max_bytes = agent.quarantine.bytes_used + (200 << 10)
        for number in range(6):
            await agent.put(body(b'a="odd%s"' % (b"x" * 40_000), b"a=1", at_ns=NOW_NS + 10 * number))
        await until(lambda: agent.outbox.parked and not agent.outbox.in_flight)
        assert "the quarantine is full" in agent.quarantine.trouble
        held = agent.flow.points_queued
        assert held == 2 * len(agent.outbox.parked) > 0
        assert not agent.outbox.idle
        for number in range(20):
            await agent.put(body(b"a=1", at_ns=NOW_NS + 1000 + number))
        await until(lambda: agent.flow.points_queued == held)
        agent.quarantine._max_bytes *= 10
        assert (await orders.drop({"all": True}))["points_left"] == 0
        await until(lambda: agent.outbox.idle)
        assert agent.quarantine.trouble == ""
        assert agent.stats.quarantined == 6
        assert agent.stats.stored == 26


# ── commands ────────────────────────────────────────────────────────────────────────────────────────────────────────

LINE = {"line": 'm f="x" 1', "field": "f", "points": 1, "reason": "field type conflict"}
FIRST, SECOND = f"{'a' * 32}:1", f"{'a' * 32}:2"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    one = Quarantine(tmp_path)
    one.put(RecordId("a" * 32, 1), [LINE, LINE | {"line": 'm f="y" 2'}])
    one.put(RecordId("a" * 32, 2), [LINE | {"line": 'm f="z" 3', "reason": "another"}])
    one.close()
    return tmp_path


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """The last line on stdout, where a log may stand too; all of it otherwise."""
    out = capsys.readouterr().out
    return out.splitlines()[-1] if "[info" in out or "[error" in out or "[warning" in out else out


def test_list_and_show(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = ["--state-dir", str(folder)]
    assert run(["quarantine", *state]) == run(["quarantine", "list", *state]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[0].startswith("기록 Record\t시각 Refused at")
    assert [line.split("\t")[0] for line in out.splitlines()[1:3]] == [FIRST, SECOND]
    assert out.splitlines()[1].endswith("\t2\t2\tfield type conflict")
    assert "합계 total: 2 records, 3 points" in err
    assert run(["quarantine", "--json", *state]) == 1
    found = json.loads(said(capsys))
    assert found["points"] == 3
    assert found["records"][1]["refused"] == [LINE | {"line": 'm f="z" 3', "reason": "another"}]
    assert run(["quarantine", "show", SECOND, *state]) == 0
    assert 'm f="z" 3\tanother' in said(capsys)
    assert run(["quarantine", "show", FIRST, SECOND, "--json", *state]) == 0
    assert len(json.loads(said(capsys))["records"]) == 2
    assert run(["quarantine", "show", "x:1", *state]) == 2
    assert run(["quarantine", "show", *state]) == 2


def test_nothing_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["quarantine", "--state-dir", str(tmp_path / "gone")]) == 2
    assert "no such state folder" in capsys.readouterr().err
    assert run(["quarantine", "--state-dir", str(tmp_path)]) == 0
    assert "no points in quarantine" in capsys.readouterr().err
    assert run(["quarantine", "--state-dir", str(tmp_path), "--json"]) == 0
    assert json.loads(said(capsys)) == {"records": [], "points": 0}
    (tmp_path / "quarantine.db").write_bytes(b"nonsense " * 1000)
    assert run(["quarantine", "--state-dir", str(tmp_path)]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_export(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state, file = ["--state-dir", str(folder)], tmp_path / "out"
    assert run(["quarantine", "export", *state]) == 2
    assert run(["quarantine", "export", "-o", str(file), *state]) == 0
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(line["record"], line["line"]) for line in lines] == [
        (FIRST, 'm f="x" 1'),
        (FIRST, 'm f="y" 2'),
        (SECOND, 'm f="z" 3'),
    ]
    assert lines[0].keys() == {"record", "refused_at", *LINE}
    assert run(["quarantine", "export", "-o", str(file), *state]) == 2
    assert "exists already" in capsys.readouterr().err
    other = tmp_path / "lines"
    assert run(["quarantine", "export", SECOND, "-o", str(other), "--form", "lines", "--json", *state]) == 0
    assert other.read_text() == 'm f="z" 3\n'
    assert json.loads(said(capsys)) == {"file": str(other), "records": 1, "points": 1, "unreadable": []}
    assert run(["quarantine", "export", SECOND, "-o", "-", "--form", "lines", *state]) == 0
    assert capsys.readouterr().out == 'm f="z" 3\n'
    assert run(["quarantine", "export", "-o", "-", "--json", *state]) == 2
    assert run(["quarantine", "export", "x:1", "-o", str(tmp_path / "nobody"), *state]) == 2
    assert "x:1: not in quarantine" in capsys.readouterr().err
    assert not (tmp_path / "nobody").exists()


def test_an_export_never_claims_what_cannot_be_read(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who drops what was exported would lose it."""
    with closing(sqlite3.connect(folder / "quarantine.db")) as database, database:
        database.execute("UPDATE entries SET crc = crc + 1 WHERE record = ?", (FIRST,))
    file = tmp_path / "out"
    assert run(["quarantine", "export", "-o", str(file), "--state-dir", str(folder)]) == 1
    assert [json.loads(line)["record"] for line in file.read_text().splitlines()] == [SECOND]
    out, err = capsys.readouterr()
    assert "1 records, 1 points" in out
    assert f"not exported: {FIRST}" in err
    other = ["--json", "-o", str(tmp_path / "other"), "--state-dir", str(folder)]
    assert run(["quarantine", "export", *other]) == 1
    assert json.loads(said(capsys))["unreadable"] == [FIRST]


def test_drop_and_retry_without_an_agent(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = ["--state-dir", str(folder)]
    assert run(["quarantine", "drop", *state]) == run(["quarantine", "drop", FIRST, "--all", *state]) == 2
    assert run(["quarantine", "drop", "x:1", *state]) == 2
    assert run(["quarantine", "retry", "--all", *state]) == 3
    assert "start it with `agent run`" in capsys.readouterr().err
    assert run(["quarantine", "drop", FIRST, *state]) == 0
    assert "버림 dropped: 2 points; 남음 left 1 records, 1 points" in said(capsys)
    assert run(["quarantine", "drop", "--all", "--json", *state]) == 0
    assert json.loads(said(capsys)) == {"points": 1, "records_left": 0, "points_left": 0}
    assert list(kept(folder)) == []


@pytest.mark.wire
async def test_a_running_agent_is_asked(tmp_path: Path, broker: Mosquitto, capsys: pytest.CaptureFixture[str]) -> None:
    store = Picky(b'"odd"')
    async with agent_with(tmp_path, broker, store) as (agent, orders):
        await agent.put(body(b'a="odd"', b'a="odd"'))
        await until(lambda: agent.quarantine.points == 2)
        store.words = ()
        async with running(serve_control(tmp_path / "control.sock", _status, orders.routes)):
            await until((tmp_path / "control.sock").exists)
            state = ["--state-dir", str(tmp_path), "--json"]
            said(capsys)
            assert await asyncio.to_thread(run, ["quarantine", *state]) == 1
            (entry,) = json.loads(said(capsys))["records"]
            with pytest.raises(DependencyError, match="not in quarantine"):
                await asyncio.to_thread(order, tmp_path, DROP, {"records": ["x:1"]})
            with pytest.raises(DependencyError, match="name records, or --all"):
                await asyncio.to_thread(order, tmp_path, RETRY, {})
            assert await asyncio.to_thread(run, ["quarantine", "retry", entry["record"], *state]) == 0
            assert json.loads(said(capsys))["points"] == 2
            await until(lambda: agent.stats.stored == 2)
            agent.quarantine.put(RecordId("b" * 32, 1), [LINE])
            assert await asyncio.to_thread(run, ["quarantine", "drop", "--all", *state]) == 0
            assert json.loads(said(capsys)) == {"points": 1, "records_left": 0, "points_left": 0}


def _status() -> dict[str, Any]:
    return {"healthy": True}
