"""The truth log survives."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest
from pymodbus.client import ModbusTcpClient

from simulators.truth import TruthLog, read_truth

if TYPE_CHECKING:
    from pathlib import Path


def test_lines_carry_their_number_and_read_back_bit_for_bit(tmp_path: Path) -> None:
    path = tmp_path / "truth"
    log = TruthLog(path)
    values = [0.1 + 0.2, 5e-324, -0.0, 2**63, True, "프레스", None]
    for value in values:
        log.write("change", value=value)
    log.close()
    lines = list(read_truth(path))
    assert [line["n"] for line in lines] == list(range(7))
    assert [repr(line["value"]) for line in lines] == [repr(value) for value in values]


def test_an_unfinished_line_is_left_out_and_a_hole_is_named(tmp_path: Path) -> None:
    path = tmp_path / "truth"
    path.write_bytes(b'{"k":"a","n":0}\n{"k":"b","n":1}\n{"k":"c"')
    assert [line["k"] for line in read_truth(path)] == ["a", "b"]
    path.write_bytes(b'{"k":"a","n":0}\n{"k":"b","n":2}\n')
    with pytest.raises(ValueError, match="line 1 carries sequence number 2"):
        list(read_truth(path))


def test_a_new_run_begins_a_new_log(tmp_path: Path) -> None:
    for _ in range(2):
        log = TruthLog(tmp_path / "truth")
        log.write("header")
        log.close()
    assert len(list(read_truth(tmp_path / "truth"))) == 1


@pytest.mark.wire
@pytest.mark.slow
def test_what_was_answered_is_on_disk_when_the_plant_is_killed(plant: Any) -> None:
    process = plant("--line", "auto_press_machining")
    with ModbusTcpClient("127.0.0.1", port=process.endpoints["prs"]["port"]) as client:
        assert client.read_holding_registers(0, count=21, device_id=1).registers
    process.wait(b'"poll"')
    process.process.send_signal(signal.SIGKILL)
    assert process.process.wait(30) == -signal.SIGKILL
    assert [line["count"] for line in process.truth() if line["k"] == "poll"] == [21]


async def test_stalls_of_more_than_5_ms_are_written_down(tmp_path: Path) -> None:
    ms = 1_000_000
    looks = iter([0, 15 * ms, 20 * ms, 130 * ms])  # due at 10 and 30: 5 ms late, which is nothing, and 100 ms
    log = TruthLog(tmp_path / "truth")
    with pytest.raises(RuntimeError, match="StopIteration"):
        await log.keep_stalls(lambda: next(looks), 1.0)
    log.close()
    assert list(read_truth(tmp_path / "truth")) == [{"k": "stall", "n": 0, "start_ns": 30 * ms, "end_ns": 130 * ms}]
