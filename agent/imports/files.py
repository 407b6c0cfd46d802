"""`site.yaml` and `plant.yaml` for a history, one line for each tag, for people to go on with. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agent.imports.columns import COUNT, NUMBERS, Column
from agent.imports.history import History
from agent.tags.export import flow
from pipelines.settings import Labels

NODES: Final = "history"
REGISTERS: Final = "registers"
HISTORY_FILE: Final = "history.parquet"
_MOST_DECIMALS: Final = 6
_NODE_DECIMALS: Final = 15
_TYPES: Final = {"number": "Double", "integer": "Int32", "bool": "Boolean", "text": "String"}
_LATE_S: Final = 86_400.0
"""Plant seconds by which nodes may be late: at 3600 times the speed 24 seconds of a busy machine."""
_PERIOD_S: Final = (0.2, 1.0)
"""Shortest and longest time between two polls; half of the time between two rows."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine whose history it is.

    Attributes:
        shot_s: usual time of a shot, where each row is one; None = rows mean nothing in themselves.
    """

    name: str
    kind: str
    label: Labels
    shot_s: float | None


@dataclass(frozen=True, slots=True)
class Register:
    """Where a number stands: registers of a signed integer; its least value says that there is none."""

    column: Column
    address: int
    datatype: str
    decimals: int

    @property
    def least(self) -> int:
        """What is there without a value."""
        return -(2**31) if self.datatype == "int32" else -(2**63)

    def tag(self) -> dict[str, Any]:
        """What its tag has beside name, labels and source."""
        most = -(self.least + 1) / 10**self.decimals
        limits = self.column.range
        return {
            "table": "input",
            "address": self.address,
            "datatype": self.datatype,
            **({"scale": float(f"1e-{self.decimals}")} if self.decimals else {}),
            "range": {"low": limits.low, "high": limits.high} if limits else {"low": -most, "high": most},
            "sentinels": {self.least: "out_of_service"},
        }


def registers_of(columns: Sequence[Column]) -> list[Register]:
    """Registers for columns that hold no text, one after the other."""
    found: list[Register] = []
    address = 0
    for one in columns:
        decimals = min(one.cells.decimals, _MOST_DECIMALS) if one.kind == "number" else 0
        small = max(-one.cells.low, one.cells.high) * 10**decimals < 2**31 - 1
        found.append(Register(one, address, "int32" if small else "int64", decimals))
        address += 2 if small else 4
    return found


def site_yaml(
    columns: Sequence[Column], registers: Sequence[Register], machine: Machine, history: History, head: str
) -> str:
    """The configuration that reads the plant."""
    nodes = _nodes(columns, registers)
    fields: dict[str, Any] = {"class": machine.kind, "label": machine.label.model_dump()}
    if machine.shot_s is not None:
        names = [one.name for one in columns]
        fields["state"] = {"counter": COUNT, "ideal_s": machine.shot_s}
        fields["count"] = {"total": COUNT, "ideal_s": machine.shot_s}
        fields["cycle"] = {"at": COUNT, "values": names}
    lines = [
        head,
        "company: my-company",
        "site: my-site",
        "",
        "machines:",
        f"  {flow(machine.name)}: {flow(fields)}",
        "",
    ]
    lines.append("connections:")
    if nodes or machine.shot_s is not None:
        shared = {"type": "opcua", "endpoint": "opc.tcp://127.0.0.1:4840", "security": {"policy": "none"}}
        late = {"max_skew_s": _LATE_S}
        lines += _connection({"name": NODES, **shared, "machine": machine.name, **late})
        for one in nodes:
            limits = {"range": one.range.model_dump()} if one.range else {}
            lines.append(_tag(one, {"node": _node(machine, one.name), **limits}))
        if machine.shot_s is not None:
            label = {"ko": "쇼트 수", "en": "Shots"}
            tag = {"name": COUNT, "node": _node(machine, COUNT), "engineering_unit": "EA"}
            lines.append(f"      - {flow(tag | {'source': 'rows of the history so far', 'label': label})}")
    if registers:
        place = {"type": "modbus", "host": "127.0.0.1", "port": 502, "unit": 1, "machine": machine.name}
        period_s = min(max(history.usual_s / 2, _PERIOD_S[0]), _PERIOD_S[1])
        lines += _connection({"name": REGISTERS, **place, "period_s": round(period_s, 2)})
        lines += [_tag(one.column, one.tag()) for one in registers]
    return "\n".join([*lines, ""])


def plant_yaml(
    columns: Sequence[Column], registers: Sequence[Register], machine: Machine, history: History, head: str
) -> str:
    """The plant that plays the history."""
    played = {"file": HISTORY_FILE, "loop": False, "length_s": history.length_s}
    variables = {one.name: f"c{number}" for number, one in enumerate(columns, 1)}
    lines = [
        head,
        f"line: {flow(machine.name)}",
        f"played: {flow(played)}",
        f"step_s: {history.grid_s}",
        "",
        "variables:",
    ]
    lines += [f"  {key}: {flow({'model': 'played', 'column': name})}" for name, key in variables.items()]
    nodes = _nodes(columns, registers)
    signals = {
        one.name: {"node": one.name, "datatype": _TYPES[one.kind]}
        | ({"decimals": _NODE_DECIMALS} if one.kind == "number" else {})
        | {"every_s": history.grid_s}
        for one in nodes
    }
    if machine.shot_s is not None:
        lines.append("  shots: {model: played, column: row}")
        signals[COUNT] = {"node": COUNT, "datatype": "UInt32", "every_s": history.grid_s}
        variables[COUNT] = "shots"
    lines += ["", "devices:"]
    if signals:
        lines += [f"  {NODES}:", "    type: opcua", f"    namespace: {flow(_namespace(machine))}", "    signals:"]
        lines += _signals(signals, variables)
    if registers:
        last = registers[-1].address + (1 if registers[-1].datatype == "int32" else 3)
        lines += [f"  {REGISTERS}:", "    type: modbus"]
        lines += [f"    areas: [{{unit: 1, table: input, first: 0, last: {last}}}]", "    signals:"]
        words = {
            one.column.name: {"table": "input", "address": one.address, "datatype": one.datatype}
            | {"decimals": one.decimals, "open": one.least}
            for one in registers
        }
        lines += _signals(words, variables)
    return "\n".join([*lines, ""])


def _signals(signals: Mapping[str, Mapping[str, Any]], variables: Mapping[str, str]) -> Iterator[str]:
    for name, signal in signals.items():
        of = variables[name]
        yield f"      {flow(name)}: {flow({**signal, 'of': of, 'bad': f'{of}_bad'})}"


def _nodes(columns: Sequence[Column], registers: Sequence[Register]) -> list[Column]:
    elsewhere = {one.column.name for one in registers}
    return [one for one in columns if one.name not in elsewhere]


def _connection(fields: Mapping[str, Any]) -> list[str]:
    first, *others = [f"{key}: {flow(value)}" for key, value in fields.items()]
    return [f"  - {first}", *(f"    {one}" for one in others), "    tags:"]


def _tag(column: Column, place: Mapping[str, Any]) -> str:
    unit = {"engineering_unit": column.unit} if column.unit and column.kind in NUMBERS else {}
    tag = {"name": column.name, **place, **unit, "source": column.source, "label": column.label.model_dump()}
    notes = "; ".join("".join(sign if sign.isprintable() else "?" for sign in note) for note in column.notes)
    return f"      - {flow(tag)}" + (f"  # {notes}" if notes else "")


def _namespace(machine: Machine) -> str:
    return f"urn:import:{machine.name}"


def _node(machine: Machine, name: str) -> str:
    return f"nsu={_namespace(machine)};s={name}"
