"""What the parts of a collector know of each other."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from agent.collector import Collector
from agent.config import load_site
from pipelines.clock import SystemClock
from pipelines.delivery.mqtt import Message
from pipelines.derive.rule import Derived
from pipelines.journal import recovery
from pipelines.journal.journal import Journal, JournalSettings
from pipelines.watched import Jump
from tests.agent.test_health import SITE
from tests.pipelines.derive.test_engine import PLACES, Sum


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "site.yaml").write_text(SITE)
    (tmp_path / "state").mkdir()
    return tmp_path


@pytest.fixture
def collector(folder: Path) -> Iterator[Collector]:
    one = Collector(load_site(folder / "site.yaml"), folder / "state", SystemClock())
    yield one
    one.journal.close()


@pytest.fixture
def epoch(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of a process that was killed before it ever published, whose segment a start has no time to read."""
    killed = Journal(folder / "state" / "journal", JournalSettings(min_free_bytes=0))
    killed.open()
    stored = killed.append(b"m,t=x a=1 5000000000\n", 1, (5_000_000_000, 5_000_000_000), {})
    killed.sync(stored.segment)
    stored.segment.close()
    os.close(killed._lock_fd)
    monkeypatch.setattr(recovery, "SCAN_BYTES", 0)
    return killed.epoch


async def test_a_segment_that_is_read_while_the_agent_runs_is_its_own(epoch: str, collector: Collector) -> None:
    """Confirmations of what is in it would else be another agent's, and it would be sent for ever."""
    assert collector.journal.points_queued == 0
    await collector.flow.finisher.turn()
    assert collector.journal.points_queued == 1
    assert collector.births.is_own(epoch)


async def test_a_jump_of_the_clock_just_before_the_end_is_told(folder: Path) -> None:
    """The clock is looked at once a second; what was noticed since must not go with the process."""
    collector = Collector(load_site(folder / "site.yaml"), folder / "state", SystemClock())
    assert collector.time.watched is not None
    stop = asyncio.Event()

    def jump_and_stop() -> None:
        assert collector.time.watched is not None
        now_ns = collector.clock.now_ns()
        collector.time.watched.untold.append(Jump(now_ns, now_ns, now_ns + 10**9, None, believed=True, cause="set"))
        stop.set()

    await collector.run(stop, 5.0, jump_and_stop)
    again = Journal(folder / "state" / "journal", JournalSettings(min_free_bytes=0))
    again.open()
    bodies = [one.payload() for segment in again.segments for one in again.walk(segment, 0, segment.size)]
    again.close()
    assert sum(b'cause="set"' in body and b"jump_s=1.0" in body for body in bodies) == 1


async def test_heartbeats_do_not_gather_while_the_disk_takes_nothing(collector: Collector) -> None:
    for _ in range(3):
        collector._beat()
    assert len(collector.flow._lines) == 1
    await collector.flow.flush()
    collector._beat()
    assert len(collector.flow._lines) == 1


class Talkative(Sum):
    """A rule that has something to tell at each tick."""

    def tick(self, now_ns: int) -> None:
        self._points.append(Derived("state", "P1", now_ns, {"sum": self.total}))


async def test_what_ticks_derive_does_not_gather_while_the_disk_takes_nothing(collector: Collector) -> None:
    collector.links.engine.follow([Talkative()], PLACES)
    for _ in range(3):
        collector.links.pulse()
    assert len(collector.flow._lines) == 1
    collector.links.tick()
    assert len(collector.flow._lines) == 2, "what people do with alarms is taken all the same"
    await collector.flow.flush()
    collector.links.pulse()
    assert len(collector.flow._lines) == 1


async def test_rules_learn_that_the_clock_was_set(collector: Collector) -> None:
    moved: list[int] = []

    class Told(Sum):
        def moved(self, by_ns: int) -> None:
            moved.append(by_ns)

    collector.links.engine.follow([Told()], PLACES)
    collector.links.tick()
    assert collector.time.watched is not None
    collector.time.watched.shift_ns -= 5 * 10**9
    for _ in range(2):
        collector.links.tick()
    assert moved == [-5 * 10**9]


async def test_a_rival_that_cannot_be_noted_is_an_alarm_all_the_same(collector: Collector) -> None:
    (collector.state_dir / "epochs.new").mkdir()
    birth = orjson.dumps({"epoch": "ab" * 16, "host": "other", "session": "1"})
    session: Any = SimpleNamespace(resumed=False, ack=lambda _: None)
    collector.uplink.answers.take(session, Message(collector.topics.birth, birth, {}, 1, 1))
    assert "another agent runs under the same identity" in collector.births.rival
    assert collector.uplink._wake.is_set()
