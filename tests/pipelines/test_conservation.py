"""The law `queued_at_start + accepted = stored + queued + dropped + quarantined`, at every instant of any history."""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
from pathlib import Path
from unittest import mock

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from pipelines.clock import SystemClock
from pipelines.delivery.outbox import Flight, Outbox
from pipelines.errors import JournalCorrupt
from pipelines.flow import Flow
from pipelines.journal.journal import Journal
from pipelines.journal.settings import JournalSettings
from pipelines.lines import Lines
from pipelines.place import Place
from pipelines.stats import FlowStats

PLACE = Place("meter", "demo", "site", "L1", "M")
SETTINGS = JournalSettings(max_bytes=1 << 20, segment_bytes=64 << 10, min_free_bytes=0)


class History(RuleBasedStateMachine):
    """One edge PC: what it accepts, what comes back for it, what is given up, and what a restart finds.

    The journal takes 1 MiB, so that a handful of records brings it to its cap.
    """

    def __init__(self) -> None:
        super().__init__()
        self._patience = mock.patch("pipelines.flow._RETRY_S", 0.01)  # a disk that is full is asked again at once
        self._patience.start()
        self._temporary = tempfile.TemporaryDirectory(prefix="sf-law-")
        self._runner = asyncio.Runner()
        self._rng = random.Random(7)
        self._now_s = 1000.0
        self._time_ns = 10**18
        self._ever = 0

    @initialize()
    def begin(self) -> None:
        self.journal = Journal(Path(self._temporary.name), SETTINGS)
        self.journal.open()
        self.stats = FlowStats()
        self.flow = self._runner.run(self._flow())
        self.outbox = Outbox(self.journal, self.stats, self.flow.is_durable)
        self.flow.on_record, self.flow.on_moved = self.outbox.add, self.outbox.moved
        self.flow.on_change = self.outbox.settle
        self.flights: list[Flight] = []
        self.outbox.connected()

    async def _flow(self) -> Flow:
        return Flow(self.journal, SystemClock(), self.stats, PLACE)

    @rule(points=st.integers(1, 50), size=st.sampled_from([200, 5_000, 60_000, 200_000]))
    def take(self, points: int, size: int) -> None:
        """Readings are in the open batch: nobody's account yet."""
        self._time_ns += 1000
        body = f'm,machine=M v="{self._rng.randbytes(size // 2).hex()}" {self._time_ns}\n'.encode()
        self.flow.put(Lines(body, points, (self._time_ns, self._time_ns), {}))

    @rule(records=st.integers(1, 12))
    def flood(self, records: int) -> None:
        """More than the journal holds, made durable one by one: the oldest are given up."""
        for _ in range(records):
            self.take(7, 120_000)
            self._runner.run(self._flush())
            self.nothing_is_in_no_account()

    @rule()
    def append(self) -> None:
        """They are written and not yet durable."""
        self.flow._try_append()

    @rule()
    def commit(self) -> None:
        self._runner.run(self._flush())

    async def _flush(self) -> None:
        """Make durable; a journal full of records on their way takes nothing until one of them is confirmed."""
        async with asyncio.TaskGroup() as group:
            flushing = group.create_task(self.flow.flush())
            while not flushing.done():
                await asyncio.wait([flushing], timeout=0.05)
                self.nothing_is_in_no_account()
                if not self.flow.healthy and not flushing.done():
                    for record in list(self.outbox._flights):
                        self.outbox.confirm(record, self._now_s)

    @rule()
    def finish(self) -> None:
        """Segments nobody waits for are deleted."""
        self._runner.run(self.flow.finisher.turn())

    @rule()
    def connect(self) -> None:
        self.outbox.connected()

    @rule()
    def disconnect(self) -> None:
        self.outbox.disconnected()

    @rule()
    def publish(self) -> None:
        self._now_s += 1
        for _ in range(20):
            flight = self.outbox.next(self._now_s)
            if flight is None:
                return
            self.flights.append(flight)
            self.outbox.heard(flight.stored.id, 0, "", self._now_s)
            self._unharmed(flight)

    def _unharmed(self, flight: Flight) -> None:
        """Read what is sent, as the uplink does: an altered record is given up."""
        try:
            flight.stored.payload()
        except JournalCorrupt:
            self.outbox.give_up(flight.stored.id)

    @rule(number=st.integers(0, 100), code=st.sampled_from([0, 0x10, 0x87, 0x97]))
    def broker_answers(self, number: int, code: int) -> None:
        if flight := self._some(number):
            self._now_s += 0.1
            self.outbox.heard(flight.stored.id, code, "why", self._now_s)

    @rule(number=st.integers(0, 100), count=st.integers(1, 5))
    def store_confirms(self, number: int, count: int) -> None:
        for at in range(number, number + count):
            if flight := self._some(at):
                self._now_s += 0.1
                self.outbox.confirm(flight.stored.id, self._now_s)

    @rule(number=st.integers(0, 100), refused=st.integers(0, 50))
    def store_refuses(self, number: int, refused: int) -> None:
        if flight := self._some(number):
            self.outbox.confirm(flight.stored.id, self._now_s, refused_points=min(refused, flight.stored.points))

    @rule(number=st.integers(0, 100))
    def confirmed_twice(self, number: int) -> None:
        if flight := self._some(number):
            for _ in range(2):
                self.outbox.confirm(flight.stored.id, self._now_s)

    @rule(number=st.integers(0, 100))
    def rot(self, number: int) -> None:
        """A byte of a record on disk changes; it is sent again and found out."""
        flight = self._some(number)
        if flight is None or self.outbox.get(flight.stored.id) is None:
            return
        stored = flight.stored
        fd = os.open(stored.segment.path, os.O_RDWR)
        try:
            at = stored.payload_at[0]
            os.pwrite(fd, bytes((os.pread(fd, 1, at)[0] ^ 1,)), at)
        finally:
            os.close(fd)
        self._unharmed(flight)

    @rule(appended=st.booleans(), torn=st.booleans())
    def restart(self, appended: bool, torn: bool) -> None:
        """The process is gone; what was not synced may be on disk, or torn, or not there."""
        if appended:
            self.flow._try_append()
        segment = self.journal.segments[-1]
        self.journal.close()
        if torn and segment.path.exists():
            durable = segment.size - self.journal.uncommitted_bytes
            os.truncate(segment.path, self._rng.randint(durable, max(durable, segment.path.stat().st_size)))
        self.begin()
        assert self.stats.queued_at_start == self.journal.points_queued

    def _some(self, number: int) -> Flight | None:
        return self.flights[number % len(self.flights)] if self.flights else None

    @invariant()
    def nothing_is_in_no_account(self) -> None:
        if hasattr(self, "flow"):
            assert self.flow.imbalance == 0
            assert self.flow.points_queued >= 0

    def teardown(self) -> None:
        if hasattr(self, "journal"):
            self.journal.close()
        self._runner.close()
        self._patience.stop()
        self._temporary.cleanup()


def test_no_point_is_ever_in_no_account() -> None:
    run_state_machine_as_test(History, settings=settings(max_examples=15, stateful_step_count=30, deadline=None))
