"""Tags find their variables again: by browse path, after a download, one by one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server.internal_session import InternalSession

from connectors.opcua import plan
from pipelines.point import BAD_NODE_ID_UNKNOWN

from .conftest import Consumer, Foreign, Plant, connection, tag

pytestmark = pytest.mark.wire

URI = "urn:test:plant"
FORCE = f"/Objects/nsu={URI};Press/Force"
NODE = f"nsu={URI};i=1001"
GOOD = ua.StatusCodes.Good


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "RETEST_FIRST_S", 0.2)


@pytest.fixture
async def press() -> AsyncIterator[Plant]:
    plant = Plant()
    try:
        yield plant
    finally:
        await plant.stop()


async def build(plant: Plant, force: int, **others: int) -> None:
    """The program of a PLC: a press with `Force` under this numeric node id, and other variables."""
    await plant.start(())
    await variables(plant, {"Force": force, **others})


async def variables(plant: Plant, ids: dict[str, int], value: float = 1.5) -> None:
    index = await plant.server.get_namespace_index(URI)
    folder = plant.nodes.get("Press")
    if folder is None or plant.nodes.get("server") is not plant.server:
        folder = await plant.server.nodes.objects.add_object(ua.NodeId("Press", index), f"{index}:Press")
        plant.nodes |= {"Press": folder, "server": plant.server}
    for name, number in ids.items():
        plant.nodes[name] = await folder.add_variable(ua.NodeId(number, index), f"{index}:{name}", value)


async def say(plant: Plant, name: str, value: float, status: int = GOOD) -> None:
    variant = ua.Variant(value, ua.VariantType.Double)
    stamped = ua.DataValue(variant, ua.StatusCode(status), SourceTimestamp=datetime.now(UTC))
    await plant.server.write_attribute_value(plant.nodes[name].nodeid, stamped)


@pytest.mark.parametrize("mode", ["subscribe", "read"])
async def test_a_path_follows_a_variable_that_a_download_numbered_anew(press: Plant, mode: Any) -> None:
    await build(press, force=1001, Speed=1002)
    more: dict[str, Any] = {"period_s": 0.1} if mode == "read" else {}
    consumer = Consumer(
        connection(
            press.endpoint,
            tag("force", NODE, path=FORCE, mode=mode, **more),
            tag("by_path", "", path=FORCE, mode=mode, **more),
        )
    )
    await consumer.until(lambda: consumer.values(0) == [1.5] and consumer.values(1) == [1.5])
    assert consumer.noted("node_moved") == []
    await press.stop()
    await build(press, force=2001, Speed=1001)  # the old number is another variable's now
    await say(press, "Speed", -999.0)
    await say(press, "Force", 2.5)
    await consumer.until(lambda: consumer.values(0)[-1:] == [2.5] and consumer.values(1)[-1:] == [2.5])
    assert -999.0 not in {row[2] for row in consumer.rows}
    (moved,) = consumer.noted("node_moved")
    assert (moved["tag"], moved["path"]) == ("force", FORCE)
    assert moved["before"].endswith("i=1001")
    assert moved["now"].endswith("i=2001")


async def test_a_path_that_matches_nothing_is_bad_and_never_another_variable(press: Plant) -> None:
    await build(press, force=2001, Speed=1001)
    consumer = Consumer(
        connection(
            press.endpoint,
            tag("gone", NODE, path=f"/Objects/nsu={URI};Press/Torque"),
            tag("elsewhere", "", path="/Objects/nsu=urn:other;Press"),
            tag("force", "", path=FORCE),
        )
    )
    await consumer.until(lambda: len({row[0] for row in consumer.rows}) == 3)
    statuses = {row[0]: row[3] for row in consumer.rows}
    assert statuses == {0: ua.StatusCodes.BadNoMatch, 1: BAD_NODE_ID_UNKNOWN, 2: GOOD}
    assert consumer.stats.refused == {0: ua.StatusCodes.BadNoMatch, 1: BAD_NODE_ID_UNKNOWN}


async def test_without_the_service_the_node_id_serves(press: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: Any) -> Any:
        raise ServiceError(ua.StatusCodes.BadServiceUnsupported)

    monkeypatch.setattr(InternalSession, "translate_browsepaths_to_nodeids", refuse)
    await build(press, force=1001)
    consumer = Consumer(connection(press.endpoint, tag("force", NODE, path=FORCE), tag("path", "", path=FORCE)))
    await consumer.until(lambda: len({row[0] for row in consumer.rows}) == 2)
    assert {row[0]: row[3] for row in consumer.rows} == {0: GOOD, 1: BAD_NODE_ID_UNKNOWN}


@pytest.mark.parametrize("mode", ["subscribe", "read"])
async def test_a_variable_that_comes_later_is_found(press: Plant, mode: Any) -> None:
    await build(press, force=2001)
    more: dict[str, Any] = {"period_s": 0.1} if mode == "read" else {}
    speed = tag("speed", "", path=f"/Objects/nsu={URI};Press/Speed", mode=mode, **more)
    late = tag("late", "nsu=urn:late;s=late", mode=mode, **more)
    consumer = Consumer(connection(press.endpoint, speed, late))
    async with consumer.link() as link:
        stage = 0
        async for delivery in link.deliveries():
            consumer.commit(delivery)
            if stage == 0 and len(consumer.stats.refused) == 2:
                await variables(press, {"Speed": 3001}, 7.5)
                index = await press.server.register_namespace("urn:late")
                await press.server.nodes.objects.add_variable(ua.NodeId("late", index), f"{index}:late", 8.5)
                stage = 1
            if consumer.values(0) == [7.5] and consumer.values(1) == [8.5]:
                break
    assert consumer.stats.refused == {}
    assert sorted(row[0] for row in consumer.rows if row[3]) == [0, 1], "each was told bad once"


async def test_a_node_that_vanishes_under_a_subscription_is_found_at_its_new_place(press: Plant) -> None:
    """Told by the status of a notification: the item is made again where the path leads now."""
    await build(press, force=1001, Other=1002)
    consumer = Consumer(connection(press.endpoint, tag("force", NODE, path=FORCE), tag("other", f"nsu={URI};i=1002")))
    stage = 0
    async with consumer.link() as link:
        async for delivery in link.deliveries():
            consumer.commit(delivery)
            if stage == 0 and len({row[0] for row in consumer.rows}) == 2:
                old = press.nodes["Force"]
                await say(press, "Force", 0.0, BAD_NODE_ID_UNKNOWN)
                stage = 1
            elif stage == 1 and 0 in consumer.stats.refused:
                await move(press, old)
                stage = 2
            elif stage == 2 and consumer.values(0)[-1:] == [3.5]:
                press.nodes["Force"], new = old, press.nodes["Force"]
                await say(press, "Force", -999.0)  # the old node: its item is gone
                press.nodes["Force"] = new
                await say(press, "Force", 4.5)
                await say(press, "Other", 4.5)
                stage = 3
            elif stage == 3 and consumer.values(0)[-1:] == [4.5] and consumer.values(1)[-1:] == [4.5]:
                break
    assert consumer.values(0) == [1.5, 3.5, 4.5]
    assert [row[3] for row in consumer.rows if row[0] == 0 and row[3]] == [BAD_NODE_ID_UNKNOWN]
    assert consumer.stats.refused == {}
    assert [one["tag"] for one in consumer.noted("node_moved")] == ["force"]
    await say(press, "Force", 5.5)  # a later link takes the subscription over, with the new item in it
    await consumer.until(lambda: consumer.values(0)[-1:] == [5.5])
    assert consumer.gaps == []
    assert len(consumer.noted("subscription_taken_over")) == 1


async def move(plant: Plant, old: Any) -> None:
    """The variable under another node id; the old node stays, outside of the press."""
    await plant.nodes["Press"].delete_reference(old, ua.ObjectIds.HasComponent, forward=True, bidirectional=False)
    await variables(plant, {"Force": 2001}, 3.5)


async def test_a_node_that_comes_back_by_itself_is_taken_again(press: Plant) -> None:
    await build(press, force=1001)
    consumer = Consumer(connection(press.endpoint, tag("force", NODE)))
    stage = 0
    async with consumer.link() as link:
        async for delivery in link.deliveries():
            consumer.commit(delivery)
            if stage == 0 and consumer.rows:
                await say(press, "Force", 0.0, BAD_NODE_ID_UNKNOWN)
                stage = 1
            elif stage == 1 and consumer.stats.refused:
                await say(press, "Force", 2.5)
                stage = 2
            elif stage == 2 and consumer.values(0)[-1:] == [2.5]:
                break
    assert consumer.stats.refused == {}
    await say(press, "Force", 3.5)
    await consumer.until(lambda: consumer.values(0)[-1:] == [3.5])
    assert consumer.gaps == []


async def test_paths_on_a_foreign_server(foreign: Foreign) -> None:
    space = f"nsu={foreign.namespace}"
    consumer = Consumer(
        connection(
            foreign.endpoint,
            tag("subscribed", "", path=f"/Objects/{space};Plant/Double0"),
            tag("read", "", path=f"/Objects/{space};Plant/String1", mode="read", period_s=0.1),
            tag("unknown", "", path=f"/Objects/{space};Plant/None"),
        )
    )
    await consumer.until(lambda: len({row[0] for row in consumer.rows}) == 3)
    assert consumer.values(0) == [0.1]
    assert consumer.values(1) == ["한글 프레스 1호기"]
    assert consumer.stats.refused == {2: ua.StatusCodes.BadNoMatch}
