"""A line's two files agree although they never read each other, and a plain collector comes out clean."""

from __future__ import annotations

import asyncio
import time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from asyncua import Client
from pymodbus.client import ModbusTcpClient

from agent.commands.simulate import DEFAULT_LINES
from agent.config import load_site, load_sites
from simulators.evidence import READ, SUBSCRIBE, modbus_key, opcua_key
from simulators.judge import StoredPoints, TagOptions, judge
from simulators.plant import line_names, load_plant
from tests.pipelines.waiting import until

ROOT = Path(__file__).parents[2]
LINES = line_names()
FLOATS = {"Double", "Float"}


@cache
def site(line: str) -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load((ROOT / "agent/lines" / line / "site.yaml").read_text(encoding="utf-8"))
    return parsed


@cache
def tags(line: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Connections as they are written, with their tags; those of a device profile as the profile has them."""
    meant = {one.name: one.tag_list() for one in load_site(ROOT / "agent/lines" / line / "site.yaml").connections}
    return [
        (connection, tag.model_dump(exclude_none=True))
        for connection in site(line)["connections"]
        for tag in meant[connection["name"]]
    ]


def test_at_least_75_tags() -> None:
    assert sum(len(tags(line)) for line in LINES) >= 75


@pytest.mark.parametrize("line", LINES)
def test_every_tag_of_the_site_is_in_the_plant(line: str) -> None:
    plant = load_plant([line])
    registers = {modbus_key(s.device, s.unit, s.table, s.address): s for s in plant.signals() if s.table}
    nodes = {opcua_key(s.device, s.node): s for s in plant.signals() if s.node}
    for connection, tag in tags(line):
        where = f"{connection['name']}.{tag['name']}"
        assert tag["label"]["ko"], where
        assert tag["label"]["en"], where
        if connection["type"] == "opcua":
            signal = nodes[opcua_key(connection["name"], tag["node"])]
            namespace = tag["node"].removeprefix("nsu=").split(";")[0]
            assert namespace == plant.devices[connection["name"]].namespace, where
            assert (tag["scale"], tag["offset"]) == (signal.scale, signal.offset), where
            continue
        if connection["type"] == "mtconnect":
            assert opcua_key(connection["name"], tag["data_item"]) in nodes, where
            continue
        unit = tag.get("unit", connection.get("unit", 1))
        signal = registers[modbus_key(connection["name"], unit, tag.get("table", "holding"), tag["address"])]
        assert signal.datatype == ("uint16" if "bit" in tag else tag["datatype"]), where
        if "decimals_from" in tag:
            told = registers[modbus_key(connection["name"], unit, tag["table"], tag["decimals_from"])]
            assert told.raw(plant.values) == signal.decimals, where
        else:
            assert tag["scale"] == signal.scale * float(f"1e-{signal.decimals}"), where
            assert tag["offset"] == signal.offset, where
        if signal.datatype in {"uint32", "int32", "float32"}:
            assert signal.words == tag.get("byte_order", connection.get("byte_order", "ABCD")), where


def test_the_lines_that_are_simulated_together_are_files_of_one_site() -> None:
    site = load_sites([ROOT / "agent/lines" / line / "site.yaml" for line in DEFAULT_LINES])
    assert len(site.machines) == sum(
        len(load_site(ROOT / "agent/lines" / line / "site.yaml").machines) for line in DEFAULT_LINES
    )


@pytest.mark.parametrize("line", LINES)
def test_ordinary_running_stays_inside_the_ranges(line: str) -> None:
    plant = load_plant([line], seed=11)
    by_key = {(s.device, s.node or (s.unit, s.table, s.address)): s for s in plant.signals()}
    ranged = []
    for connection, tag in tags(line):
        if "range" in tag:
            unit = tag.get("unit", connection.get("unit", 1))
            node = tag.get("node") or tag.get("data_item")
            where = opcua_key("", node)[1] if node else (unit, tag["table"], tag["address"])
            signal = by_key[connection["name"], where]
            factor = 1.0 if signal.decimals and signal.table else tag["scale"]
            ranged.append((signal, factor, tag["offset"], tag["range"]))
    for _ in range(300):
        plant.step(40)
        for signal, factor, offset, limits in ranged:
            assert limits["low"] <= signal.shown(plant.values) * factor + offset <= limits["high"], signal


def test_the_lines_exercise_deadbands_reads_and_swapped_words() -> None:
    every = [tag for line in LINES for _, tag in tags(line)]
    assert {tag["deadband"]["type"] for tag in every if "deadband" in tag} == {"absolute", "percent"}
    assert any(tag.get("mode") == "read" for tag in every)
    assert any(tag.get("byte_order") == "CDAB" for tag in every)


class Series:
    """Stored points of a plain collector."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, Any]] = []

    def points(self) -> StoredPoints:
        time_ns = np.array([row[0] for row in self.rows], np.int64)
        return StoredPoints(time_ns, np.array([row[1] for row in self.rows]), np.zeros(len(self.rows), np.uint32))

    def datachange_notification(self, _node: Any, value: Any, data: Any) -> None:
        stamp = data.monitored_item.Value.SourceTimestamp.timestamp()
        self.rows.append((round(stamp * 1e6) * 1000, value))


@pytest.mark.wire
@pytest.mark.slow
async def test_a_plain_collector_is_judged_clean(plant: Any) -> None:
    process = await asyncio.to_thread(plant, "--line", "auto_press_machining")
    held = {name: Series() for name in ("ton", "shots", "rpm", "coolant")}
    rpm, coolant = "Monitoring/Spindle/ActualSpeed", "Monitoring/Equipment/Coolant/Temperature"
    async with Client(process.endpoints["cnc"]["url"]) as client:
        subscription = await client.create_subscription(50, held["rpm"])
        await subscription.subscribe_data_change(client.get_node(f"ns=2;s={rpm}"), queuesize=100)
        with ModbusTcpClient("127.0.0.1", port=process.endpoints["prs"]["port"]) as modbus:
            for _ in range(30):
                before_ns = time.time_ns()
                answer = await asyncio.to_thread(modbus.read_holding_registers, 2, count=7, device_id=1)
                middle_ns = (before_ns + time.time_ns()) // 2
                low, high = answer.registers[:2]
                held["shots"].rows.append((middle_ns, low + (high << 16)))
                held["ton"].rows.append((middle_ns, answer.registers[6] / 10))
                await asyncio.sleep(0.1)  # the period of this collector
        value = await client.get_node(f"ns=2;s={coolant}").read_data_value()
        held["coolant"].rows.append((round(value.SourceTimestamp.timestamp() * 1e6) * 1000, value.Value.Value))
        process.freeze()
        last = (await client.get_node(f"ns=2;s={rpm}").read_data_value()).SourceTimestamp
        await until(lambda: held["rpm"].rows[-1][0] >= round(last.timestamp() * 1e6) * 1000)
        await subscription.delete()
    assert process.stop() == 0
    assert process.truth()[-1]["k"] == "stop"
    mapping = {
        "shots": modbus_key("prs", 1, "holding", 2),
        "ton": modbus_key("prs", 1, "holding", 8),
        "rpm": opcua_key("cnc", rpm),
        "coolant": opcua_key("cnc", coolant),
    }
    poll = TagOptions(slack_ns=50_000_000)
    options = {"shots": poll, "ton": poll, "rpm": TagOptions(SUBSCRIBE), "coolant": TagOptions(READ)}
    points = {name: series.points() for name, series in held.items()}
    verdict = judge([process.truth()], mapping, options, points)
    assert verdict.examples == []
    assert verdict.clean
    assert verdict.tags["shots"].produced == verdict.tags["ton"].stored == 30
    assert verdict.tags["rpm"].stored >= 1
    swapped = held["shots"].points()
    swapped.value[:] = (swapped.value >> 16) + ((swapped.value & 0xFFFF) << 16)
    assert judge([process.truth()], mapping, options, points | {"shots": swapped}).total.altered == 30
