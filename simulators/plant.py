"""The plant: variables that step through time, and the devices that show them as registers and nodes.

`plant.yaml` restates the address map of the device manuals and adds the physics; it never reads a `site.yaml`::

    line: NAME
    step_s: 0.05                           # seconds between two evaluations, where a variable has no step_s of its own
    variables: {NAME: {model: …, …}}       # evaluated in this order, see simulators/signals/__init__.py
    faults: {NAME: {label: {ko: …, en: …}, for_s: 600}}  # variables: NAME is 1 while active, NAME_t = s since it began
    played: {file: …}                      # a history in Parquet that variables play, see simulators/signals/tape.py
    plot: [{ko: …, en: …, unit: ℃, of: [VARIABLE]}]      # panels of its picture, see simulators/plots.py
    devices:
      NAME:                                # equals the connection's name in site.yaml: the only join
        type: modbus
        areas: [{unit: 1, table: holding, first: 0, last: 99}]   # the addresses that exist
        max_registers: 125                 # of one request; some devices take fewer
        signals: {NAME: {unit, table, address, datatype, decimals, words, open, of: VARIABLE}}  # open: raw, broken wire
                                           # of every type: `bad: VARIABLE`, there is no value while it is not 0;
                                           # `scale`, `offset`: from what it shows to engineering units
      NAME:
        type: opcua
        namespace: http://…
        secured: true                      # default false: no certificate, no message security
        signals: {NAME: {node: "Path/With/BrowseNames", datatype: Double, every_s: 0.25, of: VARIABLE}}
      NAME:
        type: mtconnect
        buffer_size: 4096                  # observations the agent keeps
        signals: {NAME: {item: dataItemId, category: SAMPLE, type: SPINDLE_SPEED, units: …, datatype: Double, …}}
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml

from simulators.device import Device, Signal, device_of
from simulators.following import Follower
from simulators.modbus import ModbusServer
from simulators.mtconnect import MtConnectServer
from simulators.panel import Panel
from simulators.signals.physics import Fault, Physics, Values
from simulators.truth import TruthLog


@dataclass
class Plant:
    """Every variable of the lines and the devices that show them.

    Attributes:
        values: variable → value after the last step.
        panels: what each device shows.
        physics: the variables of each line.
        faults: of the lines' own, by name.
        steps: steps done since the start.
    """

    lines: tuple[str, ...]
    devices: dict[str, Device]
    values: Values
    panels: dict[str, Panel] = field(default_factory=dict)
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

    def stride(self, rate: float) -> int:
        """Steps that may be done at once: nodes show nothing new meanwhile, and they take no longer than one does.

        Args:
            rate: plant seconds per real second.
        """
        every = math.gcd(*(signal.every_steps for signal in self.signals() if not signal.table))
        return max(steps for steps in range(1, max(1, min(int(rate), every)) + 1) if every % steps == 0)

    def begin(self) -> None:
        """Let the histories that waited at their first row go on, at the next step."""
        for line in self.physics:
            line.begin(self.steps + 1)

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

    def server(self, panel: Panel, truth: TruthLog, now_ns: Callable[[], int]) -> Follower:
        """The server of a device of this plant, not started."""
        if panel.device.type == "opcua":
            from simulators.opcua import OpcUaServer  # noqa: PLC0415 — a Modbus-only plant needs no asyncua

            return OpcUaServer(panel, truth, now_ns)
        if panel.device.type == "mtconnect":
            return MtConnectServer(panel, truth, now_ns)
        return ModbusServer(panel, truth, now_ns)

    def since_ns(self, now_ns: int) -> int:
        """Oldest source time that anything shows which starts now: physics begin when they do."""
        return now_ns

    @property
    def over(self) -> bool:
        """Whether nothing is to come any more: all lines play histories, and the last rows were shown."""
        shown = self.steps - 2 * max((signal.every_steps for signal in self.signals()), default=1)
        return bool(self.physics) and all(line.over(shown) for line in self.physics)

    def freeze(self) -> None:
        """No signal changes any more."""
        self.frozen = True


def line_names() -> list[str]:
    """The lines that can be simulated."""
    root = resources.files("simulators") / "lines"
    return sorted(entry.name for entry in root.iterdir() if (entry / "plant.yaml").is_file())


def document_of(line: str) -> dict[str, Any]:
    """The parsed plant.yaml of a line: its name, or a folder that holds the file and the history that it plays.

    Raises:
        ValueError: no such line, or no such file.
    """
    if line in line_names():
        folder: Traversable = resources.files("simulators") / "lines" / line
    elif (Path(line) / "plant.yaml").is_file():
        folder = Path(line)
    else:
        raise ValueError(f"no line {line}; there are {', '.join(line_names())}")
    try:
        found: dict[str, Any] = yaml.load((folder / "plant.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise ValueError(f"{folder / 'plant.yaml'}: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{folder / 'plant.yaml'}: holds no keys")  # noqa: TRY004 — the file is at fault
    if "file" in (found.get("played") or {}):
        found["played"]["file"] = str(folder / found["played"]["file"])
    return found


def load_plant(lines: Iterable[str], seed: int = 1, scale: int = 1, played: Mapping[str, Any] | None = None) -> Plant:
    """The plant of the named lines, at its first step.

    Args:
        lines: names, or folders.
        seed: of all random numbers.
        scale: how often each line is there.
        played: keys of `played` that hold for every line that plays a history, whatever its file says.

    Raises:
        ValueError: no such line, or its plant.yaml is not usable.
    """
    documents = [document_of(line) for line in lines]
    for document in documents:
        if "played" in document:
            document["played"] |= played or {}
    return plant_of(documents, seed, scale)


def plant_of(documents: Iterable[Mapping[str, Any]], seed: int = 1, scale: int = 1) -> Plant:
    """The plant of parsed plant.yaml documents.

    Args:
        documents: one per line.
        seed: of all random numbers.
        scale: how often each line is there. From the second on, devices, faults and variables of a line carry the
            number, as in `prs-02`, and have random numbers of their own.

    Raises:
        ValueError: a name is used twice, or a model, type or variable does not exist.
    """
    plant = Plant((), {}, {})
    for document in documents:
        plant.lines += (document["line"],)
        for suffix in ("", *(f"-{copy:02d}" for copy in range(2, scale + 1))):
            plant.physics.append(Physics(document, seed, plant.values, suffix))
            plant.faults |= plant.physics[-1].faults
            for name, body in document["devices"].items():
                if name + suffix in plant.devices:
                    raise ValueError(f"device {name} is defined twice")
                first = sum(len(device.signals) for device in plant.devices.values())
                device = device_of(name + suffix, body, first, plant.values, suffix)
                plant.devices[device.name] = device
                plant.panels[device.name] = Panel(device, plant.values)
    plant.step()
    return plant
