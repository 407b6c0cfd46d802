"""What an agent tells of its clock: points, troubles, status; and how a person overrules it."""

from __future__ import annotations

import struct
import time
from pathlib import Path

from agent.timekeeping import STATE_KEY, TRUST_FILE, Timekeeper
from pipelines.clock import ScaledClock, SystemClock
from pipelines.lines import Lines
from pipelines.place import Place
from pipelines.watched import WatchedClock

PLACE = Place("agent", "acme", "hall", "", "edge")
DAY_NS = 86_400 * 10**9


def keeper(folder: Path, known_ns: int) -> Timekeeper:
    """The clock of an agent that knew this time before; this machine's own clock is right."""
    return Timekeeper(SystemClock(), {STATE_KEY: struct.pack("<q", known_ns)}, folder)


def test_a_right_clock_is_no_trouble(tmp_path: Path) -> None:
    time_ = keeper(tmp_path, time.time_ns() - DAY_NS)
    put: list[Lines] = []
    time_.tell(put.append, PLACE)
    assert not put
    assert not time_.troubles()
    assert time_.status()["believed"]
    assert abs(struct.unpack("<q", time_.state()[STATE_KEY])[0] - time.time_ns()) < 10**9


def test_a_clock_that_cannot_be_right_is_told_until_a_person_vouches_for_it(tmp_path: Path) -> None:
    time_ = keeper(tmp_path, time.time_ns() + DAY_NS)
    # a machine without NTP, whatever this one has
    time_.watched = WatchedClock(struct.pack("<q", time.time_ns() + DAY_NS), synced=lambda: False)
    time_.clock = time_.watched
    put: list[Lines] = []
    time_.tell(put.append, PLACE)
    (lines,) = put
    assert lines.points == 1
    assert lines.body.startswith(b"clock,company=acme,machine=edge,site=hall before=")
    assert b"believed=false" in lines.body
    assert b'cause="start"' in lines.body
    (trouble,) = time_.troubles()
    assert trouble.startswith("time_unsynced: ")
    assert str(tmp_path / TRUST_FILE) in trouble
    assert time_.status()["time_unsynced"]
    (tmp_path / TRUST_FILE).touch()
    time_.tell(put.append, PLACE)
    assert not (tmp_path / TRUST_FILE).exists()
    assert not time_.troubles()
    assert b'cause="trusted"' in put[-1].body
    assert abs(time_.clock.now_ns() - time.time_ns()) < 10**9


def test_the_clock_of_a_simulation_is_left_alone(tmp_path: Path) -> None:
    clock = ScaledClock(time.time_ns(), 60.0)
    time_ = Timekeeper(clock, {STATE_KEY: struct.pack("<q", time.time_ns() + DAY_NS)}, tmp_path)
    assert time_.clock is clock
    assert not time_.troubles()
    assert time_.state() == {}
    assert not time_.status()["time_unsynced"]
