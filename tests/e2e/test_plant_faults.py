"""Every generic fault against the real connectors: whatever a device shows or leaves unanswered, nothing is lost.

Orders go over the plant's socket while `agent simulate` runs, a chain of faults for each device at a time.
"""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any, Final

import pytest

from agent.control.client import ask
from agent.simulate.plant import tell_plant
from simulators.faults.table import FAULTS
from simulators.truth import read_truth
from tests.e2e.harness import Run, assert_nothing_lost, simulation

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(300)]
CHAINS: Final[dict[str, list[dict[str, Any]]]] = {
    "imm": [
        {"fault": "stuck"},
        {"fault": "counter_reset", "signal": "shot_count"},
        {"fault": "rollover", "signal": "good"},
        {"fault": "bad_quality"},
        {"fault": "uncertain_quality"},
        {"fault": "queue_overflow"},
        {"fault": "clock_skew"},
        {"fault": "half_open"},
        {"fault": "restart"},
        {"fault": "comm_loss", "how": "silent"},
    ],
    "tcu": [
        {"fault": "open_sensor", "signal": "mold1_pv"},
        {"fault": "spike", "signal": "mold2_pv"},
        {"fault": "timeout"},
        {"fault": "exception"},
        {"fault": "wrong_reply"},
        {"fault": "half_open"},
    ],
    "mtr_imm": [
        {"fault": "word_order"},
        {"fault": "power_off"},
        {"fault": "late_reply", "every": 2, "late_s": 1.5},
    ],
}


def settled(run: Run, since: dict[str, int]) -> set[str]:
    """Devices without a fault that were read again since their last one began; `since` is kept up to date."""
    said = tell_plant(run.work / "plant.sock", list=True)
    links = json.loads(ask(run.work / "agent"))["connections"]
    for one in said["active"]:
        since[one["device"]] = links[one["device"]]["readings"]
    return {name for name, link in links.items() if link["connected"] and link["readings"] > since.get(name, 0)}


def test_nothing_is_lost_under_any_fault(tmp_path: Path) -> None:
    left = {device: list(chain) for device, chain in CHAINS.items()}
    since: dict[str, int] = {}
    with simulation(tmp_path / "run", "injection_molding") as run:
        run.pid_of("collector")
        run.until_stored(50)
        deadline_s = time.monotonic() + 90
        while not left.keys() <= settled(run, since) or any(left.values()):
            for device in left.keys() & settled(run, since):
                if left[device]:
                    run.fault(**left[device].pop(0), device=device, for_s=1.0)
            assert time.monotonic() < deadline_s
            run.pause()
        run.process.send_signal(signal.SIGINT)
        answer = run.result()
    assert_nothing_lost(answer, outages=True)
    seen = {line["fault"] for line in read_truth(tmp_path / "run/truth.jsonl") if line["k"] == "fault"}
    assert seen == FAULTS.keys() - {"certificate_change"}  # to a collector without security it is a restart
