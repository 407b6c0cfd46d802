"""What a configuration reads, as a replayed plant is told of it (`simulators.replay.seen`). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agent.site import Site
from connectors.modbus.config import ModbusConnection
from connectors.modbus.tag import BIT_TABLES, ModbusTag
from connectors.opcua.config import OpcUaConnection
from pipelines.errors import ConfigError

_Address = tuple[Any, ...]


def seen_by(site: Site) -> list[dict[str, Any]]:
    """One entry for each address and node.

    Raises:
        ConfigError: two tags read one address as different types: a truth by address can hold one of them only.
    """
    found: dict[_Address, dict[str, Any]] = {}
    for connection in site.connections:
        entries = _modbus(connection) if isinstance(connection, ModbusConnection) else _opcua(connection)
        for place, entry in entries:
            other = found.setdefault((connection.name, *place), entry)
            if other | {"name": ""} != entry | {"name": ""}:
                raise ConfigError(
                    None,
                    None,
                    f"{connection.name}: {other['name']} and {entry['name']} read the same address as different types; "
                    "a replay can compare one of them only: leave the other out",
                )
    return list(found.values())


def _modbus(connection: ModbusConnection) -> Iterator[tuple[_Address, dict[str, Any]]]:
    for tag in connection.tag_list():
        unit = connection.unit if tag.unit is None else tag.unit
        entry = {
            "device": connection.name,
            "name": tag.name,
            "unit": unit,
            "table": tag.table,
            "address": tag.address,
            "registers": tag.width(),
            "datatype": tag.datatype if tag.bit is None else "uint16",
            "order": "ABCD" if tag.table in BIT_TABLES else tag.byte_order or connection.byte_order,
        }
        yield (unit, tag.table, tag.address), entry | _special(tag)


def _special(tag: ModbusTag) -> dict[str, Any]:
    keys = {"encoding": tag.encoding, "decode": tag.decode, "decimals_from": tag.decimals_from}
    return {key: value for key, value in keys.items() if value is not None}


def _opcua(connection: Any) -> Iterator[tuple[_Address, dict[str, Any]]]:
    assert isinstance(connection, OpcUaConnection)
    for tag in connection.tags:
        timed = tag.mode == "read" or tag.trigger == "status_value_timestamp"
        entry = {"device": connection.name, "name": tag.name, "node": tag.node, "path": tag.path, "timed": timed}
        yield (tag.node or tag.path,), entry
