"""`agent verify` finds whatever was done to a store, and says where."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from agent.cli import run
from pipelines.sinks.duckdb import DuckDbSink
from tests.pipelines.ledger.line import START_NS, Line
from tests.services.influxd import Influxd, influxd

__all__ = ["influxd"]

pytestmark = pytest.mark.wire
SECOND_NS = 10**9
RECORD = 40
"""Readings in a record."""


def hour(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns // 3_600_000_000_000 * 3600, UTC).strftime("%Y-%m-%dT%H:%MZ")


class Embedded:
    """The embedded store, changed behind everybody's back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.arguments = ["--store", str(folder)]

    def write(self, body: bytes) -> None:
        async def write() -> None:
            sink = DuckDbSink(self.folder / "points.duckdb")
            await sink.write("demo", body)
            await sink.close()

        asyncio.run(write())

    def delete(self, time_ns: int) -> None:
        with duckdb.connect(str(self.folder / "points.duckdb")) as connection:
            connection.execute("DELETE FROM points_float WHERE time_ns = ?", (time_ns,))


class Influx:
    """A database of a real influxd."""

    def __init__(self, server: Influxd) -> None:
        self._server = server
        self._company = uuid.uuid4().hex
        self._database = f"db-demo-{self._company}"
        server.create(self._database)
        self.arguments = ["--influx", f"{server.url}?db=db-{{company}}-{self._company}"]

    def write(self, body: bytes) -> None:
        self._server.write(self._database, body)

    def delete(self, time_ns: int) -> None:
        self._server.query(f"DELETE FROM press WHERE time = {time_ns}", self._database)  # noqa: S608


Store = Embedded | Influx


