"""One simulation: everything started, watched while it runs, stopped in order, judged."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from agent.control.client import ask
from agent.simulate.children import Child, Outage
from agent.simulate.wire import Witness
from pipelines.clock import Clock, ScaledClock, SystemClock
from pipelines.delivery.mqtt_settings import MqttSettings
from pipelines.errors import DependencyError
from simulators.clocks import Shift

_LOOK_S: Final = 0.5
_QUIET_S: Final = 2.0
_QUIET_LIMIT_S: Final = 20.0
_NEVER_S: Final = 1e9
DRAIN_S: Final = 60.0
_WAITING: Final = "are sent after the next start"
"""What `agent run` says last when its journal is not empty."""


Device = Callable[[str, str, int], Awaitable[tuple[str, int]]]
"""Where the collector finds a connection's device, from its name, and the host and port it listens on."""


@dataclass(frozen=True, slots=True)
class Ways:
    """What lies between the parts; default: nothing.

    Attributes:
        state_dir: state of the collector elsewhere than in the folder of the run.
        collector_mqtt: options that lead the collector to the broker.
        servers_mqtt: options that lead bridges and site server to it.
        bridge_influx: address of the database for bridges alone.
        bridges: how many share the load; more than one are called `bridge-1` and so on.
        collector_env: added to the collector's environment.
        device: see `Device`.
    """

    state_dir: Path | None = None
    collector_mqtt: tuple[str, ...] = ()
    servers_mqtt: tuple[str, ...] = ()
    bridge_influx: str = ""
    bridges: int = 1
    collector_env: Mapping[str, str] = field(default_factory=dict)
    device: Device | None = None


@dataclass(frozen=True, slots=True)
class Tape:
    """A recording that is served instead of lines.

    Attributes:
        file: the recording.
        seen: what is read of it (`simulators.replay.seen`).
        site: the configuration that reads it.
    """

    file: Path
    seen: Path
    site: Path


@dataclass(frozen=True, slots=True)
class Plan:
    """What to simulate.

    Attributes:
        lines: names of line templates.
        sites: their configuration files.
        work: folder for state, logs and truth.
        store: folder of the embedded store.
        mqtt: the broker.
        influx: address of an InfluxDB instead of the embedded store, or None.
        seed: of the plant's physics.
        speed: plant seconds per real second.
        scale: how often each line is there.
        tape: a recording instead of lines, or None.
        faults: script for the plant (`simulators.faults.script`), or None.
        port: of the viewer, 0 = a free one.
        loop: whether a history or a recording begins again at its end.
        ways: what lies between the parts.
    """

    lines: tuple[str, ...]
    sites: tuple[Path, ...]
    work: Path
    store: Path
    mqtt: MqttSettings
    influx: str | None
    seed: int
    speed: float
    faults: Path | None
    port: int
    scale: int = 1
    loop: bool = False
    ways: Ways = field(default_factory=Ways)
    tape: Tape | None = None

    @property
    def truth(self) -> Path:
        """The plant's own log."""
        return self.work / "truth.jsonl"

    @property
    def control(self) -> Path:
        """Socket on which the plant takes faults (`simulators.control`)."""
        return self.work / "plant.sock"

    @property
    def state_dir(self) -> Path:
        """State of the collector."""
        return self.ways.state_dir or self.work / "agent"


def _plant_of(plan: Plan) -> list[str]:
    """Which plant, as its process is told."""
    if plan.tape is not None:
        return ["--replay", str(plan.tape.file), "--seen", str(plan.tape.seen)]
    scale = ["--scale", str(plan.scale)] if plan.scale > 1 else []
    return [word for line in plan.lines for word in ("--line", line)] + scale


