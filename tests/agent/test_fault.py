"""Faults by hand: `agent fault` against a running plant, and what the keys of the live table ask for."""

from __future__ import annotations

import json
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from agent import cli
from agent.simulate.keys import Keys
from agent.simulate.plant import only_plant, running_plants, tell_plant
from agent.simulate.table import table
from pipelines.errors import ConfigError, DependencyError

ROWS: list[dict[str, Any]] = [
    {"fault": "heater_break", "ko": "히터 단선", "en": "heater break", "devices": {}},
    {"fault": "stuck", "ko": "값 고착", "en": "value stuck", "devices": {"tcu": ["a"], "imm": ["b"]}},
    {"fault": "spike", "ko": "스파이크", "en": "spike", "devices": {"tcu": ["a"]}, "needs_signal": True},
    {"fault": "restart", "ko": "서버 재시작", "en": "restart", "devices": {"imm": []}},
]


def test_a_key_begins_a_fault_and_ends_it() -> None:
    keys = Keys()
    keys.take({"faults": ROWS, "active": []})
    assert keys.devices == ["tcu", "imm"]
    assert keys.order("a") == {"fault": "heater_break"}
    assert keys.order("b") == {"fault": "stuck", "device": "tcu"}
    assert keys.order("2") is None
    assert keys.order("b") == {"fault": "stuck", "device": "imm"}
    keys.take({"faults": ROWS, "active": [{"fault": "stuck", "device": "imm"}, {"fault": "heater_break"}]})
    assert keys.order("a") == {"end": "heater_break"}
    assert keys.order("b") == {"end": "stuck", "device": "imm"}
    assert keys.order("1") is None
    assert keys.order("b") == {"fault": "stuck", "device": "tcu"}


def test_a_key_that_does_not_fit_says_so() -> None:
    keys = Keys()
    keys.take({"faults": ROWS, "active": []})
    assert keys.order("c") is None
    assert "restart: tcu" in keys.notice
    assert [keys.order(key) for key in ("d", "9", "?", "")] == [None] * 4
    text = keys.footer().plain
    assert "[1] tcu" in text
    assert "[a] 히터 단선 heater_break" in text
    assert "spike" not in text


def test_the_live_table_shows_links_values_points_and_keys() -> None:
    keys = Keys()
    keys.take({"faults": ROWS, "active": []})
    link = {"connected": False, "error": "no reply", "readings": 1234, "overruns": 2}
    status = {"connections": {"tcu": link}, "points": {"accepted": 9876, "dropped_by": {"full": 0}}}
    console = Console(width=140, file=StringIO())
    console.print(table(status, {("IMM-01", "oil_t"): 44.25}, "http://viewer", "notice", keys.footer()))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    words = (
        "단절 no reply",
        "1,234",
        "oil_t=44.25",
        "accepted 9,876",
        "http://viewer",
        "[a] 히터 단선 heater_break",
        "notice",
    )
    assert [word for word in words if word not in shown] == []


def test_a_bad_script_is_told_by_file_and_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "faults.yaml"
    script.write_text("- {at: 5s, fault: stuck, device: trn}\n- {fault: restart, device: imm}\n", encoding="utf-8")
    assert cli.run(["simulate", "cnc_turning", "--faults", str(script)]) == 2
    assert capsys.readouterr().err == f"error: {script}:2: device: there is no 'imm'; there are trn\n"
    assert cli.run(["simulate", "cnc_turning", "--faults", str(tmp_path / "gone.yaml")]) == 2
    assert "cannot read: No such file" in capsys.readouterr().err


def test_which_simulation_is_meant_where_several_run() -> None:
    one, other = Path("/a/plant.sock"), Path("/b/plant.sock")
    assert only_plant({one: "cnc_turning"}) == one
    with pytest.raises(
        ConfigError, match=r"2 simulations run here; say which with --work: /a \(cnc_turning\), /b \(laser_cell\)"
    ):
        only_plant({one: "cnc_turning", other: "laser_cell"})
    with pytest.raises(DependencyError, match="no simulation runs here"):
        only_plant({})


def test_lines_that_one_agent_cannot_read_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["simulate", "injection_molding", "utilities_energy", "--for", "5s"]) == 2
    assert "calendar: differs from the first file" in capsys.readouterr().err


@pytest.mark.wire
def test_orders_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    work = tmp_path / "run"
    work.mkdir()
    control = work / "plant.sock"
    command = [sys.executable, "-m", "simulators", "--line", "cnc_turning", "--truth", str(tmp_path / "truth")]
    with subprocess.Popen([*command, "--control", str(control)], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline()
            assert running_plants()[control] == "cnc_turning"
            assert cli.run(["fault", "--json", "--work", str(work)]) == 0
            listed = json.loads(capsys.readouterr().out)
            assert {"comm_loss", "stuck"} <= {row["fault"] for row in listed["faults"]}
            there = ["--device", "trn", "--work", str(work)]
            order = ["fault", "comm_loss", "--for", "10m", "--with", "how=silent"]
            assert cli.run([*order, *there]) == 0
            said = capsys.readouterr()
            assert said.out == "comm_loss device=trn how=silent: 600 s\n"
            assert said.err == f"시뮬레이션 / simulation: {work}\n"
            while not tell_plant(control, list=True)["active"]:
                pass
            assert cli.run(["fault", "--list", "--work", str(work)]) == 0
            assert "진행 중 / under way: comm_loss device=trn how=silent (600 s)" in capsys.readouterr().out
            assert cli.run(["fault", "comm_loss", "--end", *there]) == 0
            while tell_plant(control, list=True)["active"]:
                pass
            assert cli.run(["fault", "comm_loss", "--end", *there]) == 1
            assert cli.run(["fault", "comm_loss", *there[2:]]) == 2
            assert "comm_loss befalls a device; say --device trn" in capsys.readouterr().err
            assert cli.run(["fault", "stuk", *there]) == 2
            assert "did you mean stuck?" in capsys.readouterr().err
            assert cli.run(["fault", "stuck", "--with", "hard", *there]) == 2
        finally:
            process.terminate()
    with pytest.raises(DependencyError, match="the plant does not answer"):
        tell_plant(control, list=True)
    assert cli.run(["fault", "--work", str(work)]) == 3
