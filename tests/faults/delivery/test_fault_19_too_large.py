"""413: a batch is halved until it fits, and a single line that never does is quarantined."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from pipelines.quarantine import kept
from pipelines.sinks.influx import InfluxV2Sink
from tests.faults.conftest import Figure, Size
from tests.faults.delivery.storing import bridge_to, give, line, sending
from tests.pipelines.conftest import broker
from tests.pipelines.waiting import until
from tests.services.influx_v2 import running_influx_v2
from tests.services.mosquitto import Mosquitto

__all__ = ["broker"]
pytestmark = [pytest.mark.wire, pytest.mark.fault(19)]
DEADLINE_S = 120.0


async def test_halved_until_it_fits(broker: Mosquitto, tmp_path: Path, size: Size, figure: Figure) -> None:
    count, limit = size(500, 8000), size(4000, 16_000)
    records = size(1, 20)
    with running_influx_v2(max_bytes=limit) as store:
        sink = InfluxV2Sink(store.url, "factory", "points", "secret-token")
        async with bridge_to(sink, broker), sending(tmp_path, broker) as agent:
            total = 0
            for number in range(records):
                first = number * count
                body = b"".join(line("C", "P", "f", f"{one}.5", first + one + 1) for one in range(count))
                huge = line("C", "P", "s", f'"{"x" * limit}"', first + count // 2)
                give(agent, body + huge)
                total += len(body) + len(huge)
                await until(lambda: agent.outbox.idle and agent.stats.accepted, DEADLINE_S)
            await until(lambda: agent.stats.stored == records * count, DEADLINE_S)
            assert agent.stats.quarantined == records
        await sink.close()
        assert {time_ns for *_, name, time_ns in store.points if name == "f"} == set(range(1, records * count + 1))
        assert all(size <= limit for _, size, status in store.requests if status == 204)
        requests = len(store.requests)
    refused = [one for _, some in kept(tmp_path) for one in some]
    assert [len(one["line"]) > limit for one in refused] == [True] * records
    assert all("too large" in one["reason"] for one in refused)
    most = 2 * records * (2 << math.ceil(math.log2(total / records / limit)))
    assert requests <= most
    figure("points beside a line that is too large, stored", asked="all", measured=f"all of {records * count:,}")
    figure("lines larger than the database takes, quarantined alone", asked=str(records), measured=len(refused))
    figure("requests to halve them", asked=f"≤ {most}", measured=requests)
