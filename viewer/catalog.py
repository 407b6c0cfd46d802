"""What the site files say of machines and tags: labels, units, state maps. Validated elsewhere; read leniently.

What they say of sites is in `viewer/site_info.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from pipelines.derive.battery.settings import BatterySettings
from pipelines.derive.calibration import CalibrationSettings
from pipelines.derive.rule import Ref
from pipelines.place import measurement_of
from viewer.site_info import SiteInfo, sites_of
from viewer.stores.base import Place

STATES: Final = ("UNKNOWN", "RUN", "IDLE", "SETUP", "DOWN", "PLANNED", "MAINT", "OFF", "MINOR")
"""Canonical machine states, code 0 to 8."""
UNKNOWN: Final = 0

_MAX_GAP_S: Final = 60.0
"""As of `pipelines.derive.energy.settings.EnergySettings`."""
_MAX_DECIMALS: Final = 6
"""A scale with more digits is no count of digits, but a fraction or a float32."""

MachineKey = tuple[str, str, str]
"""Company, site, machine."""


@dataclass(frozen=True, slots=True)
class TagInfo:
    """A tag as people see it.

    Attributes:
        name: the field.
        label: language to text.
        unit: engineering unit.
        decimals: digits after the point that the device has; None = not known.
        period_s: how often a value is stored, seconds; None = on change, or not known.
        address: where the device has it: node, path, item of its profile or register; empty = not known.
        source: where it comes from, for people: the row of a manual, or a browse name; empty = not known.
    """

    name: str
    label: Mapping[str, str] = field(default_factory=dict)
    unit: str = ""
    decimals: int | None = None
    period_s: float | None = None
    address: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class EnergyInfo:
    """Where a machine's energy is metered.

    Attributes:
        meter: machine and tag.
        line: whether the meter measures the whole line and not the machine alone.
        factors_file: table of emission factors; None = the product's own.
        lots: whether the site says which lot the machine makes.
        power: whether that tag is a power, kW, and not a counter, kWh.
        max_gap_s: longest time between two readings over which it is known how energy is spread, seconds.
        rollover_kwh: where a counter begins at 0 again; None = it never does.
    """

    meter: tuple[str, str]
    line: bool = False
    factors_file: Path | None = None
    lots: bool = False
    power: bool = False
    max_gap_s: float = _MAX_GAP_S
    rollover_kwh: float | None = None


@dataclass(frozen=True, slots=True)
class QualityInfo:
    """The value by which a machine's process is judged.

    Attributes:
        field: of the records of its cycles.
        low: lower specification limit; None = there is none.
        high: upper specification limit; None = there is none.
    """

    field: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class MachineInfo:
    """A machine as people see it."""

    company: str
    site: str
    line: str
    name: str
    label: Mapping[str, str] = field(default_factory=dict)
    has_state: bool = False
    """Whether the site says where its state is taken from."""
    state_tag: str = ""
    """Its own tag that says the state, if there is one."""
    state_map: Mapping[str, int] | None = None
    """Raw value of that tag, as text, to canonical code; empty = the value is the code, None = the tag says no such."""
    tags: Mapping[str, TagInfo] = field(default_factory=dict)
    measurement: str = ""
    """Where its readings are stored."""
    counts: bool = False
    """Whether its pieces are counted."""
    ideal_s: float | None = None
    """Ideal time of one piece, seconds; None = not known."""
    cycles: bool = False
    """Whether there is a record of each cycle."""
    energy: EnergyInfo | None = None
    """Where its energy is metered; None = nowhere."""
    quality: QualityInfo | None = None
    """By what its process is judged; None = by nothing."""
    cycle_values: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Values of the records of its cycles, by the names of their fields where they are numbers, to machine and tag."""
    lot: tuple[str, str] | None = None
    """Machine and tag that say which lot it makes; None = none is configured."""
    product: tuple[str, str] | None = None
    """Machine and tag that say which product it makes; None = none is configured."""
    calibration: CalibrationSettings | None = None
    """Of its detectors; None = the site says nothing of it."""
    battery: BatterySettings | None = None
    """Its channels, where it tests battery packs."""
    counters: tuple[tuple[str, str], ...] = ()
    """Machine and tag of each of its counters."""

    @property
    def key(self) -> MachineKey:
        """Company, site, machine."""
        return self.company, self.site, self.name

    def place(self, measurement: str | None = None) -> Place:
        """Where its readings are stored, or what agents derive of it."""
        return Place(self.company, self.site, self.line, self.name, measurement or self.measurement)

    def state_code(self, value: object) -> int:
        """Canonical code of a raw state value; 0 where the value means none."""
        raw = _key(value)
        if self.state_map:
            return self.state_map.get(raw, UNKNOWN)
        return int(raw) if raw.isdecimal() and int(raw) < len(STATES) else UNKNOWN


@dataclass(frozen=True, slots=True)
class Catalog:
    """Every configured machine, in the order of the site files."""

    machines: Mapping[MachineKey, MachineInfo]
    sites: Mapping[tuple[str, str], SiteInfo] = field(default_factory=dict)
    """By company and site."""

    @classmethod
    def of(cls, sites: Iterable[Mapping[str, Any]]) -> Catalog:
        """From site files as plain mappings: company, site, line, machines and connections."""
        files = list(sites)
        machines = {machine.key: machine for site in files for machine in _machines(site)}
        return cls(machines, sites_of(files, machines))


