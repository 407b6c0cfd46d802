"""Ten minutes of errors, hang-ups, answers that trickle and silence: what the store got is unknown, nothing is lost."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path

import pytest

from pipelines.clock import SystemClock
from pipelines.sinks.influx import InfluxV1Sink
from tests.faults.conftest import Figure, Size
from tests.faults.delivery.storing import Point, bridge_to, compare, give, line, sending, stored
from tests.pipelines.conftest import broker
from tests.pipelines.waiting import until
from tests.services.influxd import running_influxd
from tests.services.mosquitto import Mosquitto
from tests.services.trouble import KINDS, running_trouble

__all__ = ["broker"]
pytestmark = [pytest.mark.wire, pytest.mark.fault(20)]
DEADLINE_S = 600.0
LINES = 50


async def test_nothing_is_lost_and_nobody_storms(broker: Mosquitto, tmp_path: Path, size: Size, figure: Figure) -> None:
    away_s, timeout_s = size(2, 600), size(2, 20) / 10
    truth: dict[Point, float] = {}
    with running_influxd() as server, running_trouble(server.url) as trouble:
        sink = InfluxV1Sink(trouble.url, "plant", timeout_s=timeout_s)
        server.create("plant")  # which takes longer than the sink waits
        server.write("plant", line("C", "P", "f", "0.5", 1))
        async with bridge_to(sink, broker) as bridge, sending(tmp_path, broker) as agent:
            records = 0

            def send() -> None:
                nonlocal records
                start_ns, records = SystemClock().now_ns(), records + 1
                points = {("P", "f", start_ns + one): records + one / LINES for one in range(LINES)}
                truth.update(points)
                give(agent, b"".join(line("C", "P", name, str(value), at) for (_, name, at), value in points.items()))

            for _ in range(size(1, 50)):
                send()
                await asyncio.sleep(0.25)
            await until(lambda: agent.outbox.idle, DEADLINE_S)
            trouble.well, began_s = False, time.monotonic()
            while time.monotonic() - began_s < away_s:
                send()
                await asyncio.sleep(0.25)
            trouble.well = True
            healed_s = time.monotonic()
            await until(lambda: agent.outbox.idle and agent.stats.stored == len(truth), DEADLINE_S)
            recovery_s = time.monotonic() - healed_s
            published = agent.stats.published
            assert bridge.alive()
        await sink.close()
        found = stored(server, "plant")
        assert found.pop(("P", "f", 1)) == 0.5
    asked = [(came_s, kind, reached) for came_s, kind, reached in trouble.seen if kind != "well"]
    kinds = Counter(kind for _, kind, _ in asked)
    assert asked
    if away_s > 60:
        assert set(kinds) == set(KINDS)
    result = compare(truth, found)
    assert (result.missing, result.duplicated, result.altered) == (0, 0, 0)
    name = f"store away for {away_s} s ({', '.join(f'{kind} {count}×' for kind, count in sorted(kinds.items()))})"
    figure(f"{name}: points lost, doubled, altered of {len(truth):,}", asked="0, 0, 0", measured="0, 0, 0")
    a_minute = len(asked) / away_s * 60
    assert a_minute <= 20 or away_s < 60
    figure("requests a minute while it is away", asked="no storm: ≤ 20", measured=a_minute)
    figure(
        "writes that reached the store and were not confirmed", asked="counted", measured=sum(one[2] for one in asked)
    )
    figure("seconds until all is confirmed once it is back", asked="counted", measured=recovery_s)
    figure("records sent once more", asked="counted", measured=published - records)