@pytest.fixture(params=["embedded", "influxd"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "embedded":
        return Embedded(tmp_path / "store")
    return Influx(request.getfixturevalue("influxd"))


@dataclass
class Agent:
    """An agent that has ended."""

    line: Line
    readings: int

    @property
    def folder(self) -> Path:
        return self.line.folder


@pytest.fixture
def agent(tmp_path: Path, store: Store) -> Agent:
    return released(tmp_path, store)


def released(tmp_path: Path, store: Store) -> Agent:
    """An agent with two finished segments and a third one half released; all that was released is stored."""
    line = Line(tmp_path / "agent")
    bodies: list[bytes] = []
    first = 0
    for _ in range(2):
        records = line.fill(first, RECORD)
        for stored in records:
            bodies.append(stored.payload())
            line.journal.release(stored)
        line.journal.behind.finish(records[0].segment)
        line.journal.behind.segments.remove(records[0].segment)
        first += RECORD * len(records)
    for _ in range(2):
        stored = line.append(first, RECORD)
        line.commit()
        bodies.append(stored.payload())
        line.journal.release(stored)
        first += RECORD
    line.append(first, RECORD)
    line.commit()
    line.close()
    store.write(b"".join(bodies))
    return Agent(line, first)


def verify(agent: Agent, store: Store, capsys: pytest.CaptureFixture[str], code: int, *more: str) -> dict[str, Any]:
    found = run(["verify", "--json", "--state-dir", str(agent.folder), *store.arguments, *more])
    out, err = capsys.readouterr()
    assert found == code, (out, err)
    answer: dict[str, Any] = json.loads(out) if out else {"error": err}
    return answer


def reading(number: int, *, value: float | None = None, ns: int = 0, field: str = "t") -> bytes:
    """A reading of tag t of P1, which has every fourth one."""
    number -= number % 4
    value = number * 1.5 if value is None else value
    return f"press,company=demo,machine=P1 {field}={value} {START_NS + number * SECOND_NS + ns}\n".encode()


def test_what_was_released_agrees(agent: Agent, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    answer = verify(agent, store, capsys, 0)
    assert (answer["claimed"], answer["stored"], answer["series"]) == (agent.readings, agent.readings, 4)
    assert answer["from"] == hour(START_NS)
    assert answer["differences"] == []


def test_where_nothing_is_compared_nothing_agrees(
    agent: Agent, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = verify(agent, store, capsys, 1, "--from", "2001-01-01T00:00Z", "--to", "2001-01-02T00:00Z")
    assert (answer["agree"], answer["compared"], answer["differences"]) == (False, 0, [])
    early = ["--from", "2001-01-01T00:00Z", "--to", "2001-01-02T00:00Z"]
    assert run(["verify", "--state-dir", str(agent.folder), *store.arguments, *early]) == 1
    said = capsys.readouterr().out
    assert "비교한 것 없음 nothing was compared" in said
    assert "agrees" not in said


def test_what_waits_in_the_journal_may_be_there(agent: Agent, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    store.write(reading(agent.readings))
    answer = verify(agent, store, capsys, 0)
    assert answer["open"] == 1


def test_what_a_power_cut_took_after_it_was_published_is_unclaimed(
    agent: Agent, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    store.write(reading(agent.readings + RECORD))
    answer = verify(agent, store, capsys, 0)
    assert (answer["unclaimed"], answer["extra"]) == (1, 0)


AT = 1000 - 1000 % 4
"""Somewhere inside."""


@pytest.mark.parametrize(
    ("what", "change"),
    [("missing", ["delete"]), ("altered", ["value"]), ("extra", ["add"]), ("altered", ["delete", "add"])],
    ids=["deleted", "other value", "added", "other time"],
)
def test_a_change_is_found_where_it_is(
    agent: Agent, store: Store, capsys: pytest.CaptureFixture[str], what: str, change: list[str]
) -> None:
    time_ns = START_NS + AT * SECOND_NS
    for one in change:
        if one == "delete":
            store.delete(time_ns)
        else:
            store.write(reading(AT, value=AT * 1.5 + 0.5) if one == "value" else reading(AT, ns=1))
    answer = verify(agent, store, capsys, 1)
    assert [answer[name] for name in ("missing", "extra", "altered")] == [
        int(name == what) for name in ("missing", "extra", "altered")
    ]
    (difference,) = answer["differences"]
    assert (difference["tags"]["machine"], difference["field"], difference["hour"]) == ("P1", "t", hour(time_ns))
    assert difference["at_ns"] == ([time_ns + 1] if what == "extra" else [])
    assert run(["verify", "--state-dir", str(agent.folder), *store.arguments]) == 1
    assert f"differs: press,company=demo,machine=P1 t (float) {hour(time_ns)}: " in capsys.readouterr().out
    later = datetime.fromtimestamp(time_ns // SECOND_NS + 3600, UTC).isoformat()
    answer = verify(agent, store, capsys, 1, "--from", later)
    assert (answer["differences"], answer["compared"]) == ([], 0), "everything lies before, and nothing was compared"


def test_a_tag_that_is_not_there_is_missing_whole(
    agent: Agent, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    empty: Store = Embedded(agent.folder.parent / "other")
    empty.write(b"press,company=demo,machine=P1 t=1.5 1\n")
    answer = verify(agent, empty, capsys, 1)
    assert answer["missing"] == agent.readings
    assert len({(one["tags"]["machine"], one["field"]) for one in answer["differences"]}) == 4


def test_the_process_that_holds_the_store_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Embedded(tmp_path / "store")
    one = released(tmp_path, store)
    with served(store.folder):
        assert verify(one, store, capsys, 0)["claimed"] == one.readings
    store.delete(START_NS + AT * SECOND_NS)
    with served(store.folder):
        assert verify(one, store, capsys, 1)["missing"] == 1
    assert verify(one, store, capsys, 1)["missing"] == 1


@contextmanager
def served(folder: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "agent.cli", "serve", "--store", str(folder), "--json"]
    process = subprocess.Popen([*command, "--port", "0", "--mqtt-port", "0"], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["ready"]
        yield
    finally:
        process.terminate()
        process.communicate(timeout=20)


def test_what_cannot_be_reached_is_told(agent: Agent, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    del store
    for arguments, code, reason in (
        (["--influx", "http://127.0.0.1:1?db=x"], 3, "does not answer"),
        (["--store", str(agent.folder)], 3, "no such store"),
        ([], 2, "one of the two"),
        (["--store", "x", "--from", "yesterday"], 2, "expected a time"),
        (["--store", "x", "--from", "2026-11-23", "--to", "2026-11-22"], 2, "no whole hour lies between"),
    ):
        assert run(["verify", "--state-dir", str(agent.folder), *arguments]) == code
        assert reason in capsys.readouterr().err
    assert run(["verify", "--state-dir", str(agent.folder / "nowhere"), "--store", "x"]) == 2
    assert run(["verify", "--state-dir", str(agent.folder / "journal"), "--store", str(agent.folder)]) == 3
    assert "no ledger" in capsys.readouterr().err
