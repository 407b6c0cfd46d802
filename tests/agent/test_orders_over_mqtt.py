"""Orders about alarms from a viewer elsewhere: a real agent, a real mosquitto with the access list of deploy/."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
from structlog.testing import capture_logs

from agent.collector import Collector
from agent.supervise import keep_open
from pipelines.clock import SystemClock
from pipelines.delivery.mqtt import Message, MqttSession
from pipelines.delivery.mqtt_settings import MqttSettings
from pipelines.orders import AlarmOrder, OrderAnswer, answer_of
from tests.agent.gas_room import GAS, LEVEL, points, running, site_of
from tests.connectors.modbus.device import Device
from tests.pipelines.waiting import until
from tests.services.mosquitto import Mosquitto
from tests.services.shipped_acl import shipped_acl
from tests.viewer.operate.room import running_desk
from viewer.operate.broker import BrokerWay
from viewer.operate.desk import OrderDesk
from viewer.operate.model import Fate, Given

pytestmark = pytest.mark.wire
KEY: Final = ("acme", "hall")
GAS_HIGH, LEVEL_HIGH = "GD-01/nh3_high", "GD-01/level_high"
ORDER: Final = "sf/acme/hall/edge-1/order"
REFUSED: Final = 0x87
NOBODY: Final = 0x10


def settings(broker: Mosquitto, user: str, folder: Path) -> MqttSettings:
    file = folder / f"{user}.password"
    file.write_text(f"{user}-secret")
    return MqttSettings(host=broker.host, port=broker.port, user=user, password_file=file)


def order(action: str, alarm: str = LEVEL_HIGH, **more: Any) -> AlarmOrder:
    said = {"id": secrets.token_hex(16), "sent_ns": time.time_ns(), "by": "반장-1", "action": action, "alarm": alarm}
    return AlarmOrder.model_validate(said | more)


def desk_at(mqtt: MqttSettings) -> contextlib.AbstractAsyncContextManager[OrderDesk]:
    return running_desk(OrderDesk([("orders", BrokerWay(mqtt, "sf-orders-test", [KEY]))], SystemClock(), keep_open))


async def give(desk: OrderDesk, one: AlarmOrder) -> Given:
    return await asyncio.to_thread(desk.give_now, KEY, one)


@contextlib.asynccontextmanager
async def client(mqtt: MqttSettings, *topics: str) -> AsyncIterator[tuple[MqttSession, list[Message]]]:
    """Some other program at the broker."""
    got: list[Message] = []
    async with MqttSession(mqtt, f"test-{secrets.token_hex(4)}", got.append) as session:
        if topics:
            await session.subscribe(list(topics))
        yield session, got


async def publish(session: MqttSession, payload: bytes, *, retain: bool = False) -> int:
    """The broker's reason code."""
    codes: list[int] = []
    session.publish(ORDER, payload, retain=retain, heard=lambda code, _: codes.append(code))
    await until(lambda: codes)
    return codes[0]


async def answers(got: list[Message], name: str, count: int = 1) -> list[OrderAnswer]:
    found: list[OrderAnswer] = []

    def look() -> bool:
        found[:] = [one for message in got if (one := answer_of(message.payload)) and one.id == name]
        return len(found) == count

    await until(look)
    return found


async def test_a_viewer_orders_and_nobody_else_does(tmp_path: Path) -> None:
    users = {name: f"{name}-secret" for name in ("viewer", "bridge", "acme.hall", "other.hall")}
    acl = shipped_acl(tmp_path / "acl", "acme.hall", "other.hall")
    with Mosquitto(tmp_path / "broker", users=users, acl=acl) as broker:
        mqtt = {name: settings(broker, name, tmp_path) for name in users}
        async with (
            client(mqtt["viewer"], f"{ORDER}/answer") as (viewer, got),
            desk_at(mqtt["viewer"]) as desk,
            Device(registers={GAS: 30, LEVEL: 95}) as device,
        ):
            kept = order("acknowledge", GAS_HIGH)
            assert await publish(viewer, kept.packed(), retain=True) == NOBODY
            site = site_of(device.port, mqtt=mqtt["acme.hall"], agent={"name": "edge-1", "alarm_orders": "mqtt"})
            async with running(site, tmp_path / "state", SystemClock()) as collector:
                await until(lambda: sum(collector.status()["alarms"]["unacknowledged"].values()) == 2)
                (told,) = await answers(got, kept.id)
                assert (told.done, told.why) == (False, "retained")
                for stranger in ("bridge", "other.hall", "acme.hall"):
                    async with client(mqtt[stranger]) as (session, _):
                        assert await publish(session, order("acknowledge").packed()) == REFUSED, stranger
                await until(lambda: desk.reaches(KEY, GAS_HIGH))
                assert not desk.reaches(("other", "hall"), GAS_HIGH)
                assert not desk.reaches(KEY, "GD-01/other")
                await what_is_done(desk, viewer, got)
                await what_is_refused(desk, viewer, got)
                assert collector.status()["alarms"]["unacknowledged"] == {
                    "urgent": 0, "important": 0, "caution": 1, "info": 0
                }  # fmt: skip
            lost = await give(desk, order("acknowledge"))
            assert (lost.fate, lost.trouble) == (Fate.NOT_SENT, "agent_away")
    said = [row[1:] for row in points(tmp_path / "state", "alarm_action", "action", "by", "comment")]
    assert said == [
        ("acknowledged", "반장-1", "환기함"),
        ("shelved", "반장-1", "센서 교체"),
        ("unshelved", "반장-1", None),
    ]