def _machines(site: Mapping[str, Any]) -> list[MachineInfo]:
    tags: dict[str, dict[str, TagInfo]] = {}
    for connection in site.get("connections") or ():
        for tag in connection.get("tags") or ():
            machine = tag.get("machine") or connection.get("machine")
            if machine:
                tags.setdefault(machine, {})[tag["name"]] = _tag(tag, connection)
    configured = site.get("machines") or {}
    found = []
    for name in [*configured, *(name for name in tags if name not in configured)]:
        machine = configured.get(name) or {}
        state = machine.get("state") or {}
        found.append(
            MachineInfo(
                site.get("company") or "",
                site.get("site") or "",
                machine.get("line") or site.get("line") or "",
                name,
                _label(machine),
                bool(state),
                state.get("tag") or "",
                _state_map(state),
                tags.get(name, {}),
                measurement_of(machine.get("class") or ""),
                bool(machine.get("count")),
                (machine.get("count") or {}).get("ideal_s") or state.get("ideal_s"),
                bool(machine.get("cycle")),
                _energy(machine.get("energy"), name),
                _quality(machine.get("cycle"), name),
                {_cycle_field(name, one): (one.machine, one.tag) for one in _cycle_refs(machine.get("cycle"), name)},
                _named(machine.get("energy"), name, "lot"),
                _named(machine.get("energy"), name, "product"),
                _calibration(machine.get("calibration")),
                BatterySettings.model_validate(machine["battery"]) if machine.get("battery") else None,
                _counters(machine.get("count"), name),
            )
        )
    return found


def _tag(tag: Mapping[str, Any], connection: Mapping[str, Any]) -> TagInfo:
    on_change = tag.get("deadband") or tag.get("mode") == "subscribe"
    period_s = None if on_change else tag.get("period_s") or connection.get("period_s")
    exponent = Decimal(str(tag.get("scale") or 1)).normalize().as_tuple().exponent
    decimals = -exponent if isinstance(exponent, int) and -_MAX_DECIMALS <= exponent < 0 else None
    unit, source = tag.get("engineering_unit") or "", tag.get("source") or ""
    return TagInfo(tag["name"], _label(tag), unit, decimals, period_s, _address(tag), source)


def _address(tag: Mapping[str, Any]) -> str:
    register = f"{tag['table']} {tag['address']}" if tag.get("table") and tag.get("address") is not None else ""
    return str(tag.get("node") or tag.get("path") or register or tag.get("item") or tag.get("data_item") or "")


def _counters(count: Mapping[str, Any] | None, machine: str) -> tuple[tuple[str, str], ...]:
    refs = [Ref.of(machine, text) for key in ("total", "good", "ng") if (text := (count or {}).get(key))]
    return tuple((ref.machine, ref.tag) for ref in refs)


def _quality(cycle: Mapping[str, Any] | None, machine: str) -> QualityInfo | None:
    said = (cycle or {}).get("quality")
    if not said:
        return None
    return QualityInfo(_cycle_field(machine, Ref.of(machine, said["value"])), said.get("low"), said.get("high"))


def _cycle_refs(cycle: Mapping[str, Any] | None, machine: str) -> list[Ref]:
    return [Ref.of(machine, text) for text in (cycle or {}).get("values") or ()]


def _cycle_field(machine: str, ref: Ref) -> str:
    """What the records of a machine's cycles call a number, as `pipelines.derive.cycle` does."""
    return ref.tag if ref.machine == machine else f"{ref.machine}_{ref.tag}"


def _named(energy: Mapping[str, Any] | None, machine: str, what: str) -> tuple[str, str] | None:
    text = (energy or {}).get(what)
    if not text:
        return None
    ref = Ref.of(machine, text)
    return ref.machine, ref.tag


def _calibration(said: Mapping[str, Any] | None) -> CalibrationSettings | None:
    return CalibrationSettings.model_validate(said) if said else None


def _energy(energy: Mapping[str, Any] | None, machine: str) -> EnergyInfo | None:
    meter = (energy or {}).get("kwh") or (energy or {}).get("kw")
    if not energy or not meter:
        return None
    file = energy.get("factors_file")
    ref = Ref.of(machine, meter)
    return EnergyInfo(
        (ref.machine, ref.tag),
        energy.get("covers") == "line",
        Path(file) if file else None,
        bool(energy.get("lot")),
        not energy.get("kwh"),
        energy.get("max_gap_s") or _MAX_GAP_S,
        energy.get("rollover_kwh"),
    )


def _state_map(state: Mapping[str, Any]) -> dict[str, int] | None:
    if not state.get("tag") or state.get("packml"):
        return None
    return {_key(raw): _code(code) for raw, code in (state.get("map") or {}).items()}


def _key(value: object) -> str:
    """A raw state as text, so that 1, 1.0, True and "1" are one."""
    if isinstance(value, (bool, float)) and value == int(value):
        return str(int(value))
    return str(value)


def _code(code: Any) -> int:
    text = str(code).upper()
    return STATES.index(text) if text in STATES else int(code)


def _label(node: Mapping[str, Any]) -> dict[str, str]:
    return {language: text for language, text in (node.get("label") or {}).items() if text}
