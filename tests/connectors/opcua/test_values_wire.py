"""Arrays, structures and enumerations of an asyncua server arrive as parts, by subscription and by cyclic read."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.structures104 import new_enum, new_struct, new_struct_field

from connectors.opcua.columnar.scalars import BAD_NO_DATA
from connectors.opcua.values.variants import BAD_LIMITS_EXCEEDED, BAD_TYPE_UNKNOWN
from pipelines.parts import Parts
from pipelines.point import UNCERTAIN

from .conftest import Consumer, Plant, connection, tag

pytestmark = pytest.mark.wire

V = ua.VariantType


class Reading:
    """What a consumer has of each name: configured tags, and parts with their suffix."""

    def __init__(self, consumer: Consumer) -> None:
        self.consumer = consumer
        names = [one.name for one in consumer.settings.tags]
        self.names = names + [names[tag] + suffix for tag, suffix in consumer.parts.since(0)]

    def all(self, name: str) -> list[tuple[Any, int]]:
        row = self.names.index(name) if name in self.names else -1
        return [(one[2], one[3]) for one in self.consumer.rows if one[0] == row]

    def last(self) -> dict[str, Any]:
        """Newest value of each name; the StatusCode as text when it is not good."""
        out: dict[str, Any] = {}
        for row, _, value, status in self.consumer.rows:
            out[self.names[row]] = f"{status:08X}" if status & 0xC000_0000 else value
        return out


async def add(plant: Plant, name: str, value: Any, kind: Any = None, data_type: Any = None) -> Any:
    index = await plant.server.get_namespace_index("urn:test:plant")
    node = ua.NodeId(name, index)
    variant = value if isinstance(value, ua.Variant) else ua.Variant(value, kind)
    plant.nodes[name] = await plant.server.nodes.objects.add_variable(node, name, variant, datatype=data_type)
    return plant.nodes[name]


async def put(plant: Plant, name: str, value: Any, kind: Any = None) -> None:
    variant = value if isinstance(value, ua.Variant) else ua.Variant(value, kind)
    await plant.server.write_attribute_value(
        plant.nodes[name].nodeid, ua.DataValue(variant, SourceTimestamp=datetime.now(UTC))
    )


MODES = pytest.mark.parametrize(
    "more", [{"mode": "subscribe"}, {"mode": "read", "period_s": 0.05}], ids=lambda m: m["mode"]
)


@MODES
async def test_elements_of_an_array_are_parts_and_lost_ones_are_told_once(plant: Plant, more: Any) -> None:
    await add(plant, "list", [1.5, 2.5, 3.5], V.Double)
    await add(plant, "matrix", ua.Variant([[1, 2], [3, 4], [5, 6]], V.Int32))
    await add(plant, "words", ["가", "나"], V.String)
    consumer = Consumer(
        connection(
            plant.endpoint,
            tag("list", "ns=2;s=list", **more),
            tag("matrix", "ns=2;s=matrix", **more),
            tag("words", "ns=2;s=words", arrays="json", **more),
        )
    )
    await consumer.until(lambda: len(consumer.rows) >= 12)
    found = Reading(consumer)
    assert found.last() == {
        "list": "[3]",
        "list_0": 1.5,
        "list_1": 2.5,
        "list_2": 3.5,
        "matrix": "[3,2]",
        "matrix_0_0": 1,
        "matrix_0_1": 2,
        "matrix_1_0": 3,
        "matrix_1_1": 4,
        "matrix_2_0": 5,
        "matrix_2_1": 6,
        "words": '["가","나"]',
    }
    await put(plant, "list", [7.5], V.Double)
    await consumer.until(lambda: Reading(consumer).all("list_0")[-1] == (7.5, 0))
    await put(plant, "list", [8.5], V.Double)
    await consumer.until(lambda: Reading(consumer).all("list_0")[-1] == (8.5, 0))
    found = Reading(consumer)
    assert found.last()["list"] == "[1]"
    assert [status for _, status in found.all("list_1")] == [0, BAD_NO_DATA, BAD_NO_DATA]  # once for each link
    assert [status for _, status in found.all("list_2")] == [0, BAD_NO_DATA, BAD_NO_DATA]


@MODES
async def test_an_array_that_becomes_one_number_leaves_no_element_behind(plant: Plant, more: Any) -> None:
    await add(plant, "list", [1.5, 2.5], V.Double)
    consumer = Consumer(connection(plant.endpoint, tag("list", "ns=2;s=list", **more)))
    stage = 0

    async with asyncio.timeout(20), consumer.link() as link:
        async for delivery in link.deliveries():
            consumer.commit(delivery)
            said = [value for value, _ in Reading(consumer).all("list")]
            if stage == 0 and said == ["[2]"]:
                await put(plant, "list", 7.5, V.Double)
                stage = 1
            elif stage == 1 and said == ["[2]", 7.5]:
                await put(plant, "list", [3.5, 4.5], V.Double)
                stage = 2
            elif stage == 2 and said == ["[2]", 7.5, "[2]"]:
                break
    for index, values in enumerate(([1.5, 3.5], [2.5, 4.5])):
        told = Reading(consumer).all(f"list_{index}")
        assert [value for value, status in told if not status] == values
        assert [status for _, status in told] == [0, BAD_NO_DATA, 0]


@MODES
async def test_too_many_elements_are_refused_and_the_others_go_on(plant: Plant, more: Any) -> None:
    await add(plant, "big", list(range(2000)), V.Int32)
    await add(plant, "blob", b"x" * 5000, V.ByteString)
    await add(plant, "small", [1, 2], V.UInt16)
    tags = [tag(name, f"ns=2;s={name}", **more) for name in ("big", "blob", "small")]
    consumer = Consumer(connection(plant.endpoint, *tags))
    await consumer.until(lambda: len(consumer.rows) >= 5)
    assert Reading(consumer).last() == {
        "big": f"{BAD_LIMITS_EXCEEDED:08X}",
        "blob": f"{BAD_LIMITS_EXCEEDED:08X}",
        "small": "[2]",
        "small_0": 1,
        "small_1": 2,
    }
    assert consumer.stats.refused == {0: BAD_LIMITS_EXCEEDED, 1: BAD_LIMITS_EXCEEDED}
    consumer.stats.refused.clear()  # as a supervisor does between two links
    await put(plant, "big", [5], V.Int32)
    await consumer.until(lambda: (5, 0) in Reading(consumer).all("big_0"))
    assert 0 not in consumer.stats.refused
    assert Reading(consumer).last()["big"] == "[1]"
    await put(plant, "big", list(range(2000)), V.Int32)
    await consumer.until(lambda: Reading(consumer).all("big")[-1][1])
    assert Reading(consumer).all("big_0")[-1][1] == BAD_LIMITS_EXCEEDED


@MODES
async def test_an_enumeration_brings_its_text(plant: Plant, more: Any) -> None:
    index = await plant.server.get_namespace_index("urn:test:plant")
    state = await new_enum(plant.server, index, "PressState", ["Idle", "Running", "고장"])
    await add(plant, "state", 1, V.Int32, state.nodeid)
    await add(plant, "server", 0, V.Int32, ua.NodeId(ua.ObjectIds.ServerState))
    await add(plant, "plain", 1, V.Int32)
    tags = [tag(name, f"ns=2;s={name}", **more) for name in ("state", "server", "plain")]
    consumer = Consumer(connection(plant.endpoint, *tags))
    await consumer.until(lambda: len(consumer.rows) >= 5)
    assert Reading(consumer).last() == {
        "state": 1,
        "state_text": "Running",
        "server": 0,
        "server_text": "Running",
        "plain": 1,
    }
    await put(plant, "state", 2, V.Int32)
    await consumer.until(lambda: ("고장", 0) in Reading(consumer).all("state_text"))
    await put(plant, "state", 9, V.Int32)
    await consumer.until(lambda: ("", UNCERTAIN) in Reading(consumer).all("state_text"))
    assert Reading(consumer).all("state")[-1] == (9, 0)


async def structures(plant: Plant) -> dict[str, Any]:
    """Types of the server: a nested one, one with optional fields, a union."""
    index = await plant.server.get_namespace_index("urn:test:plant")
    await new_enum(plant.server, index, "Mode", ["Off", "Auto"])
    await new_struct(
        plant.server,
        index,
        "Axis",
        [new_struct_field("Position", V.Double), new_struct_field("Limits", V.Float, array=True)],
    )
    await plant.server.load_data_type_definitions()
    axis = ua.Axis.data_type
    mode = ua.Mode.data_type
    await new_struct(
        plant.server,
        index,
        "Machine",
        [
            new_struct_field("Name", V.String),
            new_struct_field("Mode", mode),
            new_struct_field("Main", axis),
            new_struct_field("Others", axis, array=True),
            new_struct_field("Serial", V.Guid),
            new_struct_field("Made", V.DateTime),
            new_struct_field("Anything", V.Variant),
        ],
    )
    await new_struct(
        plant.server,
        index,
        "Partial",
        [
            new_struct_field("A", V.Int32),
            new_struct_field("B", V.UInt64, optional=True),
            new_struct_field("C", V.String, optional=True),
        ],
    )
    await new_struct(
        plant.server, index, "Either", [new_struct_field("I", V.Int64), new_struct_field("T", V.String)], is_union=True
    )
    await plant.server.load_data_type_definitions()
    return vars(ua)


@MODES
async def test_structures_are_flattened_to_their_fields(plant: Plant, more: Any) -> None:
    made = await structures(plant)
    machine = made["Machine"]()
    machine.Name, machine.Mode = "프레스", made["Mode"].Auto
    machine.Main = made["Axis"](Position=1.5, Limits=[0.5, 2.5])
    machine.Others = [made["Axis"](Position=2.5, Limits=[])]
    machine.Anything = ua.Variant([1, 2], V.Int16)
    machine.Made = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    either = made["Either"]()
    either.T = "x"
    await add(plant, "machine", machine, V.ExtensionObject)
    await add(plant, "partial", made["Partial"](A=1, B=2**64 - 1, C=None), V.ExtensionObject)
    await add(plant, "either", either, V.ExtensionObject)
    await add(
        plant, "unit", ua.EUInformation("urn:u", 5, ua.LocalizedText("℃"), ua.LocalizedText("도")), V.ExtensionObject
    )
    await add(plant, "ranges", [ua.Range(0, 1), ua.Range(2, 3)], V.ExtensionObject)
    names = ("machine", "partial", "either", "unit", "ranges")
    tags = [tag(name, f"ns=2;s={name}", **more) for name in names]
    tags.append(tag("json", "ns=2;s=ranges", arrays="json", **more))
    consumer = Consumer(connection(plant.endpoint, *tags))
    await consumer.until(lambda: "json" in Reading(consumer).last() and "ranges" in Reading(consumer).last())
    found = Reading(consumer).last()
    assert json.loads(found.pop("json")) == [{"Low": 0, "High": 1}, {"Low": 2, "High": 3}]
    assert {name: value for name, value in found.items() if name.startswith("machine")} == {
        "machine": "{7}",
        "machine_Name": "프레스",
        "machine_Mode": 1,
        "machine_Mode_text": "Auto",
        "machine_Main_Position": 1.5,
        "machine_Main_Limits_0": 0.5,
        "machine_Main_Limits_1": 2.5,
        "machine_Others_0_Position": 2.5,
        "machine_Serial": str(machine.Serial),
        "machine_Made": "2026-01-02T03:04:05.0000000Z",
        "machine_Anything_0": 1,
        "machine_Anything_1": 2,
    }
    assert {name: value for name, value in found.items() if name.startswith(("partial", "either"))} == {
        "partial": "{2}",
        "partial_A": 1,
        "partial_B": 2**64 - 1,
        "either": "{1}",
        "either_T": "x",
    }
    assert {name: value for name, value in found.items() if name.startswith(("unit", "ranges"))} == {
        "unit": "{4}",
        "unit_NamespaceUri": "urn:u",
        "unit_UnitId": 5,
        "unit_DisplayName": "℃",
        "unit_Description": "도",
        "ranges": "[2]",
        "ranges_0_Low": 0,
        "ranges_0_High": 1,
        "ranges_1_Low": 2,
        "ranges_1_High": 3,
    }


async def test_a_structure_nobody_describes_is_bad_and_named(plant: Plant) -> None:
    stranger = ua.ExtensionObject(ua.NodeId(9999, 2), b"\x01\x02")
    await add(plant, "stranger", stranger, V.ExtensionObject, ua.NodeId(22))
    consumer = Consumer(connection(plant.endpoint, tag("stranger", "ns=2;s=stranger"), tag("a", "ns=2;s=a")))
    await consumer.until(lambda: len(consumer.rows) == 2)
    assert Reading(consumer).last() == {"stranger": f"{BAD_TYPE_UNKNOWN:08X}", "a": 0}
    assert consumer.stats.refused == {0: BAD_TYPE_UNKNOWN}
    assert [one for one in consumer.notes if one[0] == "value_refused"] == [
        ("value_refused", {"tag": "stranger", "status": "BadDataTypeIdUnknown", "type": "ns=2;i=9999"})
    ]


async def test_parts_outlive_a_link_and_elements_lost_meanwhile_are_told(plant: Plant) -> None:
    await add(plant, "list", [1, 2], V.Int32)
    consumer = Consumer(connection(plant.endpoint, tag("list", "ns=2;s=list")), parts=Parts(1))
    await consumer.until(lambda: len(consumer.rows) == 3)
    await put(plant, "list", [3], V.Int32)
    await consumer.until(lambda: Reading(consumer).all("list_0")[-1] == (3, 0))
    assert Reading(consumer).all("list_1") == [(2, 0), (pytest.approx(float("nan"), nan_ok=True), BAD_NO_DATA)]
