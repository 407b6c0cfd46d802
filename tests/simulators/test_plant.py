"""The plant is reproducible, and its registers are what the manuals say."""

from __future__ import annotations

import os
import random
import signal
import struct
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from simulators.plant import line_names, load_plant, plant_of
from simulators.words import engineering, quantise, to_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LINES = ("auto_press_machining", "injection_molding")


def run(seed: int, steps: int, lines: tuple[str, ...] = LINES) -> list[list[object]]:
    plant = load_plant(lines, seed)
    seen = []
    for _ in range(steps):
        plant.step()
        seen.append([signal.shown(plant.values) for signal in plant.signals()])
    return seen


def test_same_seed_same_plant() -> None:
    assert run(7, 400) == run(7, 400)
    assert run(7, 400) != run(8, 400)


def test_a_line_runs_the_same_alone_and_beside_another() -> None:
    alone, together = run(3, 200, LINES[:1]), run(3, 200)
    assert [row[: len(alone[0])] for row in together] == alone


def test_lines_are_found_and_an_unknown_one_is_named() -> None:
    assert set(LINES) <= set(line_names())
    with pytest.raises(ValueError, match="no line nowhere; there are"):
        load_plant(["nowhere"])


def test_counters_follow_the_strokes_and_energy_follows_the_power() -> None:
    plant = load_plant(LINES, 5)
    before = dict(plant.values)
    strokes, joule = 0, 0.0
    for _ in range(20 * 120):
        plant.step()
        strokes += plant.values["prs_stroke_n"]
        joule += plant.values["mtr_w"] * 0.05
    after = plant.values
    assert 60 < strokes < 130  # 120 s at about 52 strokes a minute, short stops included
    assert after["prs_shots"] - before["prs_shots"] == strokes
    assert after["prs_good"] - before["prs_good"] + after["prs_ng"] - before["prs_ng"] == strokes
    assert after["mtr_kwh"] - before["mtr_kwh"] == pytest.approx(joule / 3.6e6, rel=1e-6)


def test_freeze_stops_every_variable() -> None:
    plant = load_plant(LINES)
    plant.frozen = True
    before = dict(plant.values)
    plant.step()
    assert plant.values == before


def test_a_bad_plant_names_what_is_wrong() -> None:
    document = yaml.safe_load("line: a\nvariables: {x: {value: 1}}\ndevices: {d: {type: serial, signals: {}}}")
    with pytest.raises(ValueError, match="no type 'serial'"):
        plant_of([document])


def test_word_orders_of_a_known_value() -> None:
    raw = 0x11223344
    assert to_bytes(raw, "uint32", "ABCD").hex() == "11223344"
    assert to_bytes(raw, "uint32", "CDAB").hex() == "33441122"
    assert to_bytes(raw, "uint32", "BADC").hex() == "22114433"
    assert to_bytes(raw, "uint32", "DCBA").hex() == "44332211"
    assert to_bytes(0x1122334455667788, "uint64", "CDAB").hex() == "7788556633441122"
    assert to_bytes(struct.unpack(">f", bytes.fromhex("43663333"))[0], "float32").hex() == "43663333"  # 230.2 V


def test_quantisation_divides_and_clips() -> None:
    assert engineering(quantise(128.44, "uint16", 1), 1) == 128.4
    assert engineering(3, 1) == 0.3  # 3 / 10, not 3 * 0.1
    assert quantise(-1, "uint16", 0) == 0
    assert quantise(70000, "uint16", 0) == 65535
    assert quantise(230.2, "float32", 0) == struct.unpack(">f", struct.pack(">f", 230.2))[0]
    rng = random.Random(1)
    for _ in range(200):
        value = rng.uniform(-1000, 1000)
        assert abs(engineering(quantise(value, "int16", 1), 1) - value) <= 0.05 + 1e-9


@pytest.mark.wire
@pytest.mark.slow
def test_process_freezes_stops_and_leaves_a_whole_log(plant: Callable[..., Any]) -> None:
    process = plant("--line", "injection_molding", "--speed", "20")
    assert set(process.endpoints) == {"imm", "tcu", "aux", "mtr_imm"}
    assert process.endpoints["imm"]["url"].startswith("opc.tcp://127.0.0.1:")
    process.freeze()
    os.kill(process.process.pid, signal.SIGUSR1)  # freezing twice is freezing once
    assert process.stop() == 0
    lines = process.truth()
    assert lines[0]["k"] == "header"
    assert len(lines[0]["signals"]) == process.ready["signals"]
    assert [line["k"] for line in lines].count("freeze") == 1
    assert lines[-1]["k"] == "stop"
    frozen = next(line["n"] for line in lines if line["k"] == "freeze")
    assert not [line for line in lines[frozen:] if line["k"] == "change"]


def test_bad_arguments_exit_with_2(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "simulators", "--truth", str(tmp_path / "t"), "--line", "nowhere"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no line nowhere" in done.stderr
