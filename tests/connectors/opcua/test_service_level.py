"""Two servers of one redundant set: the one that says it cannot serve is left for the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from asyncua import ua

from agent.site import Site
from connectors.opcua import service_level
from pipelines.errors import LinkRefused
from tests.agent.test_reading import running
from tests.pipelines.waiting import until

from .conftest import Consumer, Plant, connection, plant, tag

__all__ = ["plant"]
pytestmark = pytest.mark.wire


@pytest.fixture
async def other() -> AsyncIterator[Plant]:
    one = Plant()
    await one.start()
    try:
        yield one
    finally:
        await one.stop()


async def say(plant: Plant, level: int) -> None:
    node = plant.server.get_node(ua.ObjectIds.Server_ServiceLevel)
    await node.write_value(ua.DataValue(ua.Variant(level, ua.VariantType.Byte)))


@pytest.mark.parametrize(("level", "why"), [(0, "maintenance"), (1, "no data")])
async def test_a_server_that_cannot_serve_is_refused_where_there_is_another(
    plant: Plant, other: Plant, level: int, why: str
) -> None:
    await say(plant, level)
    tags = (tag("a", "nsu=urn:test:plant;s=a"),)
    alone = Consumer(connection(plant.endpoint, *tags))
    await alone.until(lambda: alone.values(0))
    assert alone.error is None
    settings = connection(plant.endpoint, *tags, backups=[f"127.0.0.1:{other.port}"])
    with pytest.raises(LinkRefused, match=rf"ServiceLevel {level} \({why}\): going to a backup"):
        async with Consumer(settings).link():
            pass


async def test_the_backup_takes_over_while_the_first_is_maintained(
    plant: Plant, other: Plant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_level, "_LOOK_S", 0.1)
    site = site_of(plant, other)
    async with running(site, tmp_path) as (reading, journal):
        await until(lambda: reading.stats.readings)
        assert reading.status()["where"] == plant.endpoint
        await say(plant, 0)
        await until(lambda: reading.stats.connected and reading.status()["where"] == other.endpoint, 20)
        before = reading.stats.readings
        await asyncio.gather(*(other.write("a", value) for value in range(5, 8)))
        await until(lambda: reading.stats.readings > before + 1)
        assert journal.points_queued
    body = b"".join(path.read_bytes() for path in sorted((tmp_path / "journal").iterdir()))
    assert b"cause=no_communication" in body, "what happened between the two is a known gap"


def site_of(plant: Plant, other: Plant) -> Site:
    one = connection(plant.endpoint, tag("a", "nsu=urn:test:plant;s=a"), backups=[f"127.0.0.1:{other.port}"])
    return Site.model_validate(
        {
            "company": "acme",
            "site": "hall",
            "machines": {"M1": {"class": "press"}},
            "connections": [one.model_dump(mode="json", exclude_defaults=True) | {"type": "opcua", "machine": "M1"}],
        }
    )
