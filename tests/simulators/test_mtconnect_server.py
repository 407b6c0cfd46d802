"""The simulated MTConnect agent keeps to the standard: read with Python's own HTTP and XML, not with the connector."""

from __future__ import annotations

import asyncio
import http.client
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from simulators.mtconnect import MtConnectServer
from simulators.plant import load_plant, plant_of

pytestmark = pytest.mark.wire
ROOT = Path(__file__).parents[2]
S = "{urn:mtconnect.org:MTConnectStreams:1.8}"
DEVICE: dict[str, Any] = {
    "type": "mtconnect",
    "buffer_size": 8,
    "signals": {
        "count": {"item": "n", "category": "EVENT", "type": "PART_COUNT", "datatype": "Int32", "every_s": 0.05},
        "oil": {"item": "o", "category": "CONDITION", "type": "LEVEL", "of": "broken"},
    },
}
VARIABLES = {"count": {"model": "counter", "add": 1}, "broken": {"model": "constant", "value": 1}}


class Log:
    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def write(self, kind: str, **fields: Any) -> None:
        self.lines.append((kind, fields))


class Lathe(MtConnectServer):
    def __init__(self) -> None:
        self.plant = plant_of([{"line": "t", "variables": VARIABLES, "devices": {"lathe": DEVICE}}])
        self.log = Log()
        super().__init__(self.plant.panels["lathe"], self.log, time.time_ns)  # type: ignore[arg-type]

    async def tick(self, times: int) -> None:
        for _ in range(times):
            self.plant.step()
            await self.update(self.plant.steps, time.time_ns() // 1000 * 1000)

    async def ask(self, target: str, method: str = "GET") -> tuple[int, ET.Element]:
        return await asyncio.to_thread(self._ask, target, method)

    def _ask(self, target: str, method: str) -> tuple[int, ET.Element]:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            client.request(method, target)
            answer = client.getresponse()
            return answer.status, ET.fromstring(answer.read())  # noqa: S314 - of our own simulator
        finally:
            client.close()


@pytest.fixture
async def lathe() -> AsyncIterator[Lathe]:
    server = Lathe()
    await server.start()
    try:
        yield server
    finally:
        await server.end()


def header(root: ET.Element) -> dict[str, int]:
    place = root.find(f"{S}Header")
    assert place is not None
    return {key: int(place.get(f"{key}Sequence", "")) for key in ("first", "last", "next")}


async def test_the_buffer_runs_over_and_says_so(lathe: Lathe) -> None:
    await lathe.tick(20)
    _, root = await lathe.ask("/sample?from=22&count=100")
    assert root.find(".//{*}Error") is not None  # more than the buffer holds
    status, root = await lathe.ask("/sample?from=17&count=3")
    assert status == 200
    assert header(root) == {"first": 17, "last": 24, "next": 20}
    counts = list(root.iter(f"{S}PartCount"))
    assert [int(one.get("sequence", "")) for one in counts] == [17, 18, 19]
    assert [int(one.text or "") for one in counts] == [14, 15, 16]


@pytest.mark.parametrize(
    ("target", "status", "code"),
    [
        ("/sample?from=16", 404, "OUT_OF_RANGE"),
        ("/sample?from=26", 404, "OUT_OF_RANGE"),
        ("/sample?from=20&count=9", 404, "OUT_OF_RANGE"),
        ("/sample?from=x", 400, "INVALID_REQUEST"),
        ("/mill/current", 404, "NO_DEVICE"),
        ("/asset", 404, "UNSUPPORTED"),
    ],
)
async def test_errors(lathe: Lathe, target: str, status: int, code: str) -> None:
    await lathe.tick(20)
    got, root = await lathe.ask(target)
    error = root.find(".//{*}Error")
    assert error is not None
    assert (got, error.get("errorCode")) == (status, code)


async def test_the_number_that_comes_next_may_be_asked_for(lathe: Lathe) -> None:
    status, root = await lathe.ask("/lathe/sample?from=5&count=8")
    assert status == 200
    assert header(root)["next"] == 5
    assert root.find(f".//{S}PartCount") is None


async def test_a_restart_is_another_instance_and_begins_unavailable(lathe: Lathe) -> None:
    _, before = await lathe.ask("/current")
    await lathe.stop()
    await lathe.forget()
    await lathe.tick(5)  # nobody observes this
    await lathe.start()
    _, after = await lathe.ask("/sample?from=1&count=8")
    instances = [root.find(f"{S}Header").get("instanceId") for root in (before, after)]  # type: ignore[union-attr]
    assert instances[0] != instances[1]
    assert [one.text for one in after.iter(f"{S}PartCount")] == ["UNAVAILABLE", str(lathe.plant.values["count"])]
    assert after.find(f".//{S}Unavailable") is not None
    fault = after.find(f".//{S}Fault")
    assert fault is not None
    assert fault.get("nativeCode") == "oil-1"


async def test_what_nobody_asked_beyond_is_in_the_truth_when_the_agent_forgets(lathe: Lathe) -> None:
    await lathe.ask("/current")
    await lathe.ask("/sample?from=5&count=8")
    await lathe.tick(2)
    await lathe.forget()
    changed = [fields["time"] for kind, fields in lathe.log.lines if kind == "change"]
    assert [fields for kind, fields in lathe.log.lines if kind == "forgot"] == [{"id": 0, "times": changed[4:]}]


async def test_the_truth_says_what_was_served_from_the_first_look_on(lathe: Lathe) -> None:
    await lathe.tick(3)
    assert not [line for line in lathe.log.lines if line[0] == "item"]
    _, root = await lathe.ask("/current")
    await lathe.tick(2)
    created = {fields["id"]: fields["value"] for kind, fields in lathe.log.lines if kind == "item"}
    assert created[0] == int(root.find(f".//{S}PartCount").text)  # type: ignore[union-attr, arg-type]
    assert created[1] == "Fault"
    changes = [fields for kind, fields in lathe.log.lines if kind == "change" and fields["id"] == 0]
    assert [one["value"] for one in changes[-2:]] == [created[0] + 1, created[0] + 2]
    assert len({one["time"] for one in changes}) == len(changes)


async def test_only_get_and_it_is_noted(lathe: Lathe) -> None:
    status, _ = await lathe.ask("/probe", "PUT")
    assert status == 405
    assert [(kind, fields["service"]) for kind, fields in lathe.log.lines if kind == "write"] == [("write", "PUT")]


async def test_probe_names_every_signal_of_the_line() -> None:
    plant = load_plant(["cnc_turning"])
    server = MtConnectServer(plant.panels["trn"], Log(), time.time_ns)  # type: ignore[arg-type]
    root = ET.fromstring(server._document("GET", "/probe"))  # noqa: S314 - of our own simulator
    items = {one.get("id"): one for one in root.iter("{urn:mtconnect.org:MTConnectDevices:1.8}DataItem")}
    assert items.keys() == {signal.node for signal in plant.devices["trn"].signals} | {"avail"}
    assert items["trn_s1"].get("units") == "REVOLUTION/MINUTE"


def test_every_data_item_of_the_turning_cell_is_in_its_plant() -> None:
    """The two files of a line never read each other."""
    signals = {signal.node for signal in load_plant(["cnc_turning"]).signals()}
    site = yaml.safe_load((ROOT / "agent/lines/cnc_turning/site.yaml").read_text(encoding="utf-8"))
    tags = [tag for connection in site["connections"] for tag in connection["tags"]]
    assert {tag["data_item"] for tag in tags} == signals
    assert all(tag["label"]["ko"] and tag["label"]["en"] for tag in tags)
