"""The journal takes nothing for a while: all three connectors wait, memory stays flat, nothing is lost untold."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from agent.soak.disk import Tmpfs
from tests.connectors.modbus.device import Device
from tests.connectors.mtconnect.device import Agent
from tests.e2e.foreign_parts import Child, Places, Plc, Store, collector, site_of
from tests.faults.delivery.changes import counted, unexplained

pytestmark = [pytest.mark.wire, pytest.mark.fault(14)]

MIB: Final = 1 << 20
PERIOD_S: Final = 0.05
REGISTERS: Final = 100
GROWTH_MIB: Final = 20
LINKS: Final = {"changes", "meter", "mill"}


class Memory:
    """Resident memory of a process, sampled while something happens."""

    def __init__(self, pid: int) -> None:
        self._path = Path(f"/proc/{pid}/statm")
        self.before = self.peak = self.now()

    def now(self) -> float:
        return int(self._path.read_text().split()[1]) * 4096 / MIB

    def sample(self) -> None:
        self.peak = max(self.peak, self.now())

    @property
    def growth(self) -> float:
        return self.peak - self.before


@contextmanager
def full_disk(disk: Tmpfs, places: Places) -> Iterator[None]:
    """A foreign file takes all space."""
    del places
    with disk.filled():
        yield


@contextmanager
def silent_store(disk: Tmpfs, places: Places) -> Iterator[None]:
    """The database stands still, so that the journal fills up to its cap, at which it takes nothing new."""
    del disk
    places.influx.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        places.influx.process.send_signal(signal.SIGCONT)


CASES: Final = {"full disk": full_disk, "cap with reject_new": silent_store}


async def test_all_three_connectors_wait_for_the_disk(
    places: Places, plc: Plc, tmp_path: Path, size: Any, figure: Any
) -> None:
    """At full size also at the cap, which takes its time to be reached."""
    for name in list(CASES)[: size(1, 2)]:
        await wait_and_flow(name, places, plc, tmp_path / name.replace(" ", "-"), size, figure)


async def wait_and_flow(name: str, places: Places, plc: Plc, folder: Path, size: Any, figure: Any) -> None:
    company = name.replace(" ", "-").replace("_", "-")
    store, refused_s = Store(places.influx, company), size(4, 60)
    async with Device() as device, Agent() as mill, asyncio.TaskGroup() as group:
        turning = group.create_task(mill.run())
        site = site_of(
            company,
            [plc.connection("changes", plc.tag("Counter0")), meter(device.port), lathe(mill.url)],
            journal={"max_bytes": 2 * MIB, "min_free_bytes": 0, "at_cap": "reject_new"},
        )
        with Tmpfs(16) as disk, collector(folder, site, places.broker, disk.folder / "state") as running:
            await asyncio.to_thread(counted, running, 5000)
            memory = Memory(running.process.pid)
            with CASES[name](disk, places):
                await until(running, lambda: not running.status()["journal"]["ok"], memory)
                await stay(refused_s / 2, memory)  # what was stored meanwhile left a little room
                accepted, asked = running.points()["accepted"], len(device.requests)
                await stay(refused_s / 2, memory)
                assert running.points()["accepted"] == accepted
                assert len(device.requests) <= asked + 20, "nobody asks for what nobody can keep"
                assert running.status()["journal"]["bytes"] <= 2 * MIB
            free_ns, free_s = time.time_ns(), time.monotonic()
            await until(running, lambda: flows_since(running, free_ns, accepted), memory)
            flowing_s = time.monotonic() - free_s
            await asyncio.to_thread(counted, running, 5000)
            memory.sample()
            ended = running.status()
            assert await asyncio.to_thread(running.stop) == 0
        turning.cancel()
    missed = ended["connections"]["meter"]["overruns"]
    assert ended["points"]["dropped"] == ended["points"]["quarantined"] == 0
    assert missed > 0.4 * refused_s / PERIOD_S, "ticks that were missed are counted"
    assert memory.growth <= GROWTH_MIB
    assert flowing_s <= size(30, 5)
    assert unexplained(plc, store, "changes", "Counter0") == []
    assert unexplained_parts(store) == []
    figure(f"{name}: memory grew under load of three connectors, MiB", asked="≤ 20", measured=memory.growth)
    figure(f"{name}: all three flow again after, seconds", asked="≤ 5", measured=flowing_s)
    figure(f"{name}: polls missed, counted", asked="reported", measured=f"{missed} in {refused_s} s")
    figure(f"{name}: changes lost and in no gap that is told", asked="0", measured=0)


def meter(port: int) -> dict[str, Any]:
    tags = [{"name": f"r{n}", "address": n, "datatype": "uint16"} for n in range(REGISTERS)]
    return {"type": "modbus", "name": "meter", "host": "127.0.0.1", "port": port, "period_s": PERIOD_S, "tags": tags}


def lathe(url: str) -> dict[str, Any]:
    tags = [{"name": "parts", "data_item": "pc"}]
    return {"type": "mtconnect", "name": "mill", "endpoint": url, "period_s": 0.1, "tags": tags}


async def stay(seconds: float, memory: Memory) -> None:
    for _ in range(round(seconds * 10)):
        await asyncio.sleep(0.1)
        memory.sample()


async def until(running: Child, true: Any, memory: Memory) -> None:
    def sampled() -> bool:
        memory.sample()
        return bool(true())

    await asyncio.to_thread(running.until, sampled)


def flows_since(running: Child, since_ns: int, accepted: int) -> bool:
    """Whether each connection read something good since, and the journal took something."""
    said = running.status()
    fresh = {name for name, link in said["connections"].items() if link["last_good_ns"] > since_ns}
    return fresh == LINKS and said["points"]["accepted"] > accepted and said["journal"]["ok"]


def unexplained_parts(store: Store) -> list[int]:
    """Numbers of parts that are missing although no gap of the machine tool is told."""
    numbers = {value for _, value in store.rows("mill")["parts"]}
    told = any(row["machine"] == "mill" and row["cause"] != "agent_down" for row in store.gaps())
    return [] if told else sorted(set(range(min(numbers), max(numbers) + 1)) - numbers)
