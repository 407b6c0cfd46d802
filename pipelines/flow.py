"""From deliveries to durable records: batch, journal, group commit, acknowledge.

A delivery is accepted when the records that hold it are on disk. Publishing runs beside the commit: `on_record` is
called at once, and a confirmation that comes before the commit waits for it (`is_durable`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Final, NoReturn

import structlog

from pipelines.batch import RECORD_BYTES, body_of, first_record, span_of
from pipelines.clock import Clock
from pipelines.commit_due import CommitDue
from pipelines.errors import JournalFull
from pipelines.journal.finisher import Finisher
from pipelines.journal.journal import Journal, Stored
from pipelines.journal.recovery import Found
from pipelines.journal.segment import Segment
from pipelines.journal.teller import Teller
from pipelines.ledger.carried import Readings
from pipelines.lines import Lines
from pipelines.place import Place
from pipelines.point import Delivery
from pipelines.source import Source
from pipelines.stats import FlowStats
from pipelines.uncut import to_its_end

LINGER_S: Final = 0.2
"""Longest time a reading waits for others to share its record."""
_WAITING_BYTES: Final = 8 << 20
"""Appended and not yet durable bytes at which sources have to wait."""
_RETRY_S: Final = 1.0
_REMEMBER_S: Final = 600.0

log = structlog.get_logger()


def _nobody(*_: object) -> None:
    """Nobody listens yet."""


class Flow:
    """The one writer of the journal.

    Args:
        journal: open.
        clock: stamps what has no time of its own.
        stats: counters of the conservation law.
        place: where points about the whole agent stand.

    Attributes:
        healthy: whether the journal takes what it is given.
        beat_s: monotonic time of the writer's last turn.
        finisher: deletes what nobody waits for.
        on_record: told of every appended record at once.
        on_appended: told of every record and the readings in it, before anything else.
        on_moved: told of (old, new) when a failed commit moved a record.
        on_found: told of a segment that a start had no time to read.
        on_change: called when records were appended or became durable.
        carried: resume state that goes with every record.
    """

    def __init__(self, journal: Journal, clock: Clock, stats: FlowStats, place: Place) -> None:
        self.journal = journal
        self.healthy = True
        self.beat_s = time.monotonic()
        self.on_record: Callable[[Stored], None] = _nobody
        self.on_appended: Callable[[Stored, tuple[Readings, ...]], None] = _nobody
        self.on_moved: Callable[[Stored, Stored], None] = _nobody
        self.on_found: Callable[[Segment], None] = _nobody
        self.on_change: Callable[[], None] = _nobody
        self.carried: Callable[[], Mapping[str, bytes]] = dict
        self._clock = clock
        self._stats = stats
        self._place = place
        self._lines: list[Lines] = []
        self._accepted: list[Callable[[], None]] = []
        self._appended: list[Callable[[], None]] = []
        self._held: list[Stored] = []
        self._rotating = self._blocked = False
        self._sync_error, self._sync_error_s, self._failed_in_row = "", 0.0, 0
        self._teller = Teller(journal, clock, place)
        self._refused = False
        self.finisher = Finisher(journal, self._found)
        self._sync = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._size = 0
        self._durable = 0
        self._due = CommitDue(journal.settings.commit_s)
        self._committing = asyncio.Lock()
        self._wanted, self._urgent = asyncio.Event(), asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        stats.queued_at_start = journal.points_queued

    async def take(self, source: Source, delivery: Delivery) -> None:
        """Encode a delivery into the open batch; waits while too much is not yet durable."""
        await self._drained.wait()
        before = source.suppressed
        for lines in source.encode(delivery, self._clock.now_ns()):
            self._lines.append(lines)
            self._size += len(lines.body)
            if self._size >= RECORD_BYTES:
                self._try_append()
        self._stats.suppressed += source.suppressed - before
        self._want(partial(source.accepted, delivery))

    def put(self, lines: Lines, durable: Callable[[], None] = _nobody) -> None:
        """Points of the agent's own making, such as a link that is gone; they do not wait.

        Args:
            lines: the points.
            durable: called once they are on disk for good.
        """
        self._lines.append(lines)
        self._size += len(lines.body)
        self._want(durable)

    def _want(self, durable: Callable[[], None]) -> None:
        """What was just given is to be on disk for good `commit_s` from now."""
        self._accepted.append(durable)
        self._due.came(time.monotonic())
        self._wanted.set()

    async def put_alone(self, lines: Lines) -> None:
        """Points as a record of their own; returns once they are on disk for good, however long the disk refuses."""
        await self.flush()  # nothing is open then, and nothing comes between
        self.put(lines)
        self._try_append()
        await self.flush()

    def is_durable(self, stored: Stored) -> bool:
        """Whether the record of this process, or of an earlier one, is on disk for good."""
        return stored.id.epoch != self.journal.epoch or stored.id.counter <= self._durable

    @property
    def owed_bytes(self) -> int:
        """Of what it was given, not on disk yet."""
        return self._size + self.journal.uncommitted_bytes

    @property
    def points_queued(self) -> int:
        """Values that are durable and not yet stored, dropped or quarantined."""
        return self.journal.points_queued - sum(record.points for record in self.journal.take_uncommitted()[1])

    @property
    def dropped(self) -> dict[str, int]:
        """Values given up since the start, by reason: `cap`, `expired`, `damaged`."""
        losses = self.journal.losses
        return {"cap": losses.dropped_points, "expired": self._stats.expired, "damaged": losses.damaged_points}

    @property
    def imbalance(self) -> int:
        """`queued_at_start + accepted - stored - queued - dropped - quarantined`: 0 at every instant."""
        stats = self._stats
        gone = stats.stored + self.points_queued + sum(self.dropped.values()) + stats.quarantined
        return stats.queued_at_start + stats.accepted - gone

    async def run(self) -> NoReturn:
        """Close batches and commit them, and delete what nobody waits for, for ever; ends by cancellation."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self.finisher.run(), name="finisher")
            await self._write()

    async def _write(self) -> NoReturn:
        while True:
            self.beat_s = time.monotonic()
            with suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._wanted.wait()
            due_s = self._due.begin_s(time.monotonic())
            with suppress(TimeoutError):
                async with asyncio.timeout(min(LINGER_S, due_s - time.monotonic())):
                    await self._urgent.wait()
            self._wanted.clear()
            self._urgent.clear()
            self._try_append()
            much = self.journal.uncommitted_bytes >= self.journal.settings.commit_bytes
            if much or self._blocked or not self.healthy or time.monotonic() >= due_s:
                await self.flush(once=True)
            else:
                self._wanted.set()

    async def flush(self, *, once: bool = False) -> None:
        """Append what is open and make it durable, and unless `once` what comes meanwhile; however long it takes."""
        async with self._committing:
            self._blocked = False
            while self._owes():
                self.beat_s = time.monotonic()
                freed = self.finisher.freed
                try:
                    self.journal.begin()
                    self._due.taken()
                    self._append()
                    synced = await self._commit()
                except JournalFull as error:
                    self._refused = True
                    if not await self._made_room(freed):
                        self._struggle(str(error))
                        await asyncio.sleep(_RETRY_S)
                    continue
                if synced:
                    self._recovered()
                    if once and not self._blocked:
                        return
                elif self._failed_in_row > 1:  # once more at once, then as often as a sick disk bears
                    await asyncio.sleep(_RETRY_S)

    def _owes(self) -> bool:
        open_here = self._lines or self._accepted or self._appended or not self.journal.is_begun
        return bool(open_here or self.journal.uncommitted_bytes or self.journal.losses.pending)

    async def _made_room(self, freed: int) -> bool:
        """Tell what is given up at the cap, and have it gone; False when nothing went since there were `freed`."""
        self.journal.make_way()
        try:
            synced = await self._commit_appended()
        except JournalFull:
            return False
        await self.finisher.turn()
        return synced and self.finisher.freed > freed

    def _try_append(self) -> None:
        try:
            self._append()
        except JournalFull:  # `flush` makes room, or says why it cannot
            self._refused = True
            self._block()
        if self._size >= RECORD_BYTES:
            self._block()

    def _block(self) -> None:
        """Sources wait for a commit, which is wanted at once."""
        self._blocked = True
        self._drained.clear()
        self._wanted.set()
        self._urgent.set()

    def _append(self) -> None:
        """The open lines as records.

        Raises:
            JournalFull: what is left of them stays open.
        """
        if self._rotating:
            return
        while lines := first_record(self._lines):
            if not self.journal.fits(size := sum(len(one.body) for one in lines)):
                self._block()
                if not self.journal.uncommitted_bytes:
                    self.journal.next_segment()
                return  # a commit comes first, and then a fresh segment
            self._append_record(lines)
            del self._lines[: len(lines)]
            self._size -= size
        self._appended += self._accepted
        self._accepted = []
        if self.journal.uncommitted_bytes > _WAITING_BYTES:
            self._drained.clear()

    def _append_record(self, lines: Sequence[Lines]) -> None:
        body = body_of(lines)
        resume = {key: value for one in lines for key, value in one.resume.items()}
        resume.update(self.carried())
        stored = self.journal.append(body, sum(one.points for one in lines), span_of(lines), resume)
        self.on_appended(stored, tuple(one for part in lines for one in part.readings))
        if any(one.replaced for one in lines):
            # Taken again after a crash, these readings would get another time: they must not be out before.
            self._held.append(stored)
        elif body:
            self.on_record(stored)
            self.on_change()

    async def _commit(self) -> bool:
        """Make what is appended durable, acknowledge it, and leave a full segment; False when the sync failed.

        Raises:
            JournalFull: there is no room for what must be told, or written again.
        """
        journal = self.journal
        self._rotating = journal.is_full_segment
        if self._rotating:
            self._drained.clear()
        try:
            if not await self._commit_appended():
                return False
            journal.make_way()
            if self._rotating and journal.is_full_segment and not journal.uncommitted_bytes:
                with suppress(JournalFull):  # whoever needs more than is left here will say so
                    size, loop = journal.next_segment(), asyncio.get_running_loop()
                    making = loop.run_in_executor(self._sync, journal.make_segment, size)
                    await to_its_end(making, lambda made: journal.go_on(made.result()))
        finally:
            self._rotating = False
        self._let_go()
        return True

    async def _commit_appended(self) -> bool:
        if self.journal.torn:
            self.journal.rewrite_uncommitted()
        self._tell_moves()
        for stored in self._teller.tell():
            self.on_appended(stored, ())
            self._held.append(stored)
        return await self._sync_appended()

    async def _sync_appended(self) -> bool:
        waiting, self._appended = self._appended, []
        segment, records = self.journal.take_uncommitted()
        if not records:
            self._acknowledge(waiting)
            return True
        syncing = asyncio.get_running_loop().run_in_executor(self._sync, self.journal.sync, segment)
        return await to_its_end(syncing, lambda done: self._synced(done, segment, records, waiting))

    def _synced(
        self, done: asyncio.Future[None], segment: Segment, records: list[Stored], waiting: list[Callable[[], None]]
    ) -> bool:
        try:
            done.result()
        except OSError as error:
            self._appended = waiting + self._appended
            self.journal.torn, self._failed_in_row = True, self._failed_in_row + 1
            self._sync_error, self._sync_error_s = f"{segment.path}: fdatasync failed: {error}", time.monotonic()
            self._struggle(f"{self._sync_error}; the records are written again")
            return False
        self._failed_in_row = 0
        self._committed(records)
        self._acknowledge(waiting)
        return True

    def _acknowledge(self, waiting: list[Callable[[], None]]) -> None:
        self.finisher.wake()
        for accepted in waiting:
            accepted()
        self.on_change()
        self._let_go()

    def _committed(self, records: list[Stored]) -> None:
        self.journal.committed(records)
        self._durable = records[-1].id.counter
        self._stats.accepted += sum(record.points for record in records)
        for record in records:
            if not record.payload_at[1]:
                self.journal.release(record)
        self._teller.durable()
        held, self._held = self._held, []
        for record in held:
            self.on_record(record)

    def _tell_moves(self) -> None:
        moved, self.journal.moved = self.journal.moved, []
        for old, new in moved:
            if old in self._held:
                self._held[self._held.index(old)] = new
            else:
                self.on_moved(old, new)

    def _found(self, found: Found) -> None:
        before = self.journal.points_queued
        segment = self.journal.take_in(found)
        self._stats.queued_at_start += self.journal.points_queued - before
        self.on_found(segment)
        self.on_change()

    @property
    def troubles(self) -> list[str]:
        """What is not well with the journal, in words; a failed sync is told for a while, since disks seldom heal."""
        found = [] if self.healthy else [f"{self.journal.folder}: the journal takes nothing"]
        if self._sync_error and time.monotonic() - self._sync_error_s < _REMEMBER_S:
            times = self.journal.sync_errors
            found.append(f"{self._sync_error}; {times} times since the start; the disk may be dying: replace it")
        return [*found, self.finisher.failing] if self.finisher.failing else found

    def _struggle(self, reason: str) -> None:
        if self.healthy:
            log.error("journal_failing", reason=reason)
        self.healthy = False
        self._drained.clear()

    def _recovered(self) -> None:
        if not self.healthy:
            log.info("journal_recovered")
        self.healthy = True
        self._refused = False
        self._let_go()

    def _let_go(self) -> None:
        """Sources go on, unless what they gave was refused, or waits for a fresh segment or a commit."""
        waits = self._refused or self._rotating or self.journal.uncommitted_bytes > _WAITING_BYTES
        if not waits and self._size < RECORD_BYTES:
            self._drained.set()
