"""How commands end when something is in their way: one clear line, and nobody else is harmed."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from agent.cli import run
from agent.commands.alarms import show
from agent.simulate.folder import work_folder
from agent.urls import mqtt_settings
from pipelines.derive.battery import grading
from pipelines.derive.energy import factors
from pipelines.errors import ConfigError

AGENT = f"{sys.executable} -m agent.cli"
ROOT = Path(__file__).parents[2]


def shell(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (f"{AGENT} version > /dev/full", "No space left on device"),
        (f"{AGENT} --help > /dev/full", "No space left on device"),
        (f"{AGENT} lines --json >&-", "Bad file descriptor"),
    ],
)
def test_an_output_that_takes_nothing_is_told_in_one_line(script: str, why: str) -> None:
    done = shell(script)
    assert (done.returncode, done.stdout, done.stderr) == (3, "", f"error: stdout: cannot write the result: {why}\n")


@pytest.mark.parametrize("command", ["simulate cnc_turning", "soak smoke"])
def test_a_work_folder_that_cannot_be_made(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "file"
    file.touch()
    assert run([*command.split(), "--work", str(file / "x")]) == 2
    assert capsys.readouterr().err == f"error: --work {file}/x: cannot be used: Not a directory\n"
    assert run([*command.split(), "--work", str(file)]) == 2
    assert capsys.readouterr().err == f"error: --work {file}: cannot be used: File exists\n"


@pytest.mark.parametrize("command", ["simulate cnc_turning", "soak smoke"])
def test_a_second_run_in_a_work_folder_leaves_the_first_alone(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with work_folder(tmp_path, "sf-") as folder:
        (folder / "agent").mkdir()
        (folder / "agent" / "journal").write_bytes(b"of the first")
        before = sorted(tmp_path.rglob("*"))
        assert run([*command.split(), "--work", str(tmp_path)]) == 2
        said = capsys.readouterr().err
        assert said == (
            f"error: --work {tmp_path}: a run with process id {os.getpid()} uses this folder; "
            "end it, or name another folder\n"
        )
        assert sorted(tmp_path.rglob("*")) == before
    with work_folder(tmp_path, "sf-") as folder:
        assert folder == tmp_path, "the lock ends with the run"


NAMES = ["FUR-0123456789/zone_deviation_high_of_a_long_name", "냉각기-01/냉각수온도상한초과경보"]


@pytest.mark.parametrize("width", [60, 80, 200])
def test_no_alarm_is_cut_on_a_terminal_nor_in_a_pipe(width: int) -> None:
    label = {"ko": "3존온도편차가설정보다큼", "en": "Zone 3 is far off its set point"}
    alarms: list[dict[str, Any]] = [
        {"alarm": name, "priority": "important", "state": "UNACK", "cause": "condition", "raised_ns": 10**18}
        | {"until_ns": 0, "safety": True, "label": label, "action": label}
        for name in NAMES
    ]
    for terminal in (True, False):
        console = Console(file=io.StringIO(), width=width, force_terminal=terminal, no_color=True)
        show(alarms, console)
        text = re.sub(r"\x1b\[[0-9;]*m", "", console.file.getvalue())  # type: ignore[attr-defined]
        assert "…" not in text
        cells = [re.split("[│┃]", line)[1:-1] for line in text.splitlines() if "│" in line]
        column = "".join(cell[1].strip() for cell in cells)
        assert column == "".join(NAMES)
        if not terminal:
            assert all(any(name in line for line in text.splitlines()) for name in NAMES), "one can look for it"


def test_the_version_stands_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    assert "--version" in capsys.readouterr().out


def test_no_message_speaks_as_pydantic_does(tmp_path: Path) -> None:
    table = tmp_path / "table.yaml"
    table.write_text("factors: [{carrier: electricity}]\n", encoding="utf-8")
    for fails in (
        lambda: mqtt_settings("mqtt://h:0"),
        lambda: factors.load(table),
        lambda: grading.load(table),
    ):
        with pytest.raises(ConfigError) as caught:
            fails()
        assert not re.search("Value error|validation error|pydantic|\n", str(caught.value)), caught.value


@pytest.mark.wire
def test_ctrl_c_in_the_live_table_ends_with_the_verdict(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "agent.cli", "simulate", "cnc_turning", "--work", str(tmp_path / "work")]
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(ROOT)
        os.execv(command[0], command)  # noqa: S606 - the program under test, with fixed words
    said = b""
    while True:
        try:
            said += os.read(terminal, 65536)
        except OSError:  # EIO: it ended
            break
        if b"Ctrl-C" in said and not (tmp_path / "pressed").exists():
            (tmp_path / "pressed").touch()
            os.write(terminal, b"\x03")
    os.close(terminal)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    last = said.decode(errors="replace").strip().splitlines()[-1]
    assert re.search(r"10 tags: produced \d+, .*missing 0, .*duplicated 0, altered 0; latency", last), last
    assert code == 0
