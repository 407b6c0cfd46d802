"""A line played in fast plant time: its plant, the readings its site would take, and the rules that hear them.

No socket and no clock: the plant's panels show what devices hold, and a reading is made of that as the connector would.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import yaml

from agent.config import load_site
from agent.derived import rules_of
from agent.site import Site
from connectors.modbus.tag import ModbusTag
from connectors.mtconnect.config import MtConnectTag
from pipelines.derive.chain import Chain
from pipelines.derive.rule import Derived, Ref, Rule, Value
from pipelines.point import BAD_NO_COMMUNICATION, BAD_OUT_OF_RANGE, BAD_SENSOR_FAILURE
from pipelines.settings import TagSettings
from simulators.device import Signal
from simulators.evidence import modbus_key, opcua_key
from simulators.faults.board import Board
from simulators.faults.orders import read_order
from simulators.faults.script import read_script
from simulators.panel import ANY_BAD, Panel
from simulators.plant import Plant, plant_of
from simulators.signals.physics import STEP_NS

ROOT = Path(__file__).parents[2]
LINES, PLANTS = ROOT / "agent/lines", ROOT / "simulators/lines"
START_NS = round(datetime(2026, 1, 5, 8, tzinfo=ZoneInfo("Asia/Seoul")).timestamp()) * 10**9
"""A Monday, 08:00, as the plant's calendar begins."""


class Row(NamedTuple):
    """A tag, and the signal it shows."""

    ref: Ref
    tag: TagSettings
    signal: Signal
    panel: Panel


class Reading(NamedTuple):
    """What is known of a tag: its value, meaningless where `status` is not Good."""

    value: Value
    status: int


class Line:
    """A line that is played.

    Attributes:
        points: what the rules gave so far, in order.
    """

    def __init__(self, name: str, seed: int = 1) -> None:
        site = site_of(name)
        self._plant = plant_of([_document(name)], seed)
        self._board = Board(self._plant)
        self._rules: list[Rule] = rules_of(site, Chain())
        self._listeners: dict[Ref, list[Rule]] = defaultdict(list)
        for rule in self._rules:
            for ref in rule.reads:
                self._listeners[ref].append(rule)
        self._rows = list(_rows(site, self._plant))
        self._heard = [row for row in self._rows if row.ref in self._listeners]
        self.points: list[Derived] = []

    def order(self, **said: Any) -> None:
        """Begin a fault at the next step."""
        self._board.add(read_order(said, self._plant), self._plant.steps)

    def script(self, text: str) -> None:
        """Plan the faults of a script, as `agent simulate --faults` takes it."""
        for order in read_script(text, self._plant):
            self._board.add(order, self._plant.steps)

    def play(self, seconds: float, every_s: float) -> None:
        """Go on; every tag that a rule reads is read once in `every_s` plant seconds."""
        end = self._plant.steps + round(seconds * 1e9) // STEP_NS
        while self._plant.steps < end:
            self._board.advance(min(round(every_s * 1e9) // STEP_NS, end - self._plant.steps))
            self._read(START_NS + self._plant.steps * STEP_NS)

    def look(self) -> dict[Ref, Reading]:
        """What every tag is now."""
        return {row.ref: _reading(row) for row in self._rows}

    def signals(self) -> dict[Ref, Signal]:
        """What its devices show as each tag."""
        return {row.ref: row.signal for row in self._rows}

    def raised(self, since: int = 0) -> set[str]:
        """Names of the alarms that came among the points from number `since` on."""
        came = (one for one in self.points[since:] if one.measurement == "alarm" and one.fields["event"] == "raised")
        return {dict(one.tags)["alarm"] for one in came}

    def states(self) -> dict[str, int]:
        """Code of each machine's state."""
        return {one.machine: int(one.fields["code"]) for one in self.points if one.measurement == "state"}

    def codes(self, machine: str, since: int) -> set[int]:
        """Codes of a machine's state among the points from number `since` on."""
        of = (one for one in self.points[since:] if one.measurement == "state" and one.machine == machine)
        return {int(one.fields["code"]) for one in of}

    def _read(self, now_ns: int) -> None:
        for row in self._heard:
            reading = _reading(row)
            for rule in self._listeners[row.ref]:
                rule.take(row.ref, now_ns, reading.value, reading.status)
        for rule in self._rules:
            rule.tick(now_ns)
            self.points += rule.lines()


@cache
def site_of(name: str) -> Site:
    """The site of a line template."""
    return load_site(LINES / name / "site.yaml")


@cache
def _document(name: str) -> Any:
    return yaml.safe_load((PLANTS / name / "plant.yaml").read_text(encoding="utf-8"))


def _rows(site: Site, plant: Plant) -> Iterator[Row]:
    signals = {_key(signal): signal for signal in plant.signals()}
    for connection in site.connections:
        for tag in connection.tag_list():
            if isinstance(tag, ModbusTag):
                unit = connection.unit if tag.unit is None else tag.unit
                key = modbus_key(connection.name, unit, tag.table, tag.address)
            else:
                key = opcua_key(connection.name, tag.data_item if isinstance(tag, MtConnectTag) else tag.node)
            machine = site.place(connection, tag).machine
            yield Row(Ref(machine, tag.name), tag, signals[key], plant.panels[connection.name])


def _key(signal: Signal) -> tuple[Any, ...]:
    if signal.node:
        return opcua_key(signal.device, signal.node)
    return modbus_key(signal.device, signal.unit, signal.table, signal.address)


def _reading(row: Row) -> Reading:
    """What the connector would make of what the device shows; bits, sentinels and ranges as the tag has them."""
    tag, signal, panel = row.tag, row.signal, row.panel
    if not panel.reachable or (panel.exchange is not None and panel.exchange.hits()):
        return Reading(0, BAD_NO_COMMUNICATION)
    status, value = panel.status(signal), panel.shown(signal)
    sentinels, bit = (tag.sentinels, tag.bit) if isinstance(tag, ModbusTag) else ({}, None)
    if status == ANY_BAD or (sentinels and panel.raw(signal) in sentinels):
        return Reading(0, BAD_SENSOR_FAILURE)
    if bit is not None:
        return Reading(bool(value >> bit & 1), status)
    if isinstance(value, str | bool):
        return Reading(value, status)
    if not (signal.table and signal.decimals) and (tag.scale, tag.offset) != (1, 0):
        value = value * tag.scale + tag.offset
    outside = tag.range is not None and not tag.range.low <= value <= tag.range.high
    return Reading(value, BAD_OUT_OF_RANGE if outside or not math.isfinite(value) else status)
