"""The rhythm of a tape: each line when its time has come, at any speed, again from the front if wanted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent.record.writer import Writer
from simulators.replay.contents import contents_of
from simulators.replay.recording import FORMAT, VERSION, Recording
from simulators.replay.tape import LEAD_S, Tape

S = 1_000_000_000
BEGAN = 1_700_000_000 * S


class Device:
    def __init__(self) -> None:
        self.heard: list[tuple[int, int]] = []

    def take(self, line: dict[str, Any], shift_ns: int) -> None:
        self.heard.append((line["at"], shift_ns))


def recording(path: Path, *times: tuple[float, float]) -> Recording:
    """Answers asked for and received at these seconds."""
    writer = Writer(path)
    connections = [{"name": "plc", "type": "modbus"}]
    writer.write("header", format=FORMAT, version=VERSION, started=BEGAN, connections=connections)
    for number, (asked_s, came_s) in enumerate(times):
        what = {"unit": 1, "fc": 3, "at": number, "n": 1, "data": "0000"}
        writer.write("modbus", c=0, q=BEGAN + round(asked_s * S), t=BEGAN + round(came_s * S), **what)
    writer.close()
    return Recording(path)


def tape(found: Recording, rate: float = 1.0, **more: Any) -> tuple[Tape, Device]:
    one, device = Tape(found, contents_of(found), rate, **{"loop": False, "stopped": lambda: False, **more}), Device()
    one.devices[0] = device
    return one, device


@pytest.mark.parametrize("rate", [1.0, 60.0])
def test_each_line_comes_at_its_time_and_a_lead_before_at_any_speed(rate: float, tmp_path: Path) -> None:
    one, device = tape(recording(tmp_path / "r", (10, 11), (20, 21)), rate)
    now, lead = 50 * S, round(LEAD_S * rate * S)
    one.begin(now)
    one.begin(now + S)  # only the first client matters
    one.advance(now + 10 * S - lead - 1)
    assert not device.heard
    one.advance(now + 10 * S - lead)
    assert device.heard == [(0, now - BEGAN)]
    one.advance(now + 21 * S)
    assert [at for at, _ in device.heard] == [0, 1]
    assert not one.over
    one.advance(now + 21 * S + 10 * lead)
    assert one.over


def test_nothing_runs_before_the_first_client_or_after_the_end(tmp_path: Path) -> None:
    stopped = False
    one, device = tape(recording(tmp_path / "r", (0, 0.1), (1, 1.1)), stopped=lambda: stopped)
    one.advance(99 * S)
    assert not device.heard
    one.begin(100 * S)
    one.advance(100 * S)
    stopped = True
    one.advance(200 * S)
    assert [at for at, _ in device.heard] == [0]


def test_what_began_first_comes_first_although_it_was_written_later(tmp_path: Path) -> None:
    one, device = tape(recording(tmp_path / "r", (2, 2.1), (3, 3.1), (1.5, 3.5), (4, 4.1)))
    one.begin(0)
    one.advance(round(1.6 * S))
    assert [at for at, _ in device.heard] == [2], "a time-out holds from when the request was sent"
    one.advance(9 * S)
    assert [at for at, _ in device.heard] == [2, 0, 1, 3]


def test_a_loop_goes_on_with_later_times(tmp_path: Path) -> None:
    one, device = tape(recording(tmp_path / "r", (0, 0.5), (1, 2)), loop=True)
    one.begin(0)
    one.advance(7 * S)
    assert [at for at, _ in device.heard] == [0, 1] * 4
    assert [(shift + BEGAN) // S for _, shift in device.heard] == [0, 0, 2, 2, 4, 4, 6, 6]
    assert not one.over
