"""One run: faults come one after the other, each when the one before is over, and everything is looked at meanwhile."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from agent.output import say
from agent.simulate.children import Outage
from agent.simulate.session import Simulation
from agent.soak.fault import Fault
from agent.soak.faults.clock import ClockJump
from agent.soak.plan import Plan
from agent.soak.samples import Sample, look
from agent.soak.schedule import Moment, schedule
from agent.soak.setting import Setting
from agent.soak.stage import Stage
from agent.soak.stalls import Stalls
from pipelines.errors import DependencyError
from simulators.clocks import Shift

_LOOK_S: Final = 0.25
_TELL_S: Final = 10.0
_FLOWING_S: Final = 3.0
"""A queue of what comes in within this time is no backlog."""
_FEW: Final = 50
READY_S: Final = 60.0
"""Longest wait at the start for all links."""


@dataclass(slots=True)
class Injected:
    """A fault that was injected. Times in ns since 1970 UTC, of the plant's clock.

    Attributes:
        name: of the fault.
        words: the fault with its parameters.
        begin_ns: when it began.
        healed_ns: when it was healed.
        up_s: seconds after that until all links were up and the queue was short again; None = not within the limit.
        stored_s: seconds after that until the last reading that had left the plant before was stored.
        error: why it could not be injected or healed; empty = it was.
    """

    name: str
    words: str
    begin_ns: int
    healed_ns: int = 0
    up_s: float | None = None
    stored_s: float = 0.0
    error: str = ""

    @property
    def recovery_s(self) -> float | None:
        """The longer of the two; None = it did not recover in time."""
        return None if self.up_s is None else max(self.up_s, self.stored_s)


@dataclass(slots=True)
class Skipped:
    """A step that cannot run on this machine or in this run, and why."""

    fault: str
    reason: str


@dataclass(slots=True)
class Balance:
    """The conservation law, as often as it was asked for.

    Attributes:
        samples: statuses looked at.
        worst: the imbalance farthest from 0.
        worst_ns: when that was.
    """

    samples: int = 0
    worst: int = 0
    worst_ns: int = 0

    def take(self, imbalance: int, now_ns: int) -> None:
        """One more."""
        self.samples += 1
        if abs(imbalance) > abs(self.worst):
            self.worst, self.worst_ns = imbalance, now_ns


@dataclass(slots=True)
class Run:
    """A run of a plan.

    Attributes:
        plan: what is run.
        setting: where.
        seed: of chance.
        injected: faults so far.
        skipped: steps that cannot run here.
        balance: the conservation law.
        samples: of the collector.
        began_ns: when the faults began, ns since 1970 UTC; 0 = not yet.
        elapsed_s: how long faults came.
        interrupted: whether it was ended before its time.
        fsyncs: by epoch of the collector.
        calm_bytes: what reached the disk of the state folder while no fault was injected or recovered from.
        calm_points: points accepted meanwhile.
        latest: the newest status, and when it came (monotonic seconds).
        now: the fault that is injected now, in words.
    """

    plan: Plan
    setting: Setting
    seed: int
    injected: list[Injected] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    balance: Balance = field(default_factory=Balance)
    samples: list[Sample] = field(default_factory=list)
    began_ns: int = 0
    elapsed_s: float = 0.0
    interrupted: bool = False
    calm_bytes: int = 0
    calm_points: int = 0
    latest: tuple[float, dict[str, Any]] = (0.0, {})
    now: str = "start"
    on_change: Callable[[], None] = lambda: None
    _told_s: float = 0.0

    @property
    def simulation(self) -> Simulation:
        """Plant, collector, servers."""
        return self.setting.simulation

    def seen(self, _: Simulation, status: dict[str, Any]) -> None:
        """A status of the collector; empty when it does not answer."""
        at_s = time.monotonic()
        if pid := self.simulation.collector.pid:
            sample = look(pid, at_s)
            if sample is not None:
                self.samples.append(sample)
        if status:
            self.latest = (at_s, status)
            self.balance.take(status["points"]["imbalance"], self.simulation.clock.now_ns())
        self.on_change()
        if at_s - self._told_s > _TELL_S:
            self._told_s = at_s
            say(self.line())

    def line(self) -> str:
        """How it goes, on one line."""
        elapsed_s = (self.simulation.clock.now_ns() - self.began_ns) / 1e9 if self.began_ns else 0.0
        points = self.latest[1].get("points", {})
        counts = "  ".join(f"{name} {points.get(name, 0):,}" for name in ("accepted", "stored", "queued", "dropped"))
        return f"{elapsed_s:6.0f} s of {self.plan.duration:.0f}  faults {len(self.injected)}  {self.now}  {counts}"

    async def inject(self, stop: asyncio.Event) -> None:
        """All faults of the plan in their order; sets `stop` at the end of its time, or ends early when it is set."""
        simulation = self.simulation
        state_dir = simulation.plan.state_dir
        stalls = Stalls(simulation.clock.now_ns, lambda: simulation.collector.pid, state_dir, simulation.stalls)
        async with asyncio.TaskGroup() as group:
            watching = [group.create_task(stalls.watch()), group.create_task(stalls.ask())]
            await self._inject(stop)
            for task in watching:
                task.cancel()

    async def _inject(self, stop: asyncio.Event) -> None:
        simulation, stage = self.simulation, self.setting.stage
        coming = [one for one in schedule(self.plan, stage.random) if self._can(one.step.made(), stage)]
        started_ns = simulation.clock.now_ns()
        simulation.outages.append(
            Outage(simulation.collector.name, started_ns, started_ns)
        )  # it loads, as after a kill
        await self._settled(time.monotonic(), READY_S, stop)
        began_s = time.monotonic()
        self.began_ns = simulation.clock.now_ns()
        for moment in coming:
            if await self._calm(stop, began_s + moment.at_s - time.monotonic()):
                break
            await self._one(moment, stop)
        await self._calm(stop, began_s + self.plan.duration - time.monotonic())
        self.elapsed_s = time.monotonic() - began_s
        self.interrupted = stop.is_set()
        self.now = "end"
        say(
            "끝: 확인을 기다린 뒤 설비의 기록과 비교합니다 / end: waits for confirmations, then compares with the plant"
        )
        stop.set()

    async def _calm(self, stop: asyncio.Event, seconds: float) -> bool:
        """Wait for the next fault, and measure what is written meanwhile; whether it was told to stop."""
        self.now = "no fault"
        disk, points = self.setting.stage.disk, self.simulation.points("accepted")
        before = disk.written_bytes if disk else 0
        stopped = await _waits(stop, seconds)
        self.calm_bytes += disk.written_bytes - before if disk else 0
        self.calm_points += self.simulation.points("accepted") - points
        return stopped

    def _can(self, fault: Fault, stage: Stage) -> bool:
        reason = fault.unavailable() or fault.lacking(stage)
        if reason and not any((one.fault, one.reason) == (fault.name, reason) for one in self.skipped):
            self.skipped.append(Skipped(fault.name, reason))
            say(f"not run: {fault.name}: {reason}")
        return not reason

    async def _one(self, moment: Moment, stop: asyncio.Event) -> None:
        """Inject one fault, heal it, and wait until it is over."""
        clock, step = self.simulation.clock, moment.step
        fault = step.made()
        this = Injected(fault.name, _words(fault), clock.now_ns())
        self.injected.append(this)
        self.now = f"{this.words} for {step.for_:g} s"
        say(f"fault {len(self.injected)}: {self.now}")
        try:
            await _until(stop, fault.run(self.setting.stage, step.for_))
        except* DependencyError as errors:
            this.error = str(errors.exceptions[0])
            say(f"fault {this.words}: {this.error}")
        this.healed_ns = clock.now_ns()
        self.now = f"after {this.words}"
        healed_s = time.monotonic()
        this.up_s = await self._settled(healed_s, self.plan.limits.recovery_s, asyncio.Event())
        if isinstance(fault, ClockJump):
            self.simulation.shifts.append(Shift(this.begin_ns, this.healed_ns, fault.offset_s * 10**9))
        if explains(fault):
            end_ns = clock.now_ns()
            self.simulation.injected.append(Outage(fault.name, this.begin_ns, end_ns))

    async def _settled(self, since_s: float, at_most_s: float, stop: asyncio.Event) -> float | None:
        """Seconds until every link is up, points are stored again and the queue is short; None when it takes longer."""
        stored: tuple[str, int] | None = None
        while time.monotonic() - since_s < at_most_s and not stop.is_set():
            at_s, status = self.latest
            if at_s > since_s and status:
                stored = stored or (status["epoch"], status["points"]["stored"])
                if self._flows(status, stored):
                    return at_s - since_s
            await asyncio.sleep(_LOOK_S)
        return None

    def _flows(self, status: dict[str, Any], before: tuple[str, int]) -> bool:
        points = status["points"]
        moved = points["stored"] > (before[1] if before[0] == status["epoch"] else 0)
        links = all(one["connected"] for one in status["connections"].values())
        elapsed_s = max(1.0, (self.simulation.clock.now_ns() - self.began_ns) / 1e9) if self.began_ns else 1.0
        rate = self.simulation.points("accepted") / elapsed_s if self.began_ns else 0.0
        short = points["queued"] <= max(_FEW, rate * _FLOWING_S) or not self.began_ns
        return bool(moved and links and not status["broker"]["error"] and short)


def explains(fault: Fault) -> bool:
    """Whether readings can be missing for it: it keeps the collector from the plant, or from its own disk.

    A broker, a bridge or a store explains nothing: what they lose, the journal has. Neither does a clock. What a killed
    collector had not yet accepted is told by `Child` itself.
    """
    return getattr(fault, "link", "") == "plant" or fault.name in {"full_disk", "sync_error", "power_cut"}


def _words(fault: Fault) -> str:
    names = [one.name for one in dataclasses.fields(fault)]  # type: ignore[arg-type]
    given = [f"{name}={getattr(fault, name)}" for name in names if getattr(fault, name) not in {"", 0}]
    return f"{fault.name}({', '.join(given)})" if given else fault.name


async def _waits(stop: asyncio.Event, seconds: float) -> bool:
    """Wait; whether it was told to stop meanwhile."""
    with suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, seconds)):
            await stop.wait()
    return stop.is_set()


async def _until(stop: asyncio.Event, work: Any) -> None:
    """Run `work`, but cancel it, and wait for what it does then, when told to stop."""
    async with asyncio.TaskGroup() as group:
        working = group.create_task(work)
        stopping = group.create_task(stop.wait())
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        working.cancel()
        stopping.cancel()
