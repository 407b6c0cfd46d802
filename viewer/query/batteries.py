"""Records of battery tests and their steps, as they were stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipelines.calendar import Span
from viewer.battery.record import BatteryTest, StepRow
from viewer.catalog import MachineInfo
from viewer.kpi.words import called
from viewer.stores.base import Store, Tagged

_NUMBERS: Final = (
    "ah", "wh", "soh_c", "soh_e", "dcir_mohm", "coulombic", "delta_mv", "insulation_mohm", "unknown_s",
)  # fmt: skip
_TEXTS: Final = ("pack", "model", "grade", "reason", "remark", "rule")
_OF_TEST: Final = (*_NUMBERS, *_TEXTS, "end", "rule_verified")
_OF_STEP: Final = ("step", "number", "end", "ah", "wh", "unknown_s", "volt_start", "volt_end", "celsius_max")
_ALWAYS: Final = (0, 2**63 - 1)


@dataclass(frozen=True, slots=True)
class Warned:
    """A pack warmed too fast.

    Attributes:
        time_ns: when, ns since 1970 UTC.
        k_per_min: how fast, ℃/min.
        celsius: how hot it was.
    """

    time_ns: int
    k_per_min: float
    celsius: float


def records_of(store: Store, machine: MachineInfo, period: Span) -> list[BatteryTest]:
    """Records of tests that began in the period, oldest first."""
    found = [
        _test(machine, series.tags.get("channel", ""), at, row)
        for series in store.tagged(machine.place("battery"), _OF_TEST, *period)
        if series.tags.get("kind") == "test"
        for at, row in _rows(series, "grade")
    ]
    return sorted(found, key=lambda one: (one.span[0], one.channel))


def records_of_pack(store: Store, machines: Sequence[MachineInfo], pack: str) -> list[BatteryTest]:
    """Every test of a pack that was ever recorded, oldest first."""
    found = []
    for machine in machines:
        told = store.tagged(machine.place("battery"), ["pack"], *_ALWAYS)
        times = {at for one in told for at, row in _rows(one, "pack") if row["pack"] == pack}
        found += [one for at in times for one in records_of(store, machine, (at, at + 1)) if one.pack == pack]
    return sorted(found, key=lambda one: (one.span[0], one.channel))


def steps_of(store: Store, machine: MachineInfo, channel: str, period: Span) -> list[StepRow]:
    """Records of steps of a channel that began in the period, oldest first."""
    found = [
        _step(channel, at, row)
        for series in store.tagged(machine.place("battery"), _OF_STEP, *period)
        if series.tags == {"channel": channel, "kind": "step"}
        for at, row in _rows(series, "step")
    ]
    return sorted(found, key=lambda one: one.span)


def known_time(store: Store, machine: MachineInfo, period: Span) -> tuple[int, int]:
    """Of the steps that began in the period: time in which voltage and current are known, and all of it, ns."""
    known = whole = 0
    for series in store.tagged(machine.place("battery"), ("end", "unknown_s"), *period):
        if series.tags.get("kind") == "step":
            for at, row in _rows(series, "end"):
                whole += int(row["end"]) - at
                known += int(row["end"]) - at - round(float(row.get("unknown_s", 0.0)) * 1e9)
    return known, whole


def warned_of(store: Store, machine: MachineInfo, channel: str, period: Span) -> list[Warned]:
    """Warnings of a channel in the period, oldest first."""
    return [
        Warned(at, float(row["k_per_min"]), float(row.get("celsius", "nan")))
        for series in store.tagged(machine.place("battery"), ("k_per_min", "celsius"), *period)
        if series.tags == {"channel": channel, "kind": "event"}
        for at, row in _rows(series, "k_per_min")
    ]


def _rows(series: Tagged, field: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Points of a series that have a field, by their times, with all their fields."""
    known = {name: dict(zip(of.time_ns.tolist(), of.value.tolist(), strict=True)) for name, of in series.fields.items()}
    for at in known.get(field, {}):
        yield at, {name: values[at] for name, values in known.items() if at in values}


def _test(machine: MachineInfo, channel: str, start_ns: int, row: Mapping[str, Any]) -> BatteryTest:
    measured: dict[str, Any] = {name: float(row[name]) if name in row else None for name in _NUMBERS}
    said: dict[str, Any] = {name: str(row.get(name, "")) for name in _TEXTS}
    return BatteryTest(
        machine=called(machine.label, machine.name),
        name=machine.name,
        channel=channel,
        span=(start_ns, int(row["end"]) if "end" in row else None),
        verified=bool(row.get("rule_verified", True)),
        **measured,
        **said,
    )


def _step(channel: str, start_ns: int, row: Mapping[str, Any]) -> StepRow:
    measured: dict[str, Any] = {
        name: float(row[name]) for name in ("ah", "wh", "volt_start", "volt_end", "celsius_max") if name in row
    }
    return StepRow(
        channel=channel,
        kind=str(row["step"]),
        number=int(row.get("number", 0)),
        span=(start_ns, int(row.get("end", start_ns))),
        unknown_s=float(row.get("unknown_s", 0.0)),
        **measured,
    )
