"""What PLCs that are not ours hold is what InfluxDB holds: value, type, time and quality, bit for bit."""

from __future__ import annotations

import math
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipelines.point import BAD_DATA_ENCODING_UNSUPPORTED, BAD_OUT_OF_RANGE
from tests.connectors.modbus.test_modbus_foreign import ITEMS
from tests.e2e.foreign_parts import Places, Plc, Rows, Store, collector, site_of

pytestmark = [pytest.mark.wire, pytest.mark.slow]

ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")
NOT_SCALAR = {"Array": "s=Array", "NamespaceArray": "i=2255", "ServerStatus": "i=2256"}
"""Arrays and a structure: nodes that take several fields."""
MODES = ("subscribe", "read")
TEXTS = ("UInt641", "UInt643", "UInt642", "Int640", "Double3", "Boolean0")
"""Nodes that are also read with `store_as: string`."""


@dataclass(frozen=True)
class Everything:
    """What was stored of all foreign servers by one agent, and the wall times between which it ran."""

    store: Store
    began_ns: int
    ended_ns: int
    quarantined: int


@pytest.fixture(scope="module")
def everything(
    places: Places,
    plc: Plc,
    modbus_serial: int,
    libmodbus: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> Everything:
    opcua = [plc.connection(mode, *_opcua_tags(plc, mode)) for mode in MODES]
    modbus = [_modbus("serial", modbus_serial), _modbus("library", libmodbus)]
    site = site_of("everything", opcua + modbus)
    store = Store(places.influx, "everything")
    wanted = {one["name"]: [tag["name"] for tag in one["tags"]] for one in site["connections"]}
    began_ns = time.time_ns()
    with collector(tmp_path_factory.mktemp("everything"), site, places.broker) as running:
        running.until(lambda: all(store.has(*one) for one in wanted.items()))
        quarantined = running.points()["quarantined"]
        assert running.stop() == 0
    return Everything(store, began_ns, time.time_ns(), quarantined)


def _opcua_tags(plc: Plc, mode: str) -> list[dict[str, Any]]:
    tags = [plc.tag(_name(entry), mode=mode) for entry in plc.server.values]
    tags += [{**plc.tag(name, mode=mode), "name": f"{name}_text", "store_as": "string"} for name in TEXTS]
    prefix = f"nsu={plc.server.namespace};"
    for name, node in NOT_SCALAR.items():
        tags.append({"name": name, "node": f"{prefix if node[0] == 's' else ''}{node}", "mode": mode})
    return tags


def _name(entry: dict[str, Any]) -> str:
    return str(entry["node"]).rpartition("s=")[2]


def _modbus(name: str, port: int) -> dict[str, Any]:
    tags = []
    for number, order in enumerate(ORDERS):
        for item, (datatype, _) in enumerate(ITEMS):
            place = {"address": 1000 * number + 8 * item, "datatype": datatype, "byte_order": order}
            if datatype == "string":
                place["length"] = 8
            tags += [{"name": f"{order}.{kind}.{item}", "table": kind, **place} for kind in ("holding", "input")]
        place = {"address": 1000 * number + 8 * 17, "datatype": "uint64", "byte_order": order}
        tags.append({"name": f"{order}.text", "store_as": "string", **place})
    tags += [
        {"name": f"{kind}.{address}", "table": kind, "address": address, "datatype": "bool"}
        for kind in ("coil", "discrete")
        for address in range(0, 40, 7)
    ]
    tags += [{"name": f"bit.{bit}", "address": 56, "datatype": "bool", "bit": bit} for bit in range(16)]
    fields = {"type": "modbus", "name": name, "host": "127.0.0.1", "port": port, "period_s": 0.5, "timeout_s": 5}
    return {**fields, "tags": tags}


def _same(ours: Any, wanted: Any) -> bool:
    if type(ours) is not type(wanted):
        return False
    if isinstance(wanted, float):
        return struct.pack("<d", ours) == struct.pack("<d", wanted)
    return bool(ours == wanted)


def _opcua_value(entry: dict[str, Any]) -> Any:
    """What the store has to hold; None = nothing but a quality."""
    kind, text = entry["type"], entry["value"]
    if entry["status"] & 0x8000_0000:
        return None
    if kind == "Boolean":
        return text == "true"
    if kind in {"Float", "Double"}:
        value = float(text.replace("Infinity", "inf"))
        return value if math.isfinite(value) else None
    if kind.rstrip("0123456789") in {"SByte", "Byte", "Int", "UInt"}:
        return int(text) if int(text) < 2**63 else None
    return text


KIND = {bool: "boolean", int: "integer", float: "float", str: "string"}


@pytest.mark.parametrize("mode", MODES)
def test_opcua_types_extremes_and_statuses(everything: Everything, plc: Plc, mode: str) -> None:
    rows, kinds = everything.store.rows(mode), everything.store.kinds(mode)
    for entry in plc.server.values:
        name, time_ns, value = _name(entry), int(entry["source_time_ns"]), _opcua_value(entry)
        status = BAD_OUT_OF_RANGE if value is None and not entry["status"] & 0x8000_0000 else entry["status"]
        assert rows[f"{name}_quality"] == [(time_ns, status)], entry
        if value is None:
            assert name not in kinds, entry
        else:
            ((stored_ns, stored),) = rows[name]
            assert _same(stored, value), (entry, stored)
            assert stored_ns == time_ns, entry
            assert kinds[name] == KIND[type(value)], entry


@pytest.mark.parametrize("mode", MODES)
def test_opcua_numbers_stored_as_text_keep_every_digit(everything: Everything, plc: Plc, mode: str) -> None:
    rows, kinds = everything.store.rows(mode), everything.store.kinds(mode)
    by_name = {_name(entry): entry for entry in plc.server.values}
    for name in TEXTS:
        entry = by_name[name]
        assert kinds[f"{name}_text"] == "string"
        assert rows[f"{name}_text"] == [(int(entry["source_time_ns"]), entry["value"])]
        assert rows[f"{name}_text_quality"] == [(int(entry["source_time_ns"]), 0)]


@pytest.mark.parametrize("mode", MODES)
def test_opcua_arrays_and_structures_are_fields_of_their_own(everything: Everything, plc: Plc, mode: str) -> None:
    rows, kinds = everything.store.rows(mode), everything.store.kinds(mode)
    wanted = {"Array": "[2]", "Array_0": 1.0, "Array_1": 2.0, "ServerStatus_State": 0}
    wanted |= {"NamespaceArray_0": "http://opcfoundation.org/UA/", "NamespaceArray_2": plc.server.namespace}
    wanted |= {"ServerStatus_State_text": "Running", "ServerStatus_BuildInfo_ProductName": "NodeOPCUA-Server"}
    for name, value in wanted.items():
        assert {one for _, one in rows[name]} == {value}, name
        assert {status for _, status in rows[f"{name}_quality"]} == {0}, name
    assert "ServerStatus_CurrentTime" in kinds


@pytest.mark.parametrize("name", ["serial", "library"])
def test_modbus_types_orders_and_extremes(everything: Everything, name: str) -> None:
    rows, kinds = everything.store.rows(name), everything.store.kinds(name)
    for order in ORDERS:
        for item, (datatype, wanted) in enumerate(ITEMS):
            for table in ("holding", "input"):
                _check_modbus(everything, rows, kinds, (f"{order}.{table}.{item}", datatype, wanted))
        _check_modbus(everything, rows, kinds, (f"{order}.text", "string", str(2**64 - 1)))


@pytest.mark.parametrize("name", ["serial", "library"])
def test_modbus_coils_inputs_and_bits(everything: Everything, name: str) -> None:
    rows, kinds = everything.store.rows(name), everything.store.kinds(name)
    for table in ("coil", "discrete"):
        for address in range(0, 40, 7):
            _check_modbus(everything, rows, kinds, (f"{table}.{address}", "bool", address % 3 == 0))
    for bit in range(16):
        _check_modbus(everything, rows, kinds, (f"bit.{bit}", "bool", bool(0x0102 >> bit & 1)))


def _check_modbus(everything: Everything, rows: Rows, kinds: dict[str, str], tag: tuple[str, str, Any]) -> None:
    name, datatype, value = tag
    status = 0
    if value is None:
        status = BAD_DATA_ENCODING_UNSUPPORTED
    elif (datatype == "uint64" and value >= 2**63) or (isinstance(value, float) and not math.isfinite(value)):
        value, status = None, BAD_OUT_OF_RANGE
    quality = rows[f"{name}_quality"]
    times = [time_ns for time_ns, _ in quality]
    if value is None:
        assert name not in kinds
        assert {code for _, code in quality} == {status}, name
    else:
        assert kinds[name] == KIND[type(value)], name
        assert all(_same(stored, value) for _, stored in rows[name]), (name, rows[name])
        times = [time_ns for time_ns, _ in rows[name]]
        assert quality == [(times[0], 0)], name
    assert everything.began_ns < times[0] <= times[-1] < everything.ended_ns
    assert len(set(times)) == len(times)


def test_nothing_of_it_was_refused(everything: Everything) -> None:
    assert everything.quarantined == 0


def test_every_change_is_stored_once_across_a_restart(places: Places, plc: Plc, tmp_path: Path) -> None:
    counters = [f"Counter{i}" for i in range(3)]
    changes = plc.connection("changes", *(plc.tag(name) for name in counters))
    polled = plc.connection("polled", *(plc.tag(name, mode="read") for name in counters), period_s=0.05)
    site, store = site_of("counters", [changes, polled]), Store(places.influx, "counters")
    for points in (300, 600):
        with collector(tmp_path, site, places.broker) as running:
            running.until(lambda wanted=points: running.points()["stored"] >= wanted)  # type: ignore[misc]
            assert running.stop() == 0
    for name in counters:
        truth = plc.written(name)
        stored = store.rows("changes")[name]
        first, last = stored[0][1], stored[-1][1]
        assert last - first > 100
        assert stored == [(truth[value], value) for value in range(first, last + 1)], name
        stored = store.rows("polled")[name]
        assert len(stored) > 20
        assert stored == sorted((truth[value], value) for value in {value for _, value in stored}), name
    assert {row["tag"] for row in store.gaps()} <= set(counters)
    assert {row["machine"] for row in store.gaps()} <= {"polled"}
