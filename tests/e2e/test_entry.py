"""Entries beside a running plant: kept over a kill of the server that took them, and nothing measured is changed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agent.control.readings import ServedStore
from pipelines.errors import DependencyError
from tests.e2e.harness import Run, assert_nothing_lost, assert_verified, simulation
from viewer.stores.base import Place

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(300)]
PLACE = Place("demo", "gwangju", "metal-workshop", "MCH-01", "entry")
CSV = """구분,설비,사유,불량수량,일시,종료,입력자
비가동 사유,MCH-01,소재 대기,,2024-01-02 08:00,2024-01-02 08:30,김
불량,MCH-01,,3,2024-01-02 09:00,,김
"""


def agent_entry(run: Run, *arguments: str) -> tuple[int, dict[str, Any], str]:
    command = [sys.executable, "-m", "agent.cli", "entry", *arguments, "--store", str(run.work / "store"), "--json"]
    ended = subprocess.run(command, capture_output=True, check=False)
    return ended.returncode, json.loads(ended.stdout or b"{}"), ended.stderr.decode()


def ids(run: Run) -> list[str]:
    try:
        (found,) = ServedStore(run.work / "store").readings([(PLACE, "id")], 0, 2**62)
    except DependencyError:  # it begins again
        return []
    return [str(one) for one in found.value]


def test_a_file_is_kept_over_a_kill_and_the_ledger_still_agrees(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_bytes(CSV.encode("cp949"))
    bad.write_text(CSV + "불량,MCH-09,,3,2024-01-02 09:00,,김\n", encoding="utf-8")
    with simulation(tmp_path / "run", "lite_workshop") as run:
        run.pid_of("serve")
        run.until_stored(20)
        code, said, _ = agent_entry(run, "import", str(bad))
        assert (code, said["saved"], said["taken"]) == (1, 0, 2), "all of a file, or nothing"
        assert [(one["line"], one["field"]) for one in said["refused"]] == [(4, "machine")]
        assert agent_entry(run, "check", str(good))[:2][1]["saved"] == 0
        for _ in range(2):  # the same file twice
            code, said, _ = agent_entry(run, "import", str(good))
            assert (code, said["saved"]) == (0, 2)
        run.kill("serve")
        run.until(lambda: len(ids(run)) == 2)
        run.until_stored(20)
        assert len(set(ids(run))) == 2
        assert_verified(run.work, "--store", str(run.work / "store"))
        answer = run.stop()
    assert_verified(run.work, "--store", str(run.work / "store"))
    assert_nothing_lost(answer)
