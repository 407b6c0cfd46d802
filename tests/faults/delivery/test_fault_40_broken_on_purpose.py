"""Fault 40, the judge judged: promises broken on purpose make the exit code 1, and the report says which and where.

`make test` breaks all three in one run; a campaign breaks each in a run of its own.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

from tests.campaign import FIGURES_VARIABLE
from tests.faults.conftest import Figure
from tests.soak.soaking import SOON, soak

pytestmark = [pytest.mark.fault(40), pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(300)]
ALONE: Final = FIGURES_VARIABLE in os.environ

# i_l1 is read each second: every write of three seconds meets it. By the reset the collector has started again.
PLAN = """
lines: [injection_molding]
duration: 24s
store: influx
steps:
  - {at: 1s, fault: bridge_storm}
  - {at: 1s, fault: power_cut, for: 1s}
  - {at: 12s, fault: reset, for: 5s}
  - {at: 19s, fault: store_refuses, for: 3s, with: {field: i_l1}}
"""

SLOW = """
if "agent.cli" in WORDS and "bridge" in WORDS:
    import asyncio
    from pipelines.sinks.influx import InfluxV1Sink
    quick = InfluxV1Sink.write
    async def write(self, company, body):
        await quick(self, company, body)
        await asyncio.sleep(0.5)  # no promise is broken by that: something is on its way at every moment
    InfluxV1Sink.write = write
"""

UNSYNCED = """
if "agent.cli" in WORDS and "run" in WORDS:
    os.fdatasync = lambda fd: None
"""

RESTAMPED = """
if "agent.cli" in WORDS and "run" in WORDS:
    import re
    import pipelines.delivery.uplink
    from pipelines.journal.stored import Stored
    pipelines.delivery.uplink.KEPT_S = 0  # as with a broker that keeps nothing: what a reset interrupts is sent again
    first, seen = Stored.payload, set()
    def payload(self):
        body = first(self)
        if self.id in seen:
            body = re.sub(rb"(\\d+)$", lambda time: str(int(time[1]) + 7).encode(), body, flags=re.MULTILINE)
        seen.add(self.id)
        return body
    Stored.payload = payload
"""

SIFTED = """
if "agent.cli" in WORDS and "bridge" in WORDS:
    import pipelines.bridge
    import pipelines.bridge.sift
    import sys
    honest = pipelines.bridge.sift.sift
    async def sift(pieces, refusal, *rest, **more):
        return dict.fromkeys(range(len(pieces)), refusal.reason)
    for name, module in list(sys.modules.items()):
        if name.startswith("pipelines") and getattr(module, "sift", None) is honest:
            module.sift = sift
"""

UNSYNCED_SAYS = ("nothing lost: ", "power_cut")
RESTAMPED_SAYS = ("nothing doubled: ", "reset(link=collector-broker)")
SIFTED_SAYS = ("only culprits are refused: ", "store_refuses(field=i_l1)")
EACH: Final = {
    "a sync that does nothing": (UNSYNCED, [UNSYNCED_SAYS]),
    "new times at each sending": (RESTAMPED, [RESTAMPED_SAYS]),
    "a bisection that convicts everybody": (SIFTED, [SIFTED_SAYS]),
}
ALL: Final = {"all three": (UNSYNCED + RESTAMPED + SIFTED, [UNSYNCED_SAYS, RESTAMPED_SAYS, SIFTED_SAYS])}


@pytest.mark.parametrize(
    ("name", "sabotage", "sentences"),
    [pytest.param(name, *one, id=name) for name, one in (EACH if ALONE else ALL).items()],
)
def test_a_broken_promise_is_named_with_its_place(
    tmp_path: Path, name: str, sabotage: str, sentences: list[tuple[str, str]], figure: Figure
) -> None:
    code, answer, said = soak(tmp_path, PLAN, ("" if ALONE else SOON) + SLOW + sabotage)
    assert code == 1
    for promise, fault in sentences:
        told = [one for one in answer["broken"] if one.startswith(promise)]
        assert told, (promise, answer)
        assert any(fault in one for one in told), (fault, told)
        assert all(f"broken: {one}" in said for one in told)
    assert not answer["complete"]
    assert answer["not_run"] == [{"fault": "bridge_storm", "reason": "this run has no bridges"}]
    named = ", ".join(promise.strip(": ") for promise, _ in sentences)
    figure(f"broken on purpose: {name}", asked="exit code 1, promise and fault named", measured=f"{code}, {named}")
