"""An agent on a machine whose clock somebody sets (libfaketime), and what its readings must then look like."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from agent.soak.faults.clock import faked, library, write_offset
from pipelines.point import UNCERTAIN
from tests.e2e.foreign_parts import Child, Rows, Store, collector
from tests.faults.delivery.changes import counted

PERIOD_S = 0.1
HOUR_S = 3600
_PIECE = 50
"""Readings that come well before anything is taken for dead."""


def polled(port: int, name: str = "polls") -> dict[str, Any]:
    """A connection to tests/foreign/libmodbus: one poll each 0.1 s."""
    tag = {"name": "v", "address": 8, "datatype": "uint16"}
    fields = {"type": "modbus", "name": name, "host": "127.0.0.1", "port": port, "timeout_s": 5}
    return {**fields, "period_s": PERIOD_S, "tags": [tag]}


@dataclass(frozen=True)
class Machine:
    """A machine with a clock of its own."""

    folder: Path

    def __post_init__(self) -> None:
        if not library():
            pytest.fail("libfaketime is missing: apt-get install faketime (deploy/test-components.sh does)")
        self.set(0)

    @property
    def environment(self) -> dict[str, str]:
        return {**faked(self.folder / "clock"), "NO_FAKE_STAT": "1"}

    def set(self, offset_s: int) -> None:
        """The wall clock is off by so much."""
        write_offset(self.folder / "clock", offset_s)

    def set_1970(self) -> None:
        """Twenty seconds after the epoch, as a board without a battery boots."""
        self.set(20 - int(time.time()))

    @contextmanager
    def agent(self, site: dict[str, Any], broker: str, **environment: str) -> Iterator[Child]:
        """`agent run` here; its state stays for the next one."""
        with collector(self.folder, site, broker, environment={**self.environment, **environment}) as running:
            yield running


def read_on(running: Child, polls: int, name: str = "polls") -> None:
    """Wait until so many more polls were read."""

    def readings() -> int:
        return int(running.status().get("connections", {}).get(name, {}).get("readings", 0))

    last = readings() + polls
    while (before := readings()) < last:
        running.until(lambda before=before: readings() >= min(last, before + _PIECE))  # type: ignore[misc]


def store_on(running: Child, points: int) -> None:
    """Wait until so many more points are stored."""
    for done in range(0, points, _PIECE):
        counted(running, min(_PIECE, points - done))


def jumped(running: Child, more: int = 1) -> None:
    """Wait until the agent told of so many jumps, all in all."""
    running.until(lambda: running.status().get("clock", {}).get("jumps", 0) >= more)


def said_s(running: Child) -> float:
    """The agent's time once it reads, seconds since 1970 UTC; 0 before."""
    said = running.status()
    return said["clock"]["now_ns"] / 1e9 if said and said["connections"]["polls"]["readings"] else 0.0


@dataclass(frozen=True)
class Count:
    """What an agent said of its polls right before it was stopped.

    Attributes:
        read: polls that it surely has.
        left_out: ticks that it left out.
    """

    read: int
    left_out: int

    def __add__(self, other: Count) -> Count:
        return Count(self.read + other.read, self.left_out + other.left_out)


def finish(running: Child, name: str = "polls") -> Count:
    """Stop it."""
    said = running.status()["connections"][name]
    assert running.stop() == 0, running.said()
    return Count(said["readings"], said["overruns"])


def schedule_error(times_ns: Sequence[int], left_out: int) -> float:
    """By how many periods the polls of one run are off a schedule that never heard of a clock; none runs backwards."""
    assert all(before < after for before, after in pairwise(times_ns))
    periods = (times_ns[-1] - times_ns[0]) / 1e9 / PERIOD_S
    return abs(periods - (len(times_ns) - 1) - left_out)


def changed(before: dict[str, Rows], store: Store) -> list[str]:
    """Points of an earlier time that are no longer what they were."""
    found = []
    for measurement, rows in before.items():
        now = {name: dict(one) for name, one in store.rows(measurement).items()}
        found += [f"{name} at {when}" for name, one in rows.items() for when, was in one if now[name].get(when) != was]
    return found


def uncertain(rows: Rows, name: str = "v") -> set[int]:
    """Times of readings that are told to be Uncertain."""
    return {time_ns for time_ns, status in rows[f"{name}_quality"] if status == UNCERTAIN}


def jumps(store: Store) -> list[dict[str, Any]]:
    """Points of measurement `clock`, oldest first."""
    columns, rows = store._rows('SELECT * FROM "clock"')
    return [dict(zip(columns, row, strict=True)) for row in rows]
