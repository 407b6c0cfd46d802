"""Encode and journal: columns to line protocol, records to disk."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
from influxdb_client import Point

from benchmarks.timing import Stage
from pipelines.encode.line import LineEncoder, Series
from pipelines.journal.journal import Journal, JournalSettings
from tests.pipelines.journal.steps import rotate, sync, tidy

N = 5000
SERIES = Series("press", (("company", "demo"), ("line", "L1"), ("machine", "PRS-01"), ("site", "gyeongsan")))
NOW_NS = 1_790_000_000_000_000_000


def encoder() -> LineEncoder:
    """Of N tags of one machine."""
    return LineEncoder([(SERIES, f"tag{number}") for number in range(N)])


def stages(folder: Path) -> list[Stage]:
    """Encode and journal."""
    lines = encoder()
    tag = np.arange(N, dtype=np.int32)
    time_ns = NOW_NS + np.arange(N, dtype=np.int64) * 1000
    value = np.random.default_rng(1).normal(100, 20, N).round(2)  # what a PLC has: two decimals
    rows = list(zip([f"tag{number}" for number in range(N)], time_ns.tolist(), value.tolist(), strict=True))

    def encode() -> bytes:
        return lines.lines([lines.values(tag, time_ns, value)])

    def points() -> str:
        return "\n".join(
            Point("press")
            .tag("company", "demo")
            .tag("line", "L1")
            .tag("machine", "PRS-01")
            .tag("site", "gyeongsan")
            .field(name, number)
            .time(when)
            .to_line_protocol()
            for name, when, number in rows
        )

    body = encode()
    journal = Journal(folder / "journal", JournalSettings(min_free_bytes=0, max_bytes=64 << 20))
    journal.open()

    def append() -> None:
        stored = journal.append(body, N, (NOW_NS, NOW_NS), {})
        sync(journal)
        rotate(journal)
        journal.release(stored)
        tidy(journal)

    database = sqlite3.connect(folder / "queue.sqlite")
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE queue (id INTEGER PRIMARY KEY, tag TEXT, time INTEGER, value REAL)")

    def rows_in_sqlite() -> None:
        with database:
            database.executemany("INSERT INTO queue (tag, time, value) VALUES (?, ?, ?)", rows)
        with database:
            database.execute("DELETE FROM queue")

    return [
        Stage("encode", "columns to line protocol", "influxdb_client.Point", (N, N), encode, points),
        Stage("journal", "append, fdatasync, release", "sqlite3 WAL FULL", (N, N), append, rows_in_sqlite),
    ]
