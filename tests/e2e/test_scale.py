"""One OPC UA server with 2,000 tags that all change once a second: every change is stored, once, as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.campaign.big_line import write_line
from tests.e2e.harness import assert_nothing_lost, simulation

pytestmark = [pytest.mark.wire, pytest.mark.slow]
TAGS = 2_000
ROUNDS = 3


def test_two_thousand_changes_a_second_lose_nothing(tmp_path: Path) -> None:
    line = write_line(tmp_path / "big", TAGS)
    with simulation(tmp_path / "run", str(line)) as run:
        run.pid_of("collector")
        run.until_stored(ROUNDS * TAGS)
        answer = run.stop()
    assert_nothing_lost(answer)
    assert answer["tags"] == TAGS
    assert answer["produced"] >= ROUNDS * TAGS
