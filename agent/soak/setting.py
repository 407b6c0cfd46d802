"""The stage of a run, built up and taken down: broker, database, disk, namespace, and the relays between the parts."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agent.broker.process import HOST
from agent.influx import influx_store
from agent.paths import STORE_FILE
from agent.simulate.session import Plan as Simulated
from agent.simulate.session import Simulation, Ways
from agent.soak import disk, influxd, namespace
from agent.soak.broker import SoakBroker
from agent.soak.disk import LoopDisk
from agent.soak.faults.clock import faked, library, write_offset
from agent.soak.influxd import DATABASE, Influxd
from agent.soak.namespace import Namespace
from agent.soak.plan import Plan
from agent.soak.proxy import Proxy
from agent.soak.stage import Link, Stage
from agent.soak.store_proxy import StoreProxy
from agent.templates.compose import template
from pipelines.delivery.mqtt_settings import MqttSettings
from viewer.stores.base import Store
from viewer.stores.duckdb import DuckDbStore

DISK_MIB: Final = 512
_TLS: Final = "bad_certificate"
_CLOCK: Final = "clock_jump"


@dataclass(slots=True)
class Setting:
    """Everything a run needs, in place.

    Attributes:
        simulation: not started yet.
        stage: what faults reach.
        notes: what this machine could not give, such as `store: influx: needs influxd …`.
    """

    simulation: Simulation
    stage: Stage
    notes: list[str] = field(default_factory=list)

    def store(self) -> Store:
        """The store to read from; the embedded one only once `serve` has ended."""
        plan = self.simulation.plan
        return influx_store(plan.influx) if plan.influx else DuckDbStore(plan.store / STORE_FILE)


@asynccontextmanager
async def setting(plan: Plan, work: Path, seed: int) -> AsyncIterator[Setting]:
    """The setting of a plan; what this machine cannot give is left out and noted.

    Args:
        plan: what to run.
        work: an existing folder for everything that is kept.
        seed: of chance and of the plant's physics.

    Raises:
        DependencyError: a broker or database does not start.
    """
    names = {step.fault for step in plan.steps}
    links: dict[str, list[Link]] = {"plant": []}
    notes: list[str] = []
    async with AsyncExitStack() as stack:
        volume: LoopDisk | None = None
        if reason := disk.unavailable():
            notes.append(f"state folder on a disk of its own: {reason}")
        else:
            volume = stack.enter_context(LoopDisk(DISK_MIB))
        net: Namespace | None = None
        if reason := namespace.unavailable():
            notes.append(f"links through a network namespace: {reason}")
        else:
            net = stack.enter_context(Namespace(("plant", "broker")))

        async def relay(name: str, target: int, pair: str | None) -> Proxy:
            listener = net.listener(pair) if net is not None and pair is not None else None
            proxy = await stack.enter_async_context(Proxy(target, HOST, listener))
            links.setdefault(name, []).append(proxy)
            return proxy

        addresses = (HOST, *([net.addresses["broker"]] if net else []))
        broker = SoakBroker(work / "broker", addresses if _TLS in names else ())
        stack.push_async_callback(broker.end)
        await broker.start()
        port = broker.tls_port or broker.port
        near, far = await relay("collector-broker", port, "broker"), await relay("bridge-broker", port, None)
        store, store_link, url = None, None, ""
        if plan.store == "influx":
            if reason := influxd.unavailable():
                notes.append(f"store: influx: {reason}; the embedded store is used")
            else:
                store = Influxd(work / "influxd")
                stack.push_async_callback(store.end)
                await store.start()
                store_link = await stack.enter_async_context(StoreProxy(store.port))
                url = f"http://{HOST}:{store_link.port}?db={DATABASE}"
        clock_file = work / "clock" if _CLOCK in names and library() else None
        if clock_file is not None:
            write_offset(clock_file, 0)

        async def device(name: str, host: str, device_port: int) -> tuple[str, int]:
            del name, host
            proxy = await relay("plant", device_port, "plant")
            return proxy.host, proxy.port

        ways = Ways(
            state_dir=volume.folder / "state" if volume else work / "state",
            collector_mqtt=_options(near, broker),
            servers_mqtt=_options(far, broker),
            bridge_influx=url,
            bridges=plan.bridges,
            collector_env=faked(clock_file) if clock_file else {},
            device=device,
        )
        simulated = Simulated(
            lines=plan.lines,
            sites=tuple(template(one) for one in plan.lines),
            work=work,
            store=work / "store",
            mqtt=MqttSettings(host=HOST, port=broker.port),
            influx=store.url if store else None,
            seed=seed,
            speed=1.0,
            faults=None,
            port=0,
            ways=ways,
        )
        simulation = Simulation.of(simulated)
        simulation.witness.patience_s = 1.0
        interfaces = net.interfaces if net else {}
        stage = Stage(
            work,
            simulated.state_dir,
            simulation.children,
            random.Random(seed),  # noqa: S311 - chance, not secrets
            disk=volume,
            broker=broker,
            store=store,
            store_link=store_link,
            links=links,
            clock_file=clock_file,
            interfaces=interfaces,
        )
        yield Setting(simulation, stage, notes)


def _options(proxy: Proxy, broker: SoakBroker) -> tuple[str, ...]:
    if broker.files is None:
        return ("--mqtt", f"mqtt://{proxy.host}:{proxy.port}")
    return ("--mqtt", f"mqtts://{proxy.host}:{proxy.port}", "--mqtt-ca-file", str(broker.files.ca))