@dataclass(slots=True)
class Simulation:
    """A running simulation.

    Attributes:
        plan: what to simulate.
        clock: shared with the children.
        plant: ground truth; it is never killed.
        collector: `agent run`.
        servers: `agent serve`, or `agent bridge` and `agent view`.
        outages: children that died and came back.
        witness: what crossed the broker.
        lives: the last status of each life of the collector, by epoch.
        drained: whether the collector said at its end that everything is confirmed.
        injected: what else kept values from being read, by kind.
        shifts: when the collector's clock was off on purpose.
        stalls: when collector or relays waited for a processor, as (start, end).
    """

    plan: Plan
    clock: Clock
    plant: Child
    collector: Child
    servers: list[Child]
    witness: Witness
    lives: dict[str, dict[str, Any]] = field(default_factory=dict)
    drained: bool = True
    outages: list[Outage] = field(default_factory=list)
    injected: list[Outage] = field(default_factory=list)
    shifts: list[Shift] = field(default_factory=list)
    stalls: list[tuple[int, int]] = field(default_factory=list)

    @classmethod
    def of(cls, plan: Plan) -> Simulation:
        """A simulation that is not started yet."""
        origin_ns = SystemClock().now_ns()
        fast = plan.speed != 1
        clock: Clock = ScaledClock(origin_ns, plan.speed) if fast else SystemClock()
        env = dict(os.environ)
        env.pop("NOTIFY_SOCKET", None)
        if fast:
            env["SHOPFLOOR_CLOCK"] = f"{origin_ns}:{plan.speed:g}"
        argv = ["-m", "simulators", "--truth", str(plan.truth), "--seed", str(plan.seed)]
        argv += _plant_of(plan)
        argv += ["--control", str(plan.control.absolute())]
        argv += ["--faults", str(plan.faults)] if plan.faults else []
        argv += ["--loop"] if plan.loop else []
        if fast:
            argv += ["--speed", f"{plan.speed:g}", "--origin-ns", str(origin_ns)]
        sites = [word for path in plan.sites for word in ("--site", str(path))]
        ways = plan.ways
        mqtt = ways.servers_mqtt or ("--mqtt", plan.mqtt.endpoint)

        def child(name: str, argv: list[str], *, prints: bool = True, **more: str) -> Child:
            return Child(name, argv, plan.work / f"{name}.log", {**env, **more}, prints)

        if plan.influx:
            bridge = ["-m", "agent.cli", "bridge", *mqtt, "--influx", ways.bridge_influx or plan.influx, "--json"]
            view = ["-m", "agent.cli", "view", "--influx", plan.influx, *sites, "--port", str(plan.port), "--json"]
            view += ["--access", "open", "--state-dir", str(plan.work), "--agent", str(plan.state_dir)]
            names = [f"bridge-{number}" for number in range(1, ways.bridges + 1)] if ways.bridges > 1 else ["bridge"]
            servers = [*(child(name, bridge) for name in names), child("view", view)]
        else:
            serve = ["-m", "agent.cli", "serve", "--store", str(plan.store), *mqtt, *sites]
            serve += ["--port", str(plan.port), "--access", "open", "--agent", str(plan.state_dir), "--json"]
            servers = [child("serve", serve)]
        collector = child("collector", [], prints=False, **ways.collector_env)
        plant = child("plant", argv)
        plant.ready_s *= plan.scale
        return cls(plan, clock, plant, collector, servers, Witness(clock.now_ns))

    def points(self, name: str) -> int:
        """A counter of points, over all lives of the collector, as far as it was asked."""
        return sum(life["points"][name] for life in self.lives.values())

    def links(self, name: str) -> dict[str, int]:
        """A counter of each connection, over all lives of the collector."""
        totals: dict[str, int] = {}
        for life in self.lives.values():
            for link, counters in life["connections"].items():
                totals[link] = totals.get(link, 0) + counters[name]
        return totals

    @property
    def viewer(self) -> str:
        """Where the viewer answers."""
        return str(next((one.ready["viewer"] for one in self.servers if "viewer" in one.ready), ""))

    @property
    def endpoints(self) -> dict[str, str]:
        """Where each simulated device listens, HOST:PORT by connection."""
        return {name: f"{one['host']}:{one['port']}" for name, one in self.plant.ready["endpoints"].items()}

    @property
    def children(self) -> dict[str, Child]:
        """Collector and servers by name; the plant is not among them."""
        return {one.name: one for one in (self.collector, *self.servers)}

    async def run(
        self,
        stop: asyncio.Event,
        show: Callable[[Simulation, dict[str, Any]], None],
        beside: Callable[[asyncio.Event], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        """Start, run until `stop`, and stop in an order in which nothing is left on the way.

        Args:
            stop: set to end.
            show: called twice a second with the collector's status, which is empty while it does not answer.
            beside: runs once everything is started, is given `stop`, and is waited for before anything ends.

        Raises:
            DependencyError: a part does not start.
        """
        children = [self.plant, *self.servers, self.collector]
        patience_s = 0.5
        try:
            await self.plant.start()
            await asyncio.gather(*(server.start() for server in self.servers))
            await self._aim_collector()
            await self.collector.start()
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self.witness.run(self.plan.mqtt)),
                    *(
                        group.create_task(one.keep_running(self.clock.now_ns, self.outages))
                        for one in (*self.servers, self.collector)
                    ),
                ]
                other = group.create_task(beside(stop)) if beside is not None else None
                while not stop.is_set() or not (other is None or other.done()):
                    self._tell_pids()
                    show(self, await self.status())
                    if stop.is_set() and other is not None:
                        await asyncio.wait([other], timeout=_LOOK_S)
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_LOOK_S):
                            await stop.wait()
                await self._freeze()
                for task in tasks[1:]:
                    task.cancel()
                await self.collector.end(DRAIN_S + 10)
                assert self.collector.process is not None
                self.drained = self.collector.process.returncode == 0 and _WAITING not in self.collector.tail()
                await self.plant.end(10)
                tasks[0].cancel()
            patience_s = 10.0
        except* DependencyError as errors:
            raise errors.exceptions[0] from None
        finally:
            for one in reversed(children):
                await one.end(patience_s)

    async def over(self, stop: asyncio.Event) -> None:
        """Set `stop` when the plant says that what it plays is over, unless it is set before."""
        async with asyncio.TaskGroup() as group:
            both = [group.create_task(self.plant.line(_NEVER_S)), group.create_task(stop.wait())]
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for task in both:
                task.cancel()
        stop.set()

    async def status(self) -> dict[str, Any]:
        """The collector's status; empty while it does not answer."""
        self.collector.measure()
        try:
            raw = await asyncio.to_thread(ask, self.plan.state_dir, timeout_s=1.0)
            answer: dict[str, Any] = orjson.loads(raw)
        except (DependencyError, orjson.JSONDecodeError):
            return {}
        self.lives[answer["epoch"]] = answer
        return answer

    async def _aim_collector(self) -> None:
        """Point the real site's configuration at the simulated devices."""
        ways = self.plan.ways
        argv = ["-m", "agent.cli", "run", *(str(path) for path in self.plan.sites)]
        argv += ["--state-dir", str(self.plan.state_dir), "--drain-s", str(DRAIN_S)]
        argv += ways.collector_mqtt or ("--mqtt", self.plan.mqtt.endpoint)
        for name, place in self.plant.ready["endpoints"].items():
            host, port = place["host"], place["port"]
            if ways.device is not None:
                host, port = await ways.device(name, host, port)
            argv += ["--endpoint", f"{name}={host}:{port}"]
        self.collector.argv = argv

    def _tell_pids(self) -> None:
        """Who is who, for tests and people that want to kill one of them."""
        pids = {one.name: one.pid for one in (self.plant, self.collector, *self.servers)}
        fresh = self.plan.work / "pids.new"
        fresh.write_bytes(orjson.dumps(pids))
        fresh.rename(self.plan.work / "pids.json")

    async def _freeze(self) -> None:
        """Stop the plant's signals and wait until the collector hears nothing new of them."""
        self.plant.signal(signal.SIGUSR1)
        while "frozen" not in await self.plant.line(self.plant.ready_s):
            pass
        quiet_since = limit = time.monotonic()
        before: object = None
        while time.monotonic() - quiet_since < _QUIET_S and time.monotonic() - limit < _QUIET_LIMIT_S:
            links = (await self.status()).get("connections")
            now = links and {name: link["readings"] for name, link in links.items() if not link["requests"]}
            if now != before or now is None:
                quiet_since, before = time.monotonic(), now
            await asyncio.sleep(0.1)
