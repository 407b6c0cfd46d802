"""Readings of one tag stay in the order of their times, whatever types came in one notification."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from asyncua import ua

from connectors.opcua.columnar.turns import in_turn
from pipelines.point import Scan, scan_of
from tests.pipelines.waiting import until

from .conftest import Consumer, Plant, connection, tag

BAD = 0x808D_0000


def rows(scans: list[Scan]) -> list[tuple[int, int, object, int]]:
    return [
        (int(tag), int(time), value, int(status))
        for one in scans
        for tag, time, value, status in zip(one.tag, one.time_ns, one.value.tolist(), one.status, strict=True)
    ]


def test_a_null_between_numbers_keeps_its_place() -> None:
    numbers = scan_of([0, 1, 1, 0, 1], [1, 2, 4, 5, 6], [0.5, 1.0, 2.0, 0.75, 3.0])
    nulls = scan_of([1, 2, 1], [3, 3, 5], ["", "", ""], [BAD, BAD, BAD], dtype=object)
    found = in_turn([numbers, nulls])
    assert sorted(rows(found)) == sorted(rows([numbers, nulls]))
    assert [one[1:] for one in rows(found) if one[0] == 1] == [
        (2, 1.0, 0),
        (3, "", BAD),
        (4, 2.0, 0),
        (5, "", BAD),
        (6, 3.0, 0),
    ]
    assert all((one.time_ns[1:] >= one.time_ns[:-1]).all() for one in found)


def test_what_is_in_order_is_left_alone() -> None:
    numbers, texts = scan_of([0, 1], [1, 2], [0.5, 1.0]), scan_of([2], [1], ["a"], dtype=object)
    assert in_turn([numbers, texts]) == [numbers, texts]
    assert in_turn([numbers]) == [numbers]
    assert in_turn([]) == []
    backwards = scan_of([0, 0], [5, 4], [True, False])
    assert in_turn([numbers, backwards]) == [numbers, backwards]


@pytest.mark.wire
async def test_a_null_in_a_notification_keeps_its_place(plant: Plant) -> None:
    a = tag("a", "nsu=urn:test:plant;s=a", queue_size=10)
    consumer = Consumer(connection(plant.endpoint, a, publishing_interval_s=0.5, keepalive_s=2))
    null = ua.DataValue(ua.Variant(None), ua.StatusCode(BAD))

    async def write() -> None:
        await until(lambda: bool(consumer.rows))
        for value in (1, 2, 3):
            await plant.write("a", value)
            null.SourceTimestamp = datetime.now(UTC)
            await plant.server.write_attribute_value(plant.nodes["a"].nodeid, null)
        await plant.write("a", 4)

    async with asyncio.TaskGroup() as group:
        group.create_task(write())
        await consumer.until(lambda: 4 in consumer.values(0))
    assert [value for _, _, value, status in consumer.rows[1:] if not status] == [1, 2, 3, 4]
    assert [status for *_, status in consumer.rows[1:]] == [0, BAD, 0, BAD, 0, BAD, 0]
