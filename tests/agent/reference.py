"""The reference part of docs/configuration.md, from the models: `python tests/agent/reference.py` writes it anew."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from agent.config import model_schema

PAGE: Final = Path(__file__).parents[2] / "docs/configuration.md"
START: Final = "<!-- reference: made by tests/agent/reference.py, do not edit below -->\n"
SECTIONS: Final = {
    "Site": "Top of the file",
    "MachineSettings": "`machines.NAME`",
    "StateSettings": "`machines.NAME.state`",
    "LampSettings": "`machines.NAME.state.lamps`",
    "CountSettings": "`machines.NAME.count`",
    "CycleSettings": "`machines.NAME.cycle`",
    "QualitySettings": "`machines.NAME.cycle.quality`",
    "EnergySettings": "`machines.NAME.energy`",
    "BatterySettings": "`machines.NAME.battery`",
    "ChannelSettings": "`machines.NAME.battery.channels.NAME`",
    "CalibrationSettings": "`machines.NAME.calibration`",
    "CalendarSettings": "`calendar`",
    "ShiftSettings": "`calendar.shifts[]`",
    "AlarmSettings": "`alarms[]`",
    "ExposureSettings": "`exposure[]`",
    "ShareSettings": "`share.NAME`",
    "EntrySettings": "`entry`",
    "Labels": "`label` of machines and tags",
    "ModbusConnection": "`connections[]` with `type: modbus`",
    "DeviceSettings": "`connections[].devices[]` of Modbus",
    "DeviceTag": "`connections[].devices[].tags[]` of Modbus",
    "ForbiddenRange": "`connections[].forbidden[]` of Modbus",
    "SerialSettings": "`serial` of a Modbus connection",
    "ModbusTlsSettings": "`tls` of a Modbus connection",
    "ModbusTag": "`connections[].tags[]` of Modbus",
    "MtConnectConnection": "`connections[]` with `type: mtconnect`",
    "MtConnectTag": "`connections[].tags[]` of MTConnect",
    "MtConnectEvent": "`connections[].events[]` of MTConnect",
    "OpcUaConnection": "`connections[]` with `type: opcua`",
    "ReverseConnect": "`connections[].reverse` of OPC UA",
    "OpcUaSecurity": "`connections[].security` of OPC UA",
    "OpcUaEvents": "`connections[].events[]` of OPC UA",
    "OpcUaTag": "`connections[].tags[]` of OPC UA",
    "Range": "`range` of a tag",
    "Deadband": "`deadband` of a tag",
    "ServeSettings": "`serve`",
    "AgentSettings": "`agent`",
    "MqttSettings": "`mqtt`",
    "TlsSettings": "`mqtt.tls`",
    "JournalSettings": "`journal`",
}
"""Models in the order of the page, and where they stand in a file."""


def reference() -> str:
    """The generated part, from the marker to the end."""
    schema = model_schema()
    models = {"Site": schema} | schema["$defs"]
    if unknown := models.keys() ^ SECTIONS.keys():
        msg = f"give these models a section in tests/agent/reference.py: {', '.join(sorted(unknown))}"
        raise ValueError(msg)
    parts = [START]
    for name, title in SECTIONS.items():
        parts += [f"\n### {title}\n", *_introduction(models[name]["description"])]
        parts += ["\n| key | value | default | meaning |\n|---|---|---|---|\n"]
        required = models[name].get("required", [])
        parts += [_row(key, one, schema, key in required) for key, one in models[name]["properties"].items()]
    return "".join(parts)


def _introduction(text: str) -> Iterator[str]:
    """Paragraphs as they are, a table of the docstring as a block."""
    for paragraph in text.split("\n\n"):
        table = "====" in paragraph
        yield f"\n```text\n{paragraph}\n```\n" if table else f"\n{paragraph}\n"


def _row(key: str, one: dict[str, Any], schema: dict[str, Any], required: bool) -> str:
    default = "**needed**" if required else _default(one.get("default"))
    target = schema["$defs"].get(one.get("$ref", "").rpartition("/")[2], {})
    meaning = " ".join((one.get("description") or target["description"]).split())
    return f"| `{key}` | {_value(one)} | {default} | {meaning} |\n".replace(" | |", " | – |")


def _default(value: Any) -> str:
    if value is None or isinstance(value, dict | list) or not str(value):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _value(one: dict[str, Any]) -> str:
    if "anyOf" in one:
        one = next(kind for kind in one["anyOf"] if kind.get("type") != "null")
    if "const" in one:
        return f"`{one['const']}`"
    if "enum" in one:
        return ", ".join(f"`{text}`" for text in one["enum"])
    if "$ref" in one or one["type"] == "object":
        return "group of keys"
    words = {"string": "text", "integer": "whole number", "number": "number", "array": "list", "boolean": "yes or no"}[
        one["type"]
    ]
    bounds = {"exclusiveMinimum": "above", "minimum": "from", "maximum": "to", "exclusiveMaximum": "below"}
    limits = " ".join(f"{word} {_plain(one[name])}" for name, word in bounds.items() if name in one)
    return "file" if one.get("format") == "path" else f"{words} {limits}".strip()


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else str(number)


if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(page[: page.index(START)] + reference(), encoding="utf-8")
    sys.exit(0)
