"""Two changes of a variable in the same millisecond, and even with the same time: both are kept."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from asyncua import ua

from tests.connectors.opcua.conftest import Consumer, Plant, connection, tag
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
