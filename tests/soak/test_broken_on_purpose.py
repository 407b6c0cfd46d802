"""A promise that is broken on purpose makes the exit code 1, and the report says which one and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.soak.soaking import soak

pytestmark = [pytest.mark.wire, pytest.mark.slow]
HEAD = "lines: [injection_molding]\nduration: {duration}\n"


def broken(answer: dict[str, Any], promise: str) -> str:
    """The first sentence about a promise."""
    found = [one for one in answer["broken"] if one.startswith(promise)]
    assert found, answer
    return str(found[0])


RESTAMPED = """
if "agent.cli" in WORDS and "run" in WORDS:
    import re
    from pipelines.journal.stored import Stored
    first, seen = Stored.payload, set()
    def payload(self):
        body = first(self)
        if self.id in seen:
            body = re.sub(rb"(\\d+)$", lambda time: str(int(time[1]) + 7).encode(), body, flags=re.MULTILINE)
        seen.add(self.id)
        return body
    Stored.payload = payload
if "agent.cli" in WORDS and "serve" in WORDS:
    import asyncio
    from pipelines.sinks.duckdb import DuckDbSink
    quick = DuckDbSink.write
    async def write(self, company, body):
        await quick(self, company, body)
        await asyncio.sleep(0.5)  # no promise is broken by that: something is on its way at every moment
    DuckDbSink.write = write
"""


def test_a_record_that_gets_new_times_when_sent_again_is_doubled(tmp_path: Path) -> None:
    plan = HEAD.format(duration="9s") + "steps:\n  - {at: 2s, fault: reset, for: 6s}\n"
    code, answer, _ = soak(tmp_path, plan, RESTAMPED)
    assert code == 1
    assert answer["duplicated"] > 0
    sentence = broken(answer, "nothing doubled: ")
    assert "in the hour " in sentence
    assert "reset(link=collector-broker)" in sentence


SIFTED = """
if "agent.cli" in WORDS and "bridge" in WORDS:
    import pipelines.bridge
    import pipelines.sift
    import sys
    async def sift(pieces, refusal, *rest, **more):
        return dict.fromkeys(range(len(pieces)), refusal.reason)
    honest = pipelines.sift.sift
    for name, module in list(sys.modules.items()):
        if name.startswith("pipelines") and getattr(module, "sift", None) is honest:
            module.sift = sift
"""


def test_a_bisection_that_convicts_everybody_is_seen(tmp_path: Path) -> None:
    plan = HEAD.format(duration="9s") + (
        "store: influx\nsteps:\n  - {at: 2s, fault: store_refuses, for: 4s, with: {field: screw_rpm}}\n"
    )
    code, answer, _ = soak(tmp_path, plan, SIFTED)
    assert code == 1
    assert "store_refuses(field=screw_rpm)" in broken(answer, "only culprits are refused: ")


UNSYNCED = """
if "agent.cli" in WORDS and "run" in WORDS:
    os.fdatasync = lambda fd: None
"""


def test_a_disk_that_is_not_synced_loses_what_was_accepted(tmp_path: Path) -> None:
    plan = HEAD.format(duration="14s") + (
        "steps:\n  - {at: 1s, fault: power_cut, for: 1s}\n  - {at: 5s, fault: power_cut, for: 1s}\n"
    )
    code, answer, _ = soak(tmp_path, plan, UNSYNCED)
    assert code == 1
    assert "power_cut" in broken(answer, "nothing lost: ")


def test_a_step_that_cannot_run_is_named(tmp_path: Path) -> None:
    plan = HEAD.format(duration="4s") + "steps:\n  - {at: 1s, fault: store_kill}\n"
    code, answer, said = soak(tmp_path, plan)
    assert (code, answer["complete"], answer["broken"]) == (1, False, []), said
    (one,) = answer["not_run"]
    assert one["fault"] == "store_kill"
    assert "`store: influx`" in one["reason"]
