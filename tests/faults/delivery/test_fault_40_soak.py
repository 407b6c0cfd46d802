"""Fault 40: all faults at random, seeded; the whole of it is `make campaign ARGS=soak`, here is one run of it.

`make test` runs a few seconds with one fault of each kind of place; a campaign runs the plan `standard`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.soak.plan import PLANS
from tests.faults.conftest import Figure, Size
from tests.soak.soaking import SOON, soak

pytestmark = [pytest.mark.fault(40), pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(300)]
SHORT = """
lines: [injection_molding]
duration: 10s
steps:
  - {random: 1, between: [1s, 2s], fault: power_cut, for: 1s}
  - {random: 1, between: [3s, 4s], fault: broker_kill, for: 1s}
  - {random: 1, between: [5s, 6s], fault: network_down, for: 1s, with: {link: broker}}
  - {random: 1, between: [7s, 8s], fault: kill, for: 0s, with: {part: serve}}
"""


def test_nothing_is_lost_doubled_or_altered(tmp_path: Path, size: Size, figure: Figure) -> None:
    plan, more = ((PLANS / "standard.yaml").read_text(encoding="utf-8"), "") if size(0, 1) else (SHORT, SOON)
    code, answer, said = soak(tmp_path, plan, more, "--seed", "7")
    assert (code, answer["broken"], answer["complete"]) == (0, [], True), said
    assert answer["produced"] > 0
    assert (answer["missing"], answer["duplicated"], answer["altered"]) == (0, 0, 0)
    assert answer["verify"]["agree"]
    assert answer["conservation"]["worst_imbalance"] == 0
    faults = sum(one["count"] for one in answer["faults"].values())
    assert faults == size(4, 36)
    longest = max(one["recovery_s"]["max"] for one in answer["faults"].values())
    figure("faults of a soak run: readings missing, doubled, altered", asked="0, 0, 0", measured=f"0, 0, 0 in {faults}")
    figure("… conservation, worst imbalance", asked="0", measured=f"0 in {answer['conservation']['samples']} looks")
    figure("… recovery after a fault, longest, seconds", asked="≤ 60", measured=longest)
    figure("… agent verify agrees", asked="yes", measured="yes")
