"""A kill after any record changes nothing of the energy of an hour, of a lot, and of what is shared of them."""

from __future__ import annotations

import shutil
from pathlib import Path

from pipelines.clock import SystemClock
from pipelines.derive.energy.factors import load
from pipelines.derive.energy.rule import EnergyRule
from pipelines.derive.energy.span import HOUR_NS, Meter
from pipelines.derive.engine import KEY, Engine
from pipelines.derive.rule import Ref
from pipelines.flow import Flow
from pipelines.journal.journal import Journal, JournalSettings
from pipelines.place import Place
from pipelines.point import BAD_NO_COMMUNICATION, Delivery, scan_of
from pipelines.settings import ConnectionSettings, TagSettings
from pipelines.share.rule import Share, newest
from pipelines.source import Source
from pipelines.stats import FlowStats
from tests.set_clock import SetClock

PLACE = Place("press", "acme", "", "", "M")
KWH, SHOTS, LOT = Ref("M", "kwh"), Ref("M", "shots"), Ref("M", "lot")
NOW = SystemClock().now_ns() // HOUR_NS * HOUR_NS - 30 * 60 * 10**9
STEPS, LOST, STEP_NS = 12, 4, 5 * 60 * 10**9
FACTORS = load()


class Connection(ConnectionSettings):
    tags: tuple[TagSettings, ...]


class Process:
    """One life of an agent with a meter and a PLC, in a folder that may hold a journal already."""

    def __init__(self, folder: Path) -> None:
        self.journal = Journal(folder, JournalSettings.model_validate({"min_free_bytes": 0, "segment_bytes": 1 << 20}))
        self.journal.open()
        self.clock = SetClock(NOW)
        self.flow = Flow(self.journal, self.clock, FlowStats(), PLACE)
        self.engine = Engine(self.journal.resume)
        tags = (KWH, SHOTS, LOT)
        self.share = Share("tp", "x", dict.fromkeys(tags, "aggregate"), dict.fromkeys(tags, 300.0), {"M": PLACE})
        rule = EnergyRule("M", {"meter": KWH, "total": SHOTS, "lot": LOT}, Meter(10 * STEP_NS), FACTORS)
        self.engine.follow([rule], {"M": PLACE}, [self.share])
        self.sources = [
            Source(
                Connection(name=name, max_skew_s=1e6, tags=tuple(map(_tag, names))),
                [PLACE] * len(names),
                self.journal.resume,
                engine=self.engine,
            )
            for name, names in (("meter", ["kwh"]), ("plc", ["shots", "lot"]))
        ]

    async def reads(self, step: int) -> None:
        self.clock.at_ns = at_ns = NOW + step * STEP_NS
        scans = [scan_of([0], at_ns, [100.0 + step * 2])]
        if step % 2:
            scans = [scan_of([0], at_ns, [step * 7]), scan_of([1], at_ns, [f"L{step // 5}"])]
        if step == LOST:
            self.flow.put(self.sources[0].lost(BAD_NO_COMMUNICATION, at_ns))
        else:
            await self.flow.take(self.sources[step % 2], Delivery(tuple(scans), b"at %d" % step))
        if (ticked := self.engine.tick(at_ns + 10**9)) is not None:
            self.flow.put(ticked)
        await self.flow.flush()

    def told(self) -> dict[str, str]:
        """The last word of each point of energy that is on disk, by series and time."""
        bodies = [
            one.payload().decode() for seg in self.journal.segments for one in self.journal.walk(seg, 0, seg.size)
        ]
        lines = [line.rsplit(" ", 2) for body in bodies for line in body.splitlines() if line.startswith("energy,")]
        return {f"{series} {time_ns}": fields for series, fields, time_ns in lines}

    def shared(self) -> list[str]:
        return [batch.body for batch in self.share.pending]


def _tag(name: str) -> TagSettings:
    return TagSettings(name=name)


async def test_a_kill_after_any_record_changes_nothing(tmp_path: Path) -> None:
    whole = Process(tmp_path / "whole")
    for step in range(STEPS):
        await whole.reads(step)
        shutil.copytree(tmp_path / "whole", tmp_path / f"killed at {step}")
    expected, shared = whole.told(), whole.shared()
    assert len(expected) == 2
    assert len(shared) > 1
    for step in range(0, STEPS - 1, 2):
        again = Process(tmp_path / f"killed at {step}")
        for later in range(step + 1, STEPS):
            await again.reads(later)
        assert again.told() == expected
        assert again.shared() == shared
        assert newest(again.journal.durable_state(KEY + again.share.name) or b"") == len(shared)
        again.journal.close()
    whole.journal.close()
