"""Records stamped while the clock was ahead wait for their time, in order, and are never lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.delivery.later import Later
from pipelines.delivery.outbox import Outbox
from pipelines.journal.journal import Journal, JournalSettings, Stored
from pipelines.stats import FlowStats

MINUTE = 60 * 10**9
NOW = 1_790_000_000 * 10**9
SETTINGS = JournalSettings(max_bytes=8 << 20, segment_bytes=64 << 10, min_free_bytes=0)


class Bench:
    def __init__(self, folder: Path) -> None:
        self.journal = Journal(folder, SETTINGS)
        self.journal.open()
        self.now_ns: int | None = NOW
        self.ahead_s = 0.0
        self.again()

    def again(self) -> None:
        self.outbox = Outbox(self.journal, FlowStats(), lambda _: True)
        self.outbox.later = Later(lambda: self.now_ns, lambda: self.ahead_s)
        self.outbox.connected()

    def add(self, time_ns: int, size: int = 4) -> Stored:
        stored = self.journal.append(b"%d" % time_ns + b" " * size, 1, (time_ns, time_ns), {})
        self.outbox.add(stored)
        return stored

    def sent(self) -> list[int]:
        """Times of what goes out now, minutes from the first now; the store takes all of it."""
        out = []
        while (flight := self.outbox.next(1.0)) is not None:
            out.append((int(flight.stored.payload()) - NOW) // MINUTE)
            self.outbox.confirm(flight.stored.id, 1.0)
        return out


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "journal")


def test_an_hour_ahead_waits_and_goes_in_order(bench: Bench) -> None:
    for minute in (60, 61, 62):
        bench.add(NOW + minute * MINUTE)
    for minute in range(3):
        bench.now_ns = NOW + minute * MINUTE
        bench.add(bench.now_ns)
        assert bench.sent() == [minute]
    assert (bench.outbox.later.records, bench.outbox.later.until_ns) == (3, NOW + 62 * MINUTE)
    bench.now_ns = NOW + 59 * MINUTE
    assert bench.sent() == []
    bench.now_ns = NOW + 60 * MINUTE
    assert bench.sent() == [60, 61, 62], "what is less than ten minutes ahead goes with the first"
    assert bench.outbox.later.records == 0
    assert bench.outbox.idle
    assert bench.outbox.later.records == 0


def test_each_goes_when_its_time_has_come(bench: Bench) -> None:
    for minute in (30, 60, 90):
        bench.add(NOW + minute * MINUTE)
    assert bench.sent() == []
    for minute in (30, 60, 90):
        bench.now_ns = NOW + minute * MINUTE
        assert bench.sent() == [minute]
    assert bench.outbox.idle
    assert bench.outbox.later.records == 0


def test_what_an_earlier_process_stamped_ahead_waits_too(tmp_path: Path) -> None:
    first = Bench(tmp_path / "journal")
    first.add(NOW + 60 * MINUTE)
    first.journal.sync(first.journal.segments[-1])
    first.journal.close()
    bench = Bench(tmp_path / "journal")
    assert bench.sent() == []
    assert bench.outbox.later.records == 1
    bench.now_ns = NOW + 61 * MINUTE
    assert bench.sent() == [60]


def test_what_was_on_its_way_when_the_clock_went_back_is_put_off(bench: Bench) -> None:
    bench.now_ns = NOW + 60 * MINUTE
    stored = bench.add(NOW + 60 * MINUTE)
    assert bench.outbox.next(1.0) is not None
    bench.outbox.disconnected()
    bench.now_ns = NOW
    bench.outbox.connected()
    assert bench.sent() == []
    assert stored.segment.in_flight == 0
    bench.now_ns = NOW + 60 * MINUTE
    assert bench.sent() == [60]


def test_nothing_is_held_while_nobody_knows_the_time(bench: Bench) -> None:
    bench.now_ns = None
    bench.add(NOW + 60 * MINUTE)
    assert bench.sent() == [60]


def test_a_source_that_is_ahead_is_no_clock_of_ours(bench: Bench) -> None:
    bench.ahead_s = 1800.0
    bench.add(NOW + 30 * MINUTE)
    bench.add(NOW + 50 * MINUTE)
    assert bench.sent() == [30]


def test_more_than_a_day_ahead_is_not_waited_for(bench: Bench) -> None:
    bench.add(NOW + 2 * 1440 * MINUTE)
    flight = bench.outbox.next(1.0)
    assert flight is not None, "whoever sends puts it into quarantine"
    assert bench.outbox.later.ahead_ns(flight.stored) == 2 * 1440 * MINUTE


def test_a_week_of_held_records_costs_next_to_nothing(bench: Bench) -> None:
    for number in range(2_000):
        bench.add(NOW + 60 * MINUTE + number, size=200)
    assert bench.sent() == []
    assert bench.outbox.later.records == 2_000
    assert len(bench.outbox.later._held) <= len(bench.journal.segments)
    bench.now_ns = NOW + 61 * MINUTE
    assert len(bench.sent()) == 2_000
    assert bench.outbox.idle
    assert bench.outbox.later.records == 0
