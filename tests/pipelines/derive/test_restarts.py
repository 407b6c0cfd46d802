"""A kill after any record neither repeats nor skips a count, a state or a cycle."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from pipelines.clock import SystemClock
from pipelines.derive.count import CountRule
from pipelines.derive.cycle import CycleRule
from pipelines.derive.engine import Engine
from pipelines.derive.rule import Ref
from pipelines.derive.signals import Word
from pipelines.derive.state import StateRule
from pipelines.flow import Flow
from pipelines.journal.journal import Journal, JournalSettings
from pipelines.journal.salvage import read_segment
from pipelines.place import Place
from pipelines.point import BAD_NO_COMMUNICATION, Delivery, scan_of
from pipelines.settings import ConnectionSettings, Deadband, TagSettings
from pipelines.source import Source
from pipelines.stats import FlowStats
from tests.set_clock import SetClock

S = 10**9
NOW = SystemClock().now_ns() // S * S - 100 * S
PLACE = Place("press", "acme", "", "", "M")
STEPS, RESET = 24, 18
PLC = (TagSettings(name="state"), TagSettings(name="shots", deadband=Deadband(type="absolute", value=50)))
METER = (TagSettings(name="kw"), TagSettings(name="ng"))


class Connection(ConnectionSettings):
    tags: tuple[TagSettings, ...]


class Process:
    """One life of an agent with two connections, in a folder that may hold a journal already."""

    def __init__(self, folder: Path, *, resets: bool) -> None:
        self.resets = resets
        self.journal = Journal(folder, JournalSettings.model_validate({"min_free_bytes": 0, "segment_bytes": 1 << 20}))
        self.journal.open()
        self.clock = SetClock(NOW)
        self.flow = Flow(self.journal, self.clock, FlowStats(), PLACE)
        self.engine = Engine(self.journal.resume)
        shots, ng = Ref("M", "shots"), Ref("M", "ng")
        rules = (
            StateRule("M", Word(Ref("M", "state"), {})),
            CountRule("M", {"total": shots, "ng": ng}),
            CycleRule("M", shots, (Ref("M", "kw"),)),
        )
        self.engine.follow(rules, {"M": PLACE})
        self.sources = [
            Source(Connection(name=name, tags=tags), [PLACE] * 2, self.journal.resume, engine=self.engine)
            for name, tags in (("plc", PLC), ("meter", METER))
        ]

    async def reads(self, step: int) -> None:
        """What happens at a step of the plant: a poll of one connection, or it is lost, and then a tick."""
        at_ns, which = NOW + step * S, step % 2
        self.clock.at_ns = at_ns
        state = [1, 1, 4, 1, 2][step // 4 % 5]
        shots = step - RESET if self.resets and step >= RESET else (65_528 + step) % 2**16
        values = [step / 8, step // 6] if which else [state, shots]
        if step in {11, 12}:
            self.flow.put(self.sources[which].lost(BAD_NO_COMMUNICATION, at_ns))
        else:
            scan = scan_of([0, 1], at_ns, values)
            await self.flow.take(self.sources[which], Delivery((scan,), b"at %d" % step))
        if (ticked := self.engine.tick(at_ns)) is not None:
            self.flow.put(ticked)


def derived(folder: Path, measurement: str) -> list[str]:
    """Derived points of all records on disk, in their order; those of a state without the time of its heartbeats."""
    lines = [
        line
        for path in sorted(folder.glob("*.seg"), key=lambda path: path.stat().st_mtime_ns)
        for data in [path.read_bytes()]
        for record in read_segment(data).records
        for line in data[record.payload[0] : sum(record.payload)].decode().splitlines()
        if line.startswith(f"{measurement},")
    ]
    return [line.rpartition(" ")[0] for line in lines] if measurement == "state" else lines


async def killed_everywhere(folder: Path, *, resets: bool, unseen: int) -> list[tuple[Path, Path]]:
    """(journal of a whole life, of one that was killed after a record) for every record; it lost `unseen` polls."""
    whole = Process(folder / "whole", resets=resets)
    for step in range(STEPS):
        await whole.reads(step)
        await whole.flow.flush()
        shutil.copytree(folder / "whole", folder / f"killed at {step}")
    whole.journal.close()
    for step in range(STEPS - 3):
        again = Process(folder / f"killed at {step}", resets=resets)
        assert again.sources[step % 2].link_resume == b"at %d" % (step if step not in {11, 12} else step - 2)
        for later in range(step + 1 + unseen, STEPS):
            await again.reads(later)
        await again.flow.flush()
        again.journal.close()
    return [(folder / "whole", folder / f"killed at {step}") for step in range(STEPS - 3)]


async def test_a_kill_after_any_record_changes_nothing(tmp_path: Path) -> None:
    for whole, killed in await killed_everywhere(tmp_path, resets=True, unseen=0):
        for measurement in ("count", "cycle", "state"):
            expected, found = (list(dict.fromkeys(derived(one, measurement))) for one in (whole, killed))
            assert found == expected


async def test_a_poll_that_a_kill_swallowed_is_counted_with_the_next_one(tmp_path: Path) -> None:
    for whole, killed in await killed_everywhere(tmp_path, resets=False, unseen=1):
        assert derived(killed, "count")[-1] == derived(whole, "count")[-1]
        expected, found = (
            sum(int(number) for number in re.findall(r"counts=(\d+)i", " ".join(derived(one, "cycle"))))
            for one in (whole, killed)
        )
        assert found == expected
        assert derived(killed, "state")[-1].split(",since")[0] == derived(whole, "state")[-1].split(",since")[0]
