"""Units, ranges, descriptions and types as the server tells them; they inform and change nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from asyncua import ua

from connectors.opcua.properties import differ
from pipelines.errors import LinkClosed
from pipelines.point import TagFacts
from pipelines.settings import TagSettings

from .alarm_server import alarm_server
from .conftest import Consumer, Plant, connection, proxy_to, tag

pytestmark = pytest.mark.wire


async def test_a_foreign_server_tells_unit_and_range(tmp_path: Path) -> None:
    with alarm_server(tmp_path) as server:
        level = tag("level", "nsu=urn:foreign:alarms;s=Level", engineering_unit="bar", range={"low": 0, "high": 10})
        consumer = Consumer(
            connection(
                server.endpoint,
                level,
                tag("plain", "nsu=urn:foreign:alarms;s=Plain"),
                tag("gone", "nsu=urn:foreign:alarms;s=Gone"),
            )
        )
        stats = consumer.stats

        def changed() -> bool:
            server.tell(set={"Plain": len(consumer.rows)})
            return len(stats.facts) == 2

        await consumer.until(changed)
    assert stats.facts[0] == TagFacts("%", 0, 100, "탱크 수위", "Double")
    assert stats.facts[1] == TagFacts(datatype="Double")
    assert stats.notices == {"engineering_units": "level is in bar in the file and in % at the server"}
    assert {row[2] for row in consumer.rows if row[0] == 0} == {50.0}


async def test_properties_of_asyncua(plant: Plant) -> None:
    a = plant.nodes["a"]
    unit = ua.EUInformation(DisplayName=ua.LocalizedText(" ℃ "))
    await a.add_property(0, "EngineeringUnits", ua.Variant(unit, ua.VariantType.ExtensionObject))
    await a.add_property(0, "InstrumentRange", ua.Variant(ua.Range(Low=-20, High=float("inf"))))
    b = plant.nodes["b"]
    await b.add_property(0, "EURange", ua.Variant(ua.Range(Low=-1, High=1)))
    cyclic = tag("b", "nsu=urn:test:plant;s=b", mode="read", period_s=0.1)
    celsius = tag("a", "nsu=urn:test:plant;s=a", engineering_unit="°C")
    consumer = Consumer(connection(plant.endpoint, celsius, cyclic, keepalive_s=0.2))
    await consumer.until(lambda: len(consumer.stats.facts) == 2)
    assert consumer.stats.facts == {0: TagFacts("℃", None, None, "a", "Int64"), 1: TagFacts("", -1, 1, "b", "Int64")}
    assert consumer.stats.notices == {}


@pytest.mark.parametrize("service", ["facts", "history"])
async def test_a_server_that_hangs_up_over_a_request_is_left_alone(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    async with proxy_to(plant.port) as proxy:

        async def hang_up(*_: object) -> None:
            nonlocal asked
            asked += 1
            proxy.cut()

        asked = 0
        if service == "facts":
            monkeypatch.setattr(plant.server.iserver.isession.__class__, "translate_browsepaths_to_nodeids", hang_up)
        else:
            monkeypatch.setattr(plant.server.iserver.history_manager, "read_history", hang_up)
            for attribute in (ua.AttributeIds.AccessLevel, ua.AttributeIds.UserAccessLevel):
                await plant.nodes["a"].set_attr_bit(attribute, ua.AccessLevel.HistoryRead)
        endpoint = f"opc.tcp://127.0.0.1:{proxy.port}/plant"
        consumer = Consumer(connection(endpoint, tag("a", "nsu=urn:test:plant;s=a")))
        if service == "history":
            await consumer.until(lambda: consumer.rows)
            await plant.write("a", 1)
            await plant.server.iserver.subscription_service.delete_subscriptions(list(plant.subscriptions))
        for _ in range(3):
            consumer.error = None
            await consumer.until(lambda: False)
            assert isinstance(consumer.error, LinkClosed)
        await plant.write("a", 77)
        await consumer.until(lambda: 77 in consumer.values(0))
    assert asked == 3


@pytest.mark.parametrize(
    ("own", "theirs", "scale", "other"),
    [
        ("℃", "°C", 1, False),
        ("kW", "kw", 1, False),
        ("µm", "μm", 1, False),
        ("kW", "W", 0.001, False),
        ("kW", "W", 1, True),
        ("", "W", 1, False),
        ("kW", "", 1, False),
    ],
)
def test_when_units_differ(own: str, theirs: str, scale: float, other: bool) -> None:
    assert differ(TagSettings(name="a", engineering_unit=own, scale=scale), TagFacts(theirs)) is other
