"""Two changes of a variable in the same millisecond, and even with the same time: both are kept."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua

from connectors.base import LinkContext
from connectors.modbus.link import ModbusLink
from pipelines.place import Place
from pipelines.source import Source
from pipelines.stats import LinkStats
from tests.connectors.modbus.conftest import connection as modbus_connection
from tests.connectors.modbus.device import Device
from tests.connectors.opcua.conftest import Consumer, Plant, connection, run_foreign, tag
from tests.e2e.foreign_parts import Places, Plc, Store, collector, site_of
from tests.faults.delivery.clocks import store_on
from tests.faults.devices.opcua_parts import plant, supervised

__all__ = ["plant"]
pytestmark = [pytest.mark.wire, pytest.mark.fault(23)]


async def test_both_changes_are_kept(plant: Plant, size: Any, figure: Any) -> None:
    pairs = size(50, 2_000)
    await plant.start()
    consumer = Consumer(connection(plant.endpoint, tag("a", "nsu=urn:test:plant;s=a"), queue_size=100_000))
    async with supervised(consumer) as running:
        await running.until(lambda: bool(consumer.rows))
        for number in range(1, 2 * pairs, 2):
            when = datetime.now(UTC)
            for value in (number, number + 1):
                variant = ua.Variant(value, ua.VariantType.Int64)
                stamped = ua.DataValue(variant, SourceTimestamp=when)
                await plant.server.write_attribute_value(plant.nodes["a"].nodeid, stamped)
        await running.until(lambda: consumer.values(0)[-1] == 2 * pairs, 60)
        points = [line.rsplit(b" ", 2)[1:] for line in running.points if b" a=" in line]
    kept = {
        int(time_ns): int(fields.split(b",")[0].removeprefix(b"a=").removesuffix(b"i")) for fields, time_ns in points
    }
    assert [value for _, value in sorted(kept.items())] == list(range(2 * pairs + 1))
    figure("changes with equal times, lost", asked="0", measured=2 * pairs + 1 - len(kept))
    figure("changes with equal times", asked="both of each pair", measured=2 * pairs)


async def test_cyclic_reads_keep_both_too(plant: Plant, size: Any, figure: Any) -> None:
    """The value changes between two reads and its source time does not: as with a PLC that stamps its cycle."""
    pairs, when = size(10, 500), datetime.now(UTC)
    await plant.start()
    read = tag("a", "nsu=urn:test:plant;s=a", mode="read")
    consumer = Consumer(connection(plant.endpoint, read, period_s=0.02))
    node = plant.nodes["a"].nodeid
    async with supervised(consumer) as running:
        await running.until(lambda: bool(consumer.rows))
        for number in range(1, 2 * pairs + 1):
            when = when if number % 2 == 0 else datetime.now(UTC)
            variant = ua.Variant(number, ua.VariantType.Int64)
            await plant.server.write_attribute_value(node, ua.DataValue(variant, SourceTimestamp=when))
            await running.until(lambda wanted=number: consumer.values(0)[-1] == wanted)  # type: ignore[misc]
        points = [line.rsplit(b" ", 2)[1:] for line in running.points if b" a=" in line]
    kept = {int(time_ns): fields.split(b",")[0] for fields, time_ns in points}
    assert [kept[time_ns] for time_ns in sorted(kept)] == [b"a=%di" % number for number in range(2 * pairs + 1)]
    figure("cyclic reads with equal source times, lost", asked="0", measured=2 * pairs + 1 - len(kept))


@dataclass
class Frozen:
    """A wall clock that moves in steps of a second, as coarse as none is; its monotonic clock is right."""

    rate: float = 1.0

    def now_ns(self) -> int:
        return time.time_ns() // 10**9 * 10**9

    def monotonic_s(self) -> float:
        return time.monotonic()


async def test_polls_of_one_instant_are_all_kept(size: Any, figure: Any) -> None:
    wanted, clock, points = size(40, 2_000), Frozen(), set()
    async with Device() as device:
        settings = modbus_connection(device.port, {"address": 7}, period_s=0.01, timeout_s=2)
        source = Source(settings, [Place("m", "c", "s", "", "P")], {})
        readings = 0
        async with ModbusLink(LinkContext(settings, None, clock, LinkStats())) as link:
            async for delivery in link.deliveries():
                readings += sum(len(scan) for scan in delivery.scans)
                lines = [line for part in source.encode(delivery, clock.now_ns()) for line in part.body.splitlines()]
                points |= {line.rsplit(b" ", 1)[1] for line in lines if not line.startswith(b"gap")}
                if readings == wanted:
                    break
    figure("polls within one instant of a coarse clock, lost", asked="0", measured=readings - len(points))
    assert len(points) == readings


def test_a_foreign_server_whose_changes_share_a_time(places: Places, tmp_path: Path, size: Any, figure: Any) -> None:
    """node-opcua writes three changes with one source time every 20 ms; agent, broker, bridge and influxd keep all."""
    store, log = Store(places.influx, "sametime"), tmp_path / "log"
    with run_foreign(tmp_path / "certificates", LOG=str(log), COUNTERS="1", BURST="3") as server:
        plc = Plc(server, log)
        site = site_of("sametime", [plc.connection("burst", plc.tag("Counter0"), queue_size=1000)])
        with collector(tmp_path, site, places.broker) as running:
            store_on(running, size(150, 20_000))
            assert running.stop() == 0
    truth = plc.written("Counter0")
    stored = [(time_ns, value) for time_ns, value in store.rows("burst")["Counter0"] if value in truth]
    values = [value for _, value in stored]
    assert values == list(range(values[0], values[-1] + 1))
    assert all(0 <= time_ns - truth[value] <= 2 for time_ns, value in stored)
    gone = values[-1] - values[0] + 1 - len(set(values))
    figure("node-opcua, three changes with one source time: lost", asked="0", measured=gone)
    figure(
        "the same: moved by at most, ns", asked="2", measured=max(time_ns - truth[value] for time_ns, value in stored)
    )
