"""Arrays, enumerations and structures of servers that are not ours: node-opcua, and python-opcua's old one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import Consumer, Foreign, connection, run_foreign, tag
from .test_freeopcua_wire import python_opcua
from .test_values_wire import MODES, Reading

__all__ = ["python_opcua"]

pytestmark = pytest.mark.wire


@pytest.fixture(scope="module")
def types(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foreign]:
    with run_foreign(tmp_path_factory.mktemp("certificates"), script="types.js") as server:
        yield server


NAMES = ("list", "longs", "words", "matrix", "state", "color", "settings", "scan", "position")


@MODES
async def test_node_opcua_values(types: Foreign, more: Any) -> None:
    tags = [tag(name, f"nsu={types.namespace};s={name}", **more) for name in NAMES]
    consumer = Consumer(connection(types.endpoint, *tags, tag("status", "i=2256", **more)))
    await consumer.until(lambda: set(range(len(NAMES) + 1)) <= {row[0] for row in consumer.rows})
    found = Reading(consumer).last()
    assert found.pop("status") == "{6}"
    assert found["status_BuildInfo_ProductName"]
    assert (found["status_State"], found["status_State_text"]) == (0, "Running")
    found = {name: value for name, value in found.items() if not name.startswith("status")}
    assert found == {
        "list": "[2]",
        "list_0": 1.5,
        "list_1": 2.5,
        "longs": "[2]",
        "longs_0": 7,
        "longs_1": -1,
        "words": "[2]",
        "words_0": "가",
        "words_1": "809B0000",
        "matrix": "[2,3]",
        "matrix_0_0": 1,
        "matrix_0_1": 2,
        "matrix_0_2": 3,
        "matrix_1_0": 4,
        "matrix_1_1": 5,
        "matrix_1_2": 6,
        "state": 2,
        "state_text": "고장",
        "color": 20,
        "color_text": "Green",
        "settings": "{3}",
        "settings_Duration": 1.5,
        "settings_Cycles": 3,
        "settings_DataAvailable": True,
        "scan": "{1}",
        "scan_String": "QR-77",
        "position": "[1]",
        "position_0_PositionX": 1,
        "position_0_PositionY": 2,
        "position_0_SizeX": 3,
        "position_0_SizeY": 4,
        "position_0_Rotation": 5,
    }


async def test_browse_names_types_and_shows_structures_as_such(types: Foreign) -> None:
    async with Consumer(connection(types.endpoint)).link() as link:
        found = {one.path: (one.datatype, one.value) async for one in link.browse()}
    assert found["/Types/state"] == ("PressState", "2")
    assert found["/Types/scan"] == ("ScanData", "{…}")
    assert found["/Types/position"] == ("Position", "[{…}]")
    assert found["/Types/matrix"] == ("Int32", "[[1, 2, 3], [4, 5, 6]]")


@MODES
async def test_python_opcua_values(python_opcua: dict[str, Any], more: Any) -> None:
    """A server without DataTypeDefinition: types of the standard need none, and EnumStrings name the state."""
    space = f"nsu={python_opcua['namespace']}"
    tags = [
        tag("list", f"{space};s=List", **more),
        tag("span", f"{space};s=Span", **more),
        tag("state", "i=2259", **more),
    ]
    consumer = Consumer(connection(python_opcua["endpoint"], *tags))
    await consumer.until(lambda: {0, 1, 2} <= {row[0] for row in consumer.rows})
    assert Reading(consumer).last() == {
        "list": "[3]",
        "list_0": 1.5,
        "list_1": 2.5,
        "list_2": 3.5,
        "span": "{2}",
        "span_Low": -20.0,
        "span_High": 900.0,
        "state": 0,
        "state_text": "Running",
    }
