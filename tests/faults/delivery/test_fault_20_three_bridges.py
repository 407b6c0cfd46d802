"""Three bridges share the load, one is killed every few seconds: nothing is lost, doubled or altered in the store."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from pipelines.clock import SystemClock
from tests.faults.conftest import Figure, Size
from tests.faults.delivery.storing import Point, compare, give, line, sending, stored
from tests.pipelines.conftest import broker
from tests.pipelines.waiting import until
from tests.services.influxd import running_influxd
from tests.services.mosquitto import Mosquitto

__all__ = ["broker"]
pytestmark = [pytest.mark.wire, pytest.mark.fault(20)]
DEADLINE_S = 120.0
AGENTS = 3
LINES = 200


class Bridges:
    """`agent bridge` as processes."""

    def __init__(self, folder: Path, broker: Mosquitto, url: str) -> None:
        self._log = folder / "bridges.log"
        arguments = ["bridge", "--mqtt", f"mqtt://{broker.host}:{broker.port}", "--influx", f"{url}?db=plant"]
        self._command = [sys.executable, "-m", "agent.cli", *arguments]
        self.running: list[subprocess.Popen[bytes]] = []
        self.kills = 0

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.running.append(subprocess.Popen(self._command, stdout=log, stderr=log))

    def kill_one(self) -> None:
        """The one that runs for longest; another takes its place."""
        oldest = self.running.pop(0)
        oldest.kill()
        oldest.wait()
        self.kills += 1
        self.start()

    def end(self) -> None:
        for one in self.running:
            one.kill()
            one.wait()


async def test_one_killed_every_few_seconds(broker: Mosquitto, tmp_path: Path, size: Size, figure: Figure) -> None:
    kills_s, each_s = size(4, 120), size(2, 5)
    lasts_s = kills_s + 6  # what a killed bridge held is sent again once later records overtook it by 5 s
    truth: dict[Point, float] = {}
    with running_influxd() as server:
        bridges = Bridges(tmp_path, broker, server.url)
        try:
            for _ in range(3):
                bridges.start()
            async with AsyncExitStack() as stack:
                names = [f"A{number}" for number in range(AGENTS)]
                agents = [
                    await stack.enter_async_context(sending(tmp_path / name, broker, name=name)) for name in names
                ]
                began_s = time.monotonic()
                due_s = began_s + each_s
                records = 0
                for records in itertools.count(1):
                    if time.monotonic() - began_s > lasts_s:
                        break
                    start_ns = SystemClock().now_ns()
                    for number, agent in enumerate(agents):
                        machine = names[number]
                        points = {(machine, "f", start_ns + one): records + one / LINES for one in range(LINES)}
                        truth.update(points)
                        lines = [line("C", machine, "f", str(value), at) for (_, _, at), value in points.items()]
                        give(agent, b"".join(lines))
                    await asyncio.sleep(0.2)
                    if time.monotonic() >= due_s and due_s <= began_s + kills_s:
                        bridges.kill_one()
                        due_s += each_s
                ended_s = time.monotonic()
                await until(
                    lambda: (
                        all(one.outbox.idle for one in agents) and sum(one.stats.stored for one in agents) == len(truth)
                    ),
                    DEADLINE_S,
                )
                drained_s = time.monotonic() - ended_s
                published = sum(one.stats.published for one in agents)
                appended = sum(one.journal._counter for one in agents)
        finally:
            bridges.end()
        found = stored(server, "plant")
    assert bridges.kills == kills_s // each_s
    result = compare(truth, found)
    assert (result.missing, result.duplicated, result.altered) == (0, 0, 0)
    name = f"three bridges, one killed every {each_s} s for {kills_s} s, {AGENTS} agents, {len(truth):,} points"
    figure(f"{name}: missing, duplicated, altered", asked="0, 0, 0", measured="0, 0, 0")
    figure("bridges killed", asked="counted", measured=bridges.kills)
    figure("records sent once more on the wire", asked="counted", measured=f"{published - appended} of {appended}")
    figure("seconds until all is confirmed at the end", asked="counted", measured=drained_s)
