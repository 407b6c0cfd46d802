"""One channel of a cycler: readings in the order of their times become steps, records and warnings.

The same readings in the same order give the same records, whatever they are cut into: `pipelines.derive.battery.replay`
runs a stored curve through the same state machine as the live one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from pipelines.derive.battery.grading import GradingRule
from pipelines.derive.battery.record import Facts, Record, record_of
from pipelines.derive.battery.steps import KINDS, Sample, Step, restored
from pipelines.derive.battery.thermal import Thermal
from pipelines.derive.rule import Value
from pipelines.derive.settle import Reading
from pipelines.derive.usable import number, whole
from pipelines.point import BAD, SEVERITY_MASK

_MOST_STEPS: Final = 200
"""Steps of one test; a longer one is cut into several records, of which only the last can be whole."""
_ENDS: Final = ("IDLE", "END", "ALARM")
TEXTS: Final = ("pack", "model")
_WORDS: Final = ("state", *TEXTS)
"""Roles that may be text."""
_FACTS: Final = ("delta_mv", "insulation_mohm")


@dataclass(frozen=True, slots=True)
class Rise:
    """A pack warms faster than it may.

    Attributes:
        time_ns: when, ns since 1970 UTC.
        k_per_min: how fast, ℃/min.
        celsius: how hot it is.
    """

    time_ns: int
    k_per_min: float
    celsius: float


Event = Step | Record | Rise


@dataclass(slots=True)
class Channel:
    """One channel.

    Attributes:
        rule: how packs are graded.
        states: name of a step kind, IDLE, END or ALARM by the raw value of the cycler's state; empty = it is the name.
        force: the value in force of each role: `state step v i pack model delta_mv insulation_mohm`, and `t`, `t1` …
            for temperatures; None after a bad reading.
        time_ns: of the newest reading; the sample at this time is not complete.
        steps: of the test that runs, the last one going on; empty = none runs.
        start_ns: its beginning.
        seen: the last complete sample.
        thermal: how it warms.
        known: whether it was known at the sample before what the channel did.
    """

    rule: GradingRule
    states: Mapping[str, str] = field(default_factory=dict)
    force: dict[str, Value | None] = field(default_factory=dict)
    time_ns: int = 0
    steps: list[Step] = field(default_factory=list)
    start_ns: int = 0
    seen: Sample | None = None
    thermal: Thermal = field(default_factory=Thermal)
    known: bool = False

    def take(self, reading: Reading) -> list[Event]:
        """One reading; what the samples before it come to."""
        events = self.until(reading.time_ns)
        self.time_ns = max(self.time_ns, reading.time_ns)
        self.force[reading.role] = _usable(reading)
        return events

    def until(self, time_ns: int) -> list[Event]:
        """Everything before this moment is known: what it comes to."""
        if not self.time_ns or time_ns <= self.time_ns:
            return []
        events = self._sample(self.time_ns)
        self.time_ns = 0
        return events

    def moved(self, by_ns: int) -> None:
        """The clock was set."""
        self.time_ns += by_ns if self.time_ns else 0
        self.start_ns += by_ns
        self.seen = self.seen and self.seen.moved(by_ns)
        self.thermal.past = [(time_ns + by_ns, celsius) for time_ns, celsius in self.thermal.past]
        for step in self.steps:
            step.moved(by_ns)

    def _sample(self, time_ns: int) -> list[Event]:
        events: list[Event] = []
        celsius = max(
            (float(one) for role, one in self.force.items() if role[0] == "t" and one is not None), default=None
        )
        if celsius is not None and (rate := self.thermal.take(time_ns, celsius, self.rule.thermal_k_per_min)):
            events.append(Rise(time_ns, rate, celsius))
        volt, ampere = self.force.get("v"), self.force.get("i")
        sample = None
        if volt is not None and ampere is not None:
            sample = Sample(time_ns, float(volt), float(ampere), celsius)
        events += self._step(time_ns, sample)
        self.seen = sample
        return events

    def _step(self, time_ns: int, sample: Sample | None) -> list[Event]:
        kind, events = self._kind(), list[Event]()
        number = int(self.force.get("step") or 0)
        running = self.steps[-1] if self.steps else None
        if kind in _ENDS:
            self.known = True
            return self._end(time_ns, whole=kind != "ALARM") if running else []
        if kind in KINDS and (running is None or (running.kind, running.number) != (kind, number)):
            if running is not None:
                running.end(time_ns, self.rule.pulse_s)
                events.append(running)
                if len(self.steps) >= _MOST_STEPS:
                    events.append(self._record(time_ns, whole=False))
            if not self.steps:
                self.start_ns = time_ns
            before = (self.seen.volt, self.seen.ampere) if self.seen and kind == "PULSE" else None
            running = Step(kind, number, time_ns, time_ns, before=before, cut=not (self.known or self.steps))
            self.steps.append(running)
        self.known = kind is not None
        if running is not None:
            if kind is None or sample is None:
                running.lose()
            else:
                running.take(sample, self.rule.pulse_s)
        return events

    def _kind(self) -> str | None:
        """What the channel does; None = it is not known."""
        raw = self.force.get("state")
        return None if raw is None else kind_of(raw, self.states)

    def _end(self, time_ns: int, *, whole: bool) -> list[Event]:
        last = self.steps[-1]
        last.end(time_ns, self.rule.pulse_s)
        return [last, self._record(time_ns, whole=whole)]

    def _record(self, time_ns: int, *, whole: bool) -> Record:
        pack, model = (str(self.force.get(role) or "") for role in TEXTS)
        delta, insulation = (None if (one := self.force.get(role)) is None else float(one) for role in _FACTS)
        facts = Facts(pack, model, delta, insulation)
        steps, self.steps = self.steps, []
        return record_of(steps, facts, self.rule, (self.start_ns, time_ns), whole=whole)

    def state(self) -> dict[str, Any]:
        """What it remembers, for JSON; not the rule and the names of states."""
        known = asdict(self)
        return {key: one for key, one in known.items() if key not in {"rule", "states"}}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.force, self.time_ns, self.start_ns = state["force"], state["time_ns"], state["start_ns"]
        self.known = state["known"]
        self.steps = [restored(one) for one in state["steps"]]
        self.seen = Sample(**state["seen"]) if state["seen"] else None
        self.thermal = Thermal([(when, how) for when, how in state["thermal"]["past"]], state["thermal"]["rising"])


def _usable(reading: Reading) -> Value | None:
    """What a reading says of its role; None where it is bad, or no number and should be one."""
    if reading.role == "step":
        return whole(reading.value, reading.status)
    if reading.role in _WORDS:
        return None if reading.status & SEVERITY_MASK == BAD else reading.value
    return number(reading.value, reading.status)


def kind_of(raw: Value, states: Mapping[str, str]) -> str | None:
    """What a channel does by the raw value of its state, see `Channel`; None = the value means nothing known."""
    key = str(int(raw)) if isinstance(raw, (int, float)) else raw
    found = states.get(key) if states else str(raw).upper()
    return found if found in KINDS or found in _ENDS else None
