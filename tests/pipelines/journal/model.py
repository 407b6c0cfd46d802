"""The journal as a list: what it promises, in the fewest words, beside a disk that forgets what was not synced."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipelines.clock import SystemClock
from pipelines.errors import JournalFull
from pipelines.journal.journal import Journal, JournalSettings, Stored
from pipelines.journal.teller import Teller
from pipelines.place import Place
from tests.pipelines.journal.steps import rotate, tidy

CONFIG = JournalSettings(max_bytes=1 << 20, segment_bytes=64 << 10, min_free_bytes=0)
PLACE = Place("agent", "acme", "hall", "", "edge")


class Disk:
    """What a power cut leaves: of each file the bytes of its last sync, and names as of the last sync of the folder."""

    def __init__(self, folder: Path, kept: Path) -> None:
        self.folder = folder
        self.kept = kept
        self.failing = False
        kept.mkdir()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Syncs are seen, and fail when `failing`."""
        fsync, fdatasync = os.fsync, os.fdatasync

        def synced(fd: int) -> None:
            if self.failing:
                raise OSError(5, "Input/output error")
            self._sync(Path(f"/proc/self/fd/{fd}").readlink())

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "fsync", synced)
            patch.setattr(os, "fdatasync", synced)
            yield
        assert (os.fsync, os.fdatasync) == (fsync, fdatasync)

    def _sync(self, path: Path) -> None:
        if path == self.folder:
            here = {one.name for one in self.folder.glob("*.seg")}
            for one in self.kept.glob("*.seg"):
                if one.name not in here:
                    one.unlink()
        elif path.suffix == ".seg" and path.exists():
            shutil.copyfile(path, self.kept / path.name)

    def power_cut(self) -> None:
        """Only what was synced is there."""
        shutil.rmtree(self.folder)
        shutil.copytree(self.kept, self.folder)


@dataclass
class Model:
    """A journal and the list it should equal.

    Attributes:
        durable: payloads that were accepted, oldest first, with their values.
        open: payloads that are appended.
        ever: all that were appended.
        released: payloads that were released; after a power cut they may come back.
        given_up: payloads that are dropped at the cap, or chosen to be.
        balance: values that should be queued or dropped.
    """

    folder: Path
    config: JournalSettings = CONFIG
    durable: dict[bytes, int] = field(default_factory=dict)
    open: dict[bytes, int] = field(default_factory=dict)
    ever: dict[bytes, int] = field(default_factory=dict)
    released: set[bytes] = field(default_factory=set)
    given_up: set[bytes] = field(default_factory=set)
    number: int = 0
    balance: int = 0

    def __post_init__(self) -> None:
        self.disk = Disk(self.folder / "journal", self.folder / "synced")
        self.start()

    def start(self) -> None:
        """A process starts."""
        with self.disk.watched():
            self.journal = Journal(self.folder / "journal", self.config)
            self.journal.open()
        self.teller = Teller(self.journal, SystemClock(), PLACE)
        self.stored = {stored.payload(): stored for stored in self.waiting()}
        self.balance = self.journal.points_queued

    def waiting(self) -> list[Stored]:
        """What would be sent, gap points not counted."""
        return [
            stored
            for segment in self.journal.segments
            if not segment.deleted
            for stored in self.journal.walk(segment, 0, segment.size)
            if not stored.payload().startswith(b"gap")
        ]

    def append(self, size: int, points: int) -> None:
        """A record, if there is room."""
        self.number += 1
        payload = b"%d %s" % (self.number, b"x" * size)
        now_ns = 10**18 + self.number
        state = {"key": str(self.number).encode()}
        with self.disk.watched():
            try:
                self.stored[payload] = self.journal.append(payload, points, (now_ns, now_ns), state)
            except JournalFull:
                return
        self.open[payload] = self.ever[payload] = points
        self.balance += points

    def commit(self, *, failing: bool = False) -> None:
        """What the writer does; False promises are none."""
        with self.disk.watched():
            self.disk.failing = failing
            try:
                if self.journal.torn:
                    self.journal.rewrite_uncommitted()
                    self._moved()
                for told in self.teller.tell():
                    self.balance += told.points
                segment, records = self.journal.take_uncommitted()
                if records:
                    self.journal.sync(segment)
                    self.journal.committed(records)
                    self.teller.durable()
                self.durable |= self.open
                self.open = {}
                self._drop()
                rotate(self.journal)
                tidy(self.journal)
            except JournalFull:
                pass
            except OSError:
                if self.journal.uncommitted_bytes:
                    self.journal.torn = True
            finally:
                self.disk.failing = False

    def _moved(self) -> None:
        for old, new in self.journal.moved:
            for payload, stored in self.stored.items():
                if stored is old:
                    self.stored[payload] = new
                    break
        self.journal.moved = []

    def _drop(self) -> None:
        self.journal.make_way()
        for loss in list(self.journal.losses.pending):
            if loss.is_whole:
                self.given_up |= {one for one, stored in self.stored.items() if stored.segment is loss.segment}

    def release(self, which: int) -> None:
        """The store has one of the accepted records."""
        due = [one for one in self.durable if one not in self.released | self.given_up]
        if due:
            payload = due[which % len(due)]
            self.journal.release(self.stored[payload])
            self.released.add(payload)
            self.balance -= self.durable[payload]

    def restart(self, *, power_cut: bool, orderly: bool) -> None:
        """The process ends and another one starts."""
        with self.disk.watched():
            if orderly:
                self.commit()
                self.journal.close()
            else:
                for segment in self.journal.segments:
                    segment.close()
                os.close(self.journal._lock_fd)
                self.journal._lock_fd = -1
        if power_cut:
            self.disk.power_cut()
        given_up = {stored.segment.path.name for stored in self.stored.values() if stored.segment.told}
        self.start()
        self.check_after(power_cut=power_cut, gone=given_up)

    def check_after(self, *, power_cut: bool, gone: set[str]) -> None:
        """Nothing accepted is missing, nothing is there that never was, nothing is altered or out of order."""
        back = list(self.stored)
        assert set(self.durable) - self.released - self.given_up <= set(back)
        assert set(back) <= self.ever.keys()
        if not power_cut:
            assert not set(back) & self.released
        assert [number_of(one) for one in back] == sorted(number_of(one) for one in back)
        assert len(back) == len(self.waiting())
        assert not gone & {stored.segment.path.name for stored in self.stored.values()}
        self.durable = {one: self.ever[one] for one in back}
        self.released, self.given_up, self.open = set(), set(), {}
        known = [number_of(one) for one in back]
        if known:
            assert int(self.journal.resume["key"]) >= max(known)

    def check(self) -> None:
        """What holds at every instant: every value is in one account, and the cap is not exceeded."""
        assert self.journal.points_queued + self.journal.losses.dropped_points == self.balance
        assert self.journal.losses.damaged_points == 0
        used = sum(path.lstat().st_blocks * 512 for path in [self.disk.folder, *self.disk.folder.rglob("*")])
        assert used <= self.journal.bytes_used <= self.config.max_bytes

    def close(self) -> None:
        """The end of the test."""
        self.journal.close()


def number_of(payload: bytes) -> int:
    """Which record it is."""
    return int(payload.split(b" ", 1)[0])
