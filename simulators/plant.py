"""The plant: variables that step through time, and the devices that show them as registers and nodes.

`plant.yaml` restates the address map of the device manuals and adds the physics; it never reads a `site.yaml`::

    line: NAME
    step_s: 0.05                           # seconds between two evaluations, where a variable has no step_s of its own
    variables: {NAME: {model: …, …}}       # evaluated in this order, see simulators/signals/__init__.py
    faults: {NAME: {label: {ko: …, en: …}, for_s: 600}}  # variables: NAME is 1 while active, NAME_t = s since it began
    devices:
      NAME:                                # equals the connection's name in site.yaml: the only join
        type: modbus
        areas: [{unit: 1, table: holding, first: 0, last: 99}]   # the addresses that exist
        max_registers: 125                 # of one request; some devices take fewer
        signals: {NAME: {unit, table, address, datatype, decimals, words, of: VARIABLE}}
      NAME:
        type: opcua
        namespace: http://…
        signals: {NAME: {node: "Path/With/BrowseNames", datatype: Double, every_s: 0.25, of: VARIABLE}}
      NAME:
        type: mtconnect
        buffer_size: 4096                  # observations the agent keeps
        signals: {NAME: {item: dataItemId, category: SAMPLE, type: SPINDLE_SPEED, units: …, datatype: Double, …}}
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from typing import Any, Final

import yaml

from simulators.signals.physics import STEP_NS, Fault, Physics, Values
from simulators.words import engineering, quantise

MODBUS_TABLES: Final = ("coil", "discrete", "holding", "input")
OPCUA_TYPES: Final = ("Double", "Float", "Int32", "UInt32", "UInt16", "Byte", "Boolean", "String")
MTCONNECT_CATEGORIES: Final = ("SAMPLE", "EVENT", "CONDITION")


@dataclass(frozen=True, slots=True)
class Signal:
    """One value that a device shows.

    Attributes:
        id: its number in the truth log.
        of: the variable it shows.
        decimals: digits after the point that a register carries, or that an OPC UA value is rounded to.
        every_steps: OPC UA and MTConnect: the value may change at each n-th step.
        node: node of OPC UA, id of an MTConnect data item.
        category: MTConnect only, as `type` and `units`: of the data item. A condition is a fault where its variable is
            not 0.
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

    def raw(self, values: Values) -> Any:
        """What the register holds now."""
        return quantise(values[self.of], self.datatype, self.decimals)

    def shown(self, values: Values) -> Any:
        """The value as served now: engineering value of a register, or the node's value."""
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
        return round(value)

    def header(self) -> dict[str, Any]:
        """Its line in the truth log's header."""
        shared = {"id": self.id, "device": self.device, "name": self.name, "datatype": self.datatype}
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
    """

    name: str
    type: str
    signals: tuple[Signal, ...]
    areas: frozenset[tuple[int, str, int, int]] = frozenset()
    max_registers: int = 125
    namespace: str = ""
    buffer_size: int = 4096


@dataclass
class Plant:
    """Every variable of the lines and the devices that show them.

    Attributes:
        values: variable → value after the last step.
        physics: the variables of each line.
        faults: of the lines' own, by name.
        steps: steps done since the start.
    """

    lines: tuple[str, ...]
    devices: dict[str, Device]
    values: Values
    physics: list[Physics] = field(default_factory=list)
    faults: dict[str, Fault] = field(default_factory=dict)
    steps: int = 0
    frozen: bool = False

    def step(self, steps: int = 1) -> None:
        """Advance every variable, unless the plant is frozen."""
        if self.frozen:
            return
        for line in self.physics:
            line.advance(self.steps, steps)
        self.steps += steps

    def set_fault(self, name: str, *, active: bool) -> None:
        """Begin or end a fault of a line's own, from the next step on.

        Raises:
            KeyError: there is no such fault.
        """
        self.values[self.faults[name].name] = int(active)

    def signals(self) -> Iterator[Signal]:
        """Every signal, in the order of its id."""
        for device in self.devices.values():
            yield from device.signals


def line_names() -> list[str]:
    """The lines that can be simulated."""
    root = resources.files("simulators") / "lines"
    return sorted(entry.name for entry in root.iterdir() if (entry / "plant.yaml").is_file())


def load_plant(lines: Iterable[str], seed: int = 1) -> Plant:
    """The plant of the named lines, at its first step.

    Raises:
        ValueError: no such line, or its plant.yaml is not usable.
    """
    documents: list[dict[str, Any]] = []
    for line in lines:
        file = resources.files("simulators") / "lines" / line / "plant.yaml"
        if not file.is_file():
            raise ValueError(f"no line {line}; there are {', '.join(line_names())}")
        documents.append(yaml.safe_load(file.read_text(encoding="utf-8")))
    return plant_of(documents, seed)


def plant_of(documents: Iterable[Mapping[str, Any]], seed: int = 1) -> Plant:
    """The plant of parsed plant.yaml documents.

    Raises:
        ValueError: a name is used twice, or a model, type or variable does not exist.
    """
    plant = Plant((), {}, {})
    for document in documents:
        plant.lines += (document["line"],)
        plant.physics.append(Physics(document, seed, plant.values))
        plant.faults |= plant.physics[-1].faults
        for name, body in document["devices"].items():
            if name in plant.devices:
                raise ValueError(f"device {name} is defined twice")
            plant.devices[name] = _device(name, body, sum(1 for _ in plant.signals()), plant.values)
    plant.step()
    return plant


def _device(name: str, body: Mapping[str, Any], first_id: int, values: Values) -> Device:
    kinds = {"modbus": _modbus_signal, "opcua": _opcua_signal, "mtconnect": _mtconnect_signal}
    if body["type"] not in kinds:
        raise ValueError(f"device {name}: no type {body['type']!r}; there are {', '.join(kinds)}")
    make = kinds[body["type"]]
    signals = tuple(
        make(
            Signal(
                first_id + i, name, key, spec.get("of", key), spec.get("datatype", "String"), spec.get("decimals", 0)
            ),
            spec,
        )
        for i, (key, spec) in enumerate(body["signals"].items())
    )
    for signal in signals:
        if signal.of not in values:
            raise ValueError(f"device {name}: signal {signal.name} shows {signal.of}, which is no variable")
    areas = frozenset((a.get("unit", 1), a["table"], a["first"], a["last"]) for a in body.get("areas", ()))
    return Device(
        name,
        body["type"],
        signals,
        areas,
        body.get("max_registers", 125),
        body.get("namespace", ""),
        body.get("buffer_size", 4096),
    )


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
