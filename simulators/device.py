"""Devices of plant.yaml and the signals they show: address maps as the manuals have them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from simulators.signals.physics import STEP_NS, Values
from simulators.words import engineering, integer_limits, quantise

MODBUS_TABLES: Final = ("coil", "discrete", "holding", "input")
OPCUA_TYPES: Final = ("Double", "Float", "Int32", "UInt32", "UInt16", "Byte", "Boolean", "String")
INTEGERS: Final = {"Byte": "uint8", "UInt16": "uint16", "UInt32": "uint32", "Int32": "int32"}
"""Integer types of nodes, by the names that registers have for them."""
_LIMITS: Final = {datatype: integer_limits(kind) for datatype, kind in INTEGERS.items()}
MTCONNECT_CATEGORIES: Final = ("SAMPLE", "EVENT", "CONDITION")


@dataclass(frozen=True, slots=True)
class Signal:
    """One value that a device shows.

    Attributes:
        id: its number in the truth log.
        of: the variable it shows.
        decimals: digits after the point that a register carries, or that an OPC UA value is rounded to.
        scale: what is shown, times `scale` plus `offset`, is in engineering units: 4-20 mA counts, milliseconds.
        every_steps: OPC UA and MTConnect: the value may change at each n-th step.
        node: node of OPC UA, id of an MTConnect data item.
        category: MTConnect only, as `type` and `units`: of the data item. A condition is a fault where its variable is
            not 0.
        open: Modbus: what the register holds while the sensor's wire is broken, raw.
        bad: there is no value while this variable is not 0: the node is bad, a register holds `open`; empty = never.
    """

    id: int
    device: str
    name: str
    of: str
    datatype: str
    decimals: int = 0
    unit: int = 1
    table: str = ""
    address: int = 0
    words: str = "ABCD"
    node: str = ""
    every_steps: int = 1
    category: str = ""
    type: str = ""
    units: str = ""
    open: int | None = None
    bad: str = ""
    scale: float = 1.0
    offset: float = 0.0

    def raw(self, values: Values) -> Any:
        """What the register holds now."""
        return quantise(values[self.of], self.datatype, self.decimals)

    def shown(self, values: Values) -> Any:
        """The value as served now: engineering value of a register, or the node's value; an integer is clipped."""
        value = values[self.of]
        if self.category == "CONDITION":
            value = "Fault" if value else "Normal"
        if self.table:
            return engineering(quantise(value, self.datatype, self.decimals), self.decimals)
        if self.datatype == "String":
            return str(value)
        if self.datatype == "Boolean":
            return bool(value)
        if self.datatype == "Double":
            return round(float(value), self.decimals) + 0.0
        if self.datatype == "Float":
            return quantise(round(float(value), self.decimals), "float32", 0)
        low, high = _LIMITS[self.datatype]
        return min(max(round(value), low), high)

    def header(self) -> dict[str, Any]:
        """Its line in the truth log's header."""
        shared = {"id": self.id, "device": self.device, "name": self.name, "datatype": self.datatype}
        shared |= {"scale": self.scale, "offset": self.offset}
        if not self.table:
            return shared | {"node": self.node}
        return shared | {
            "unit": self.unit,
            "table": self.table,
            "address": self.address,
            "decimals": self.decimals,
            "words": self.words,
        }


@dataclass(frozen=True, slots=True)
class Device:
    """One server: its kind and its signals.

    Attributes:
        areas: Modbus: the addresses that exist.
        namespace: OPC UA: of its nodes.
        buffer_size: MTConnect: observations that the agent keeps.
        secured: OPC UA: it has a certificate, and takes Basic256Sha256 beside unprotected connections.
    """

    name: str
    type: str
    signals: tuple[Signal, ...]
    areas: frozenset[tuple[int, str, int, int]] = frozenset()
    max_registers: int = 125
    namespace: str = ""
    buffer_size: int = 4096
    secured: bool = False


def device_of(name: str, body: Mapping[str, Any], first_id: int, values: Values, suffix: str = "") -> Device:
    """The device of a parsed block of plant.yaml; its signals are numbered from `first_id`, variables end in `suffix`.

    Raises:
        ValueError: a type, table or category does not exist, or a signal shows no variable.
    """
    kinds = {"modbus": _modbus_signal, "opcua": _opcua_signal, "mtconnect": _mtconnect_signal}
    if body["type"] not in kinds:
        raise ValueError(f"device {name}: no type {body['type']!r}; there are {', '.join(kinds)}")
    make = kinds[body["type"]]
    signals = tuple(
        replace(make(_signal(first_id + i, name, key, spec, suffix), spec), **_shared(spec, suffix))
        for i, (key, spec) in enumerate(body["signals"].items())
    )
    for signal in signals:
        if lost := [one for one in (signal.of, signal.bad) if one and one not in values]:
            raise ValueError(f"device {name}: signal {signal.name} shows {lost[0]}, which is no variable")
    areas = frozenset((a.get("unit", 1), a["table"], a["first"], a["last"]) for a in body.get("areas", ()))
    return Device(
        name,
        body["type"],
        signals,
        areas,
        body.get("max_registers", 125),
        body.get("namespace", ""),
        body.get("buffer_size", 4096),
        body.get("secured", False),
    )


def _signal(number: int, device: str, name: str, spec: Mapping[str, Any], suffix: str) -> Signal:
    of = spec.get("of", name) + suffix
    return Signal(number, device, name, of, spec.get("datatype", "String"), spec.get("decimals", 0))


def _shared(spec: Mapping[str, Any], suffix: str) -> dict[str, Any]:
    """What signals of every type have."""
    bad = f"{spec['bad']}{suffix}" if "bad" in spec else ""
    return {"bad": bad, "scale": float(spec.get("scale", 1)), "offset": float(spec.get("offset", 0))}


def _modbus_signal(base: Signal, spec: Mapping[str, Any]) -> Signal:
    if spec["table"] not in MODBUS_TABLES:
        raise ValueError(f"device {base.device}: signal {base.name}: no table {spec['table']!r}")
    return Signal(
        base.id,
        base.device,
        base.name,
        base.of,
        base.datatype,
        base.decimals,
        unit=spec.get("unit", 1),
        table=spec["table"],
        address=spec["address"],
        words=spec.get("words", "ABCD"),
        open=spec.get("open"),
    )


def _opcua_signal(base: Signal, spec: Mapping[str, Any]) -> Signal:
    if base.datatype not in OPCUA_TYPES:
        raise ValueError(f"device {base.device}: signal {base.name}: no type {base.datatype!r}")
    every = max(1, round(spec.get("every_s", 1.0) * 1e9 / STEP_NS))
    decimals = spec.get("decimals", 6)
    return Signal(
        base.id, base.device, base.name, base.of, base.datatype, decimals, node=spec["node"], every_steps=every
    )


def _mtconnect_signal(base: Signal, spec: Mapping[str, Any]) -> Signal:
    if spec["category"] not in MTCONNECT_CATEGORIES:
        raise ValueError(f"device {base.device}: signal {base.name}: no category {spec['category']!r}")
    shown = _opcua_signal(base, {"node": spec["item"], **spec})
    return replace(shown, category=spec["category"], type=spec["type"], units=spec.get("units", ""))
