"""Faults 12 and 13: a start is short however much lies in the folder, since it reads heads and seals only."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Final

import pytest

from pipelines.journal.journal import Journal, JournalSettings
from tests.pipelines.journal.steps import rotate, sync, tidy

pytestmark = [pytest.mark.fault(12), pytest.mark.timeout(600)]

_PAYLOAD: Final = b"machine,site=hall temperature=20.5,pressure=3i,running=true 1700000000000000000\n" * 37
_POINTS: Final = 111


def filled(folder: Path, bytes_wanted: int, settings: JournalSettings) -> int:
    """A journal of records of 3 kB as a process leaves it that ends; how many points are in it."""
    journal = Journal(folder, settings)
    journal.open()
    points = 0
    while journal.bytes_used < bytes_wanted:
        for _ in range(128):
            journal.append(_PAYLOAD, _POINTS, (1, 2), {"link": b"state"})
            points += _POINTS
        sync(journal)
        rotate(journal)
        tidy(journal)
    journal.close()
    return points


def forget(folder: Path) -> None:
    """Take the files out of the page cache."""
    for path in folder.glob("*.seg"):
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(fd)


def read_bytes() -> int:
    """Bytes this process has read so far."""
    return int(Path("/proc/self/io").read_text().split("rchar:")[1].split()[0])


def rss_bytes() -> int:
    """Memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_start_with_everything_the_cap_allows(tmp_path: Path, size: Any, figure: Any) -> None:
    total = size(32 << 20, 2 << 30)
    settings = JournalSettings(max_bytes=total + (64 << 20), min_free_bytes=0)
    folder = tmp_path / "journal"
    points = filled(folder, total, settings)
    forget(folder)
    journal = Journal(folder, settings)
    rss, read, began_s = rss_bytes(), read_bytes(), time.monotonic()
    journal.open()
    took_s, read, grown = time.monotonic() - began_s, read_bytes() - read, rss_bytes() - rss
    segments = len(journal.segments) - 1
    try:
        assert journal.points_queued == points
        first = next(journal.walk(journal.segments[0], 0, journal.segments[0].size))
        assert first.payload() == _PAYLOAD
    finally:
        journal.close()
    figure(
        f"start with {total >> 20} MiB in {segments} segments, not in the page cache, s", asked="≤ 5", measured=took_s
    )
    figure("of these bytes the start read, MiB", asked="heads and seals only", measured=read / 2**20)
    figure("growth of RSS by what a start knows of them, MiB", asked="≤ 20", measured=grown / 2**20)
    assert took_s <= 5
    assert read <= total / 16
    assert grown <= 20 << 20
