"""A lathe behind an MTConnect agent: nothing is lost, doubled or altered, whoever of the two is restarted."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.paths import STORE_FILE
from tests.e2e.harness import assert_nothing_lost, simulation
from viewer.stores.base import Place
from viewer.stores.duckdb import DuckDbStore

pytestmark = [pytest.mark.wire, pytest.mark.slow]
LINE = "cnc_turning"


def test_kill_of_the_collector_loses_nothing(tmp_path: Path) -> None:
    """Every observation stays in the agent's buffer until the next poll, so that no gap explains anything."""
    with simulation(tmp_path / "run", LINE) as run:
        run.until_stored(50)
        run.kill("collector")
        run.until_stored(50)
        answer = run.stop()
    assert_nothing_lost(answer)
    assert answer["produced"] >= 100


def test_a_restart_of_the_agent_is_a_gap(tmp_path: Path) -> None:
    """What its buffer held is gone with it; from its first observation on everything is there again."""
    with simulation(tmp_path / "run", LINE) as run:
        run.until_stored(50)
        run.fault("comm_loss", device="trn", for_s=1.5, how="restart")
        run.until(lambda: b'"ended":true' in (run.work / "truth.jsonl").read_bytes())
        run.until_stored(50)
        answer = run.stop()
    assert_nothing_lost(answer, outages=True)
    store = DuckDbStore(tmp_path / "run" / "store" / STORE_FILE)
    try:
        gaps = store.gaps()
        alarms = store.points(Place("demo", "gyeongsan", "turning-cell", "TRN-01", "alarm"), "event")
    finally:
        store.close()
    assert {gap.cause for gap in gaps} == {"no_communication"}
    assert len({gap.tag for gap in gaps}) == 11  # ten tags and the conditions
    assert all(gap.end_ns and gap.start_ns < gap.end_ns < gap.start_ns + 5e9 for gap in gaps)
    assert "Unavailable" in alarms.value.tolist()
