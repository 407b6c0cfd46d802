"""What says how a machine is: a word of its PLC, PackML, the lamps of its tower, its power, its counter. Pure.

Codes: 0 unknown, 1 run, 2 idle, 3 setup, 4 down, 5 planned stop, 6 maintenance, 7 off, 8 minor stop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from pipelines.derive.rule import Ref, Value

UNKNOWN, RUN, IDLE, SETUP, DOWN, PLANNED, MAINT, OFF, MINOR = range(9)
_SECOND: Final = 10**9
_MAINTENANCE: Final = 2
"""PackML unit mode (OPC 30060, and OMAC's PackTags)."""
_OFF_BELOW: Final = 0.05
_IDLE_BELOW: Final = 0.25
_HYSTERESIS: Final = 0.1
_MOST_DIGITS: Final = 18


class Verdict(NamedTuple):
    """How a machine is.

    Attributes:
        code: canonical state.
        reason: what says so, in a word of the source.
        stopped: nothing says why it does not run: outside of working time that is planned.
    """

    code: int
    reason: str
    stopped: bool = False


class Signal(Protocol):
    """Something that says how a machine is."""

    @property
    def reads(self) -> frozenset[Ref]:
        """Tags it needs, every one of them good."""
        ...

    @property
    def hold_ns(self) -> int:
        """How long it must say another thing before that is believed, ns."""
        ...

    @property
    def discrete(self) -> bool:
        """Whether its tags change rarely, so that their values are worth keeping over a restart."""
        ...

    def judge(self, values: Mapping[Ref, Value], before: int) -> Verdict:
        """What it says by the newest values of its tags; `before` is the state that it said before."""
        ...


@dataclass(frozen=True, slots=True)
class Word:
    """A tag that holds the state, by a map, or as it is."""

    tag: Ref
    map: Mapping[int | str, int]
    hold_ns: int = 0
    discrete: bool = True

    @property
    def reads(self) -> frozenset[Ref]:
        """See `Signal`."""
        return frozenset({self.tag})

    def judge(self, values: Mapping[Ref, Value], before: int) -> Verdict:
        """See `Signal`; a value that the map has not is unknown."""
        del before
        value = values[self.tag]
        raw = value if isinstance(value, str) and value in self.map else _whole(value)
        if raw is None or (raw not in self.map if self.map else not UNKNOWN <= int(raw) <= MINOR):
            return Verdict(UNKNOWN, f"no state: {value}")
        return Verdict(self.map[raw] if self.map else int(raw), str(raw))


_PACKML: Final = {
    "Clearing": Verdict(IDLE, "Clearing"),
    "Stopped": Verdict(DOWN, "Stopped", stopped=True),
    "Stopping": Verdict(DOWN, "Stopping", stopped=True),
    "Starting": Verdict(IDLE, "Starting"),
    "Idle": Verdict(IDLE, "Idle"),
    "Suspending": Verdict(IDLE, "Suspending"),
    "Suspended": Verdict(IDLE, "Suspended"),
    "Unsuspending": Verdict(IDLE, "Unsuspending"),
    "Execute": Verdict(RUN, "Execute"),
    "Aborting": Verdict(DOWN, "Aborting"),
    "Aborted": Verdict(DOWN, "Aborted"),
    "Holding": Verdict(MINOR, "Holding"),
    "Held": Verdict(MINOR, "Held"),
    "Unholding": Verdict(MINOR, "Unholding"),
    "Resetting": Verdict(IDLE, "Resetting"),
    "Completing": Verdict(IDLE, "Completing"),
    "Complete": Verdict(IDLE, "Complete"),
}
"""Suspended is stopped from outside, for want of material or because what follows is full; Held from inside."""
PACKML_STATES: Final = {
    "omac": (
        "Undefined", "Clearing", "Stopped", "Starting", "Idle", "Suspended", "Execute", "Stopping", "Aborting",
        "Aborted", "Holding", "Held", "Unholding", "Suspending", "Unsuspending", "Resetting", "Completing", "Complete",
    ),
    "opcua": (
        "Stopped", "Resetting", "Idle", "Starting", "Execute", "Completing", "Complete", "Aborting", "Aborted",
        "Stopping", "Clearing", "Suspending", "Suspended", "Unsuspending", "Holding", "Held", "Unholding",
    ),
}  # fmt: skip
"""Name of each number: OMAC's PackTags of ANSI/ISA-TR88.00.02 count from 1 on, StateEnumeration of OPC 30060 from 0 on;
Execute is 6 in the one and 4 in the other."""


@dataclass(frozen=True, slots=True)
class PackMl:
    """StateCurrent and, where there is one, UnitModeCurrent."""

    tag: Ref
    numbers: str
    mode: Ref | None = None
    hold_ns: int = 0
    discrete: bool = True

    @property
    def reads(self) -> frozenset[Ref]:
        """See `Signal`."""
        return frozenset({self.tag} if self.mode is None else {self.tag, self.mode})

    def judge(self, values: Mapping[Ref, Value], before: int) -> Verdict:
        """See `Signal`."""
        del before
        if self.mode is not None and _whole(values[self.mode]) == _MAINTENANCE:
            return Verdict(MAINT, "Maintenance")
        names, raw = PACKML_STATES[self.numbers], _whole(values[self.tag])
        name = names[raw] if raw is not None and 0 <= raw < len(names) else ""
        return _PACKML.get(name) or Verdict(UNKNOWN, f"no state: {values[self.tag]}")


@dataclass(frozen=True, slots=True)
class Lamps:
    """Lamps of a tower: red before green, green before amber. Short darkness of a lamp that blinks is none."""

    green: Ref
    amber: Ref | None = None
    red: Ref | None = None
    hold_ns: int = 3 * _SECOND
    discrete: bool = True

    @property
    def reads(self) -> frozenset[Ref]:
        """See `Signal`."""
        return frozenset({one for one in (self.green, self.amber, self.red) if one is not None})

    def judge(self, values: Mapping[Ref, Value], before: int) -> Verdict:
        """See `Signal`."""
        del before
        if self.red is not None and values[self.red]:
            return Verdict(DOWN, "red")
        if values[self.green]:
            return Verdict(RUN, "green")
        if self.amber is not None and values[self.amber]:
            return Verdict(IDLE, "amber", stopped=True)
        return Verdict(OFF, "dark", stopped=True)


@dataclass(frozen=True, slots=True)
class Power:
    """Active power against the rated one; a level is left when its border is crossed by 10 %."""

    tag: Ref
    rated_kw: float
    hold_ns: int = 5 * _SECOND
    discrete: bool = False

    @property
    def reads(self) -> frozenset[Ref]:
        """See `Signal`."""
        return frozenset({self.tag})

    def judge(self, values: Mapping[Ref, Value], before: int) -> Verdict:
        """See `Signal`; the level that holds reaches 10 % over its border to the next."""
        value = values[self.tag]
        if isinstance(value, str):
            return Verdict(UNKNOWN, f"no power: {value}")
        share, off, idle = abs(value) / self.rated_kw, _OFF_BELOW, _IDLE_BELOW
        if before != UNKNOWN:
            off *= 1 + _HYSTERESIS if before == OFF else 1 - _HYSTERESIS
            idle *= 1 - _HYSTERESIS if before == RUN else 1 + _HYSTERESIS
        if share < off:
            return Verdict(OFF, "power", stopped=True)
        return Verdict(IDLE, "power", stopped=True) if share < idle else Verdict(RUN, "power")


@dataclass(frozen=True, slots=True)
class Counting:
    """A counter alone: the machine runs, unless it does not count."""

    tag: Ref
    hold_ns: int = 0
    discrete: bool = False

    @property
    def reads(self) -> frozenset[Ref]:
        """See `Signal`."""
        return frozenset({self.tag})

    def judge(self, values: Mapping[Ref, Value], before: int) -> Verdict:
        """See `Signal`; that it does not count is seen by `pipelines.derive.activity`."""
        del values, before
        return Verdict(RUN, "count")


def _whole(value: Value) -> int | None:
    """The whole number a value is; None when it is none."""
    if isinstance(value, str):
        return int(value) if value.isdecimal() and len(value) <= _MOST_DIGITS else None
    return int(value) if value == int(value) else None
