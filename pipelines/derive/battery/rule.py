"""One channel of a cycler to points of measurement `battery`: steps, records of tests, warnings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pipelines.derive.battery.channel import Channel, Event, Rise
from pipelines.derive.battery.grading import GradingRule
from pipelines.derive.battery.record import Record
from pipelines.derive.battery.steps import Step
from pipelines.derive.packed import pack, unpack
from pipelines.derive.rule import Derived, Ref, Value
from pipelines.derive.settle import WAIT_NS, Reading, Settle


class BatteryRule:
    """Tests on one channel.

    Args:
        machine: the cycler.
        channel: its channel.
        tags: tag of each role, see `Channel`.
        states: what the channel does by the raw value of its state.
        rule: how packs are graded.
    """

    def __init__(
        self, machine: str, channel: str, tags: Mapping[str, Ref], states: Mapping[str, str], rule: GradingRule
    ) -> None:
        self.name = f"battery/{machine}/{channel}"
        self.reads = frozenset(tags.values())
        self._machine, self._called = machine, channel
        self._roles = {ref: [role for role, one in tags.items() if one == ref] for ref in self.reads}
        self._settle = Settle()
        self._channel = Channel(rule, states)
        self._points: list[Derived] = []

    def take(self, ref: Ref, time_ns: int, value: Value, status: int) -> None:
        """See `Rule`."""
        for role in self._roles[ref]:
            self._tell(self._settle.take(Reading(time_ns, role, value, status)))

    def tick(self, now_ns: int) -> None:
        """See `Rule`."""
        self._tell(self._settle.until(now_ns))
        self._points += [self._point(one) for one in self._channel.until(now_ns - WAIT_NS)]

    def moved(self, by_ns: int) -> None:
        """See `Rule`."""
        self._settle.moved(by_ns)
        self._channel.moved(by_ns)

    def lines(self) -> Sequence[Derived]:
        """See `Rule`."""
        points, self._points = self._points, []
        return points

    def state(self) -> bytes:
        """See `Rule`."""
        return pack({"settle": self._settle.state(), "channel": self._channel.state()})

    def restore(self, state: bytes) -> None:
        """See `Rule`."""
        known: dict[str, Any] = unpack(state)
        try:
            self._settle = Settle.restored(known["settle"])
            self._channel.restore(known["channel"])
        except (KeyError, TypeError, IndexError) as error:
            msg = f"not the state of {self.name}: {error!r}"
            raise ValueError(msg) from error

    def _tell(self, settled: Sequence[Reading]) -> None:
        self._points += [self._point(event) for one in settled for event in self._channel.take(one)]

    def _point(self, event: Event) -> Derived:
        match event:
            case Step():
                return self._derived("step", event.start_ns, step_fields(event))
            case Record():
                return self._derived("test", event.start_ns, record_fields(event))
            case Rise():
                fields: dict[str, Value] = {"event": "thermal_rise", "k_per_min": round(event.k_per_min, 3)}
                return self._derived("event", event.time_ns, fields | {"celsius": event.celsius})

    def _derived(self, kind: str, time_ns: int, fields: Mapping[str, Value]) -> Derived:
        return Derived("battery", self._machine, time_ns, fields, (("channel", self._called), ("kind", kind)))


def step_fields(step: Step) -> dict[str, Value]:
    """Fields of a step."""
    found: dict[str, Value | None] = {
        "step": step.kind,
        "number": step.number,
        "end": step.end_ns,
        "ah": step.ah,
        "wh": step.wh,
        "unknown_s": step.unknown_ns / 1e9,
        "volt_start": step.volt_start,
        "volt_end": step.volt_end,
        "celsius_max": step.celsius_max,
    }
    return {key: one for key, one in found.items() if one is not None}


def record_fields(record: Record) -> dict[str, Value]:
    """Fields of a test: what was not measured is not there; limits that nobody confirmed say so."""
    found: dict[str, Value | None] = {
        "end": record.end_ns,
        "pack": record.pack or None,
        "model": record.model or None,
        **asdict(record.figures),
        "ah": record.ah,
        "wh": record.wh,
        "grade": record.grade,
        "reason": "; ".join(record.reasons) or None,
        "remark": "; ".join(record.remarks) or None,
        "rule": record.rule_version,
        "rule_verified": None if record.rule_verified else False,
    }
    return {key: one for key, one in found.items() if one is not None}