async def what_is_done(desk: OrderDesk, viewer: MqttSession, got: list[Message]) -> None:
    first = order("acknowledge", GAS_HIGH, comment="환기함")
    given = await give(desk, first)
    assert given.answer is not None
    assert (given.fate, given.answer.state) == (Fate.DONE, "ACKED")
    assert await give(desk, first) is given, "the same form sent twice is one order"
    assert await publish(viewer, first.packed()) == 0
    assert await answers(got, first.id, 2) == [given.answer] * 2, "one that comes twice is done once"
    assert await publish(viewer, order("acknowledge", id=first.id).packed()) == 0
    assert [one.why for one in await answers(got, first.id, 3)] == ["", "", "taken"]
    shelved = await give(desk, order("shelve", for_s=7200, comment="센서 교체"))
    assert shelved.answer is not None
    assert (shelved.answer.state, shelved.answer.until_ns - shelved.answer.at_ns) == ("SHELVED", 7200 * 10**9)
    unshelved = await give(desk, order("unshelve"))
    assert unshelved.answer is not None
    assert (unshelved.fate, unshelved.answer.state) == (Fate.DONE, "UNACK")


async def what_is_refused(desk: OrderDesk, viewer: MqttSession, got: list[Message]) -> None:
    minute_ns = 60 * 10**9
    for one, why in (
        (order("shelve", GAS_HIGH, for_s=60), "safety"),
        (order("acknowledge", GAS_HIGH), "nothing"),
        (order("unshelve"), "not_shelved"),
        (order("shelve"), "too_long"),
        (order("acknowledge", sent_ns=time.time_ns() - minute_ns), "old"),
        (order("acknowledge", sent_ns=time.time_ns() + minute_ns), "ahead"),
    ):
        given = await give(desk, one)
        assert (given.fate, given.answer and given.answer.why) == (Fate.REFUSED, why)
    elsewhere = order("acknowledge", "GD-01/other")
    assert await publish(viewer, elsewhere.packed()) == 0
    (told,) = await answers(got, elsewhere.id)
    assert told.why == "no_such"
    assert await publish(viewer, b"no order") == 0, "nobody to answer: it is logged"


async def test_an_agent_takes_no_order_from_a_broker_that_asks_nobody(tmp_path: Path) -> None:
    """As in a simulation of a site that takes orders: its broker is another one than the file's."""
    site = site_of(1, mqtt={"user": "acme.hall", "password_file": "none"}, agent={"alarm_orders": "mqtt"})
    with capture_logs() as logs:
        collector = Collector(site.model_copy(update={"mqtt": MqttSettings()}), tmp_path, SystemClock())
    assert collector.order_link is None
    assert [one["event"] for one in logs] == ["no_orders_over_mqtt"]
    assert orjson.loads(collector.births.birth()).get("orders") is None
    for part in (collector.uplink.refusals, collector.ledger, collector.journal, collector.quarantine):
        part.close()


async def test_what_is_taken_by_two_agents_is_done_by_none(tmp_path: Path) -> None:
    collector = Collector(site_of(1), tmp_path, SystemClock())
    one = order("acknowledge")
    answer = await collector.alarm_orders.take(one.packed(), rival="another agent runs under the same identity")
    assert (answer.done, answer.why, answer.id) == (False, "rival", one.id)
    for part in (collector.uplink.refusals, collector.ledger, collector.journal, collector.quarantine):
        part.close()
