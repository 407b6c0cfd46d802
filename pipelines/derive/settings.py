"""What a site says of states, counts and cycles of its machines, and of its working time."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from pipelines.derive.usable import OWN_VALUES
from pipelines.settings import Settings

_TIME: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00")
_SPAN: Final = re.compile(rf"(?:{_TIME.pattern})-(?:{_TIME.pattern})")
_REF: Final = re.compile(r"(?:[\w][\w.\-]*/)?[\w][\w.\-]*", re.UNICODE)


def _time(text: str) -> str:
    if not _TIME.fullmatch(text):
        msg = 'must be a time of day, "08:00"'
        raise ValueError(msg)
    return text


def _span(text: str) -> str:
    if not _SPAN.fullmatch(text) or text[:5] == text[6:]:
        msg = 'must be two times of day, "12:00-13:00"'
        raise ValueError(msg)
    return text


def _ref(text: str) -> str:
    if not _REF.fullmatch(text):
        msg = "must be a tag of this machine, or OTHER-MACHINE/tag"
        raise ValueError(msg)
    return text


TimeOfDay = Annotated[str, AfterValidator(_time)]
"""`"HH:MM"`, Korean Standard Time; `"24:00"` is the end of the day."""
Span = Annotated[str, AfterValidator(_span)]
"""`"HH:MM-HH:MM"`, Korean Standard Time; it goes over midnight when its end is before its start."""
TagRef = Annotated[str, AfterValidator(_ref)]
"""A tag of the machine, or `OTHER-MACHINE/tag`."""
StateCode = Annotated[int, Field(ge=0, le=8)]


class ShiftSettings(Settings):
    """One shift."""

    name: str
    """What people call it."""
    start: Annotated[TimeOfDay, Field(alias="from")]
    """When it begins, `"08:00"`, Korean Standard Time."""
    end: Annotated[TimeOfDay, Field(alias="to")]
    """When it ends, `"20:00"`; before or at its beginning = on the next day."""


class CalendarSettings(Settings):
    """Working time: outside of it a machine that does not run is stopped as planned."""

    day_start: TimeOfDay = "08:00"
    """When the production day begins: a night shift belongs to the day on which it began."""
    shifts: Annotated[tuple[ShiftSettings, ...], Field(min_length=1)]
    """Shifts of a working day."""
    breaks: tuple[Span, ...] = ()
    """Breaks of every working day, such as `"12:00-13:00"`."""
    days: Annotated[tuple[Annotated[int, Field(ge=0, le=6)], ...], Field(min_length=1)] = (0, 1, 2, 3, 4)
    """Production days on which is worked, 0 = Monday."""


class LampSettings(Settings):
    """Lamps of a tower; each a tag that is not 0 while it is lit."""

    green: TagRef
    """Lit while the machine runs."""
    amber: TagRef | None = None
    """Lit while it waits, or wants attention."""
    red: TagRef | None = None
    """Lit while it is down."""


def _number_or_text(key: Any) -> Any:
    """A key of YAML, which is a text, as the number it is written as."""
    return int(key) if isinstance(key, str) and key.removeprefix("-").isdecimal() else key


class StateSettings(Settings):
    """Where a machine's state is taken from: exactly one of `tag`, `packml`, `lamps`, `power` and `counter`."""

    tag: TagRef | None = None
    """Tag that holds the state; with `packml`, the tag of its StateCurrent."""
    map: Annotated[dict[Annotated[int | str, BeforeValidator(_number_or_text)], StateCode], Field(default_factory=dict)]
    """Raw value, a number or a text, → canonical state: 0 unknown, 1 run, 2 idle, 3 setup, 4 down, 5 planned,
    6 maintenance, 7 off, 8 minor stop. Empty = the raw value is canonical already."""
    packml: Literal["omac", "opcua"] | None = None
    """`tag` holds a PackML state, by the numbers of OMAC (ISA-TR88) or of OPC 30060: Execute is 6 in the one, 4 in the
    other."""
    mode: TagRef | None = None
    """Tag of the PackML unit mode: 2 is maintenance, whatever the state."""
    lamps: LampSettings | None = None
    """Lamps of its tower."""
    power: TagRef | None = None
    """Tag of its active power, kW: below 5 % of `rated_kw` it is off, below 25 % idle, above it runs; a level is left
    when it is crossed by 10 % for 5 s."""
    rated_kw: Annotated[float, Field(gt=0)] | None = None
    """Rated power, kW."""
    counter: TagRef | None = None
    """Tag of a counter: it runs while it counts. Three times `ideal_s` without a count is a minor stop, five minutes a
    stop."""
    ideal_s: Annotated[float, Field(gt=0)] | None = None
    """Ideal time of one count, seconds."""

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        forms = {"tag": self.tag, "lamps": self.lamps, "power": self.power, "counter": self.counter}
        named = [key for key, one in forms.items() if one is not None]
        if len(named) != 1:
            many = f"not {' and '.join(named)}" if named else "and there is none"
            msg = f"needs exactly one of tag, lamps, power and counter, {many}"
            raise ValueError(msg)
        (form,) = named
        owners = {"map": "tag", "packml": "tag", "mode": "packml", "rated_kw": "power", "ideal_s": "counter"}
        for key, owner in owners.items():
            given = bool(getattr(self, key))
            if given and getattr(self, owner) is None:
                msg = f"{key} belongs to {owner}; remove it"
                raise ValueError(msg)
            if not given and owner == form and key in {"rated_kw", "ideal_s"}:
                msg = f"{owner} needs {key}"
                raise ValueError(msg)
        if self.packml and self.map:
            msg = "packml has its own map; remove map"
            raise ValueError(msg)
        if len({type(value) for value in self.map}) > 1:
            msg = "map has numbers and texts, and a tag holds one or the other"
            raise ValueError(msg)
        return self


class CountSettings(Settings):
    """Counters of what a machine made: they become totals that go on over rollovers and resets."""

    total: TagRef | None = None
    """Counter of all pieces, or strokes; default: good + ng."""
    good: TagRef | None = None
    """Counter of good pieces; default: total − ng."""
    ng: TagRef | None = None
    """Counter of bad pieces; default: total − good."""
    ideal_s: Annotated[float, Field(gt=0)] | None = None
    """Ideal time of one count, seconds: what counts faster than three times that is implausible, and a machine that
    says it runs and does not count for three times that has a minor stop."""

    @model_validator(mode="after")
    def _counts(self) -> Self:
        if self.total is None and self.good is None:
            msg = "needs total, or good"
            raise ValueError(msg)
        return self


class QualitySettings(Settings):
    """The value by which a process is judged, and its specification: what Cpk is made of."""

    value: TagRef
    """One of the cycle's `values`."""
    low: float | None = None
    """Lower specification limit, in the unit of the tag; default: there is none."""
    high: float | None = None
    """Upper specification limit; default: there is none."""

    @model_validator(mode="after")
    def _limits(self) -> Self:
        if self.low is None and self.high is None:
            msg = "needs low, or high, or both"
            raise ValueError(msg)
        if self.low is not None and self.high is not None and self.low >= self.high:
            msg = f"low ({self.low:g}) must be below high ({self.high:g})"
            raise ValueError(msg)
        return self


class CycleSettings(Settings):
    """One record for each cycle of a machine."""

    at: TagRef
    """Counter that goes up when a cycle ends."""
    values: tuple[TagRef, ...] = ()
    """Tags whose newest value goes into the record; none called `number`, `counts` or `duration_s`."""
    quality: QualitySettings | None = None
    """The value by which the process is judged (Q-CPK); default: none."""

    @model_validator(mode="after")
    def _own_fields(self) -> Self:
        if self.quality is not None and self.quality.value not in self.values:
            msg = f"quality is judged by {self.quality.value!r}, which is none of values; add it there"
            raise ValueError(msg)
        for text in self.values:
            if text in OWN_VALUES:
                msg = f"{text!r} is a field of every cycle; give the tag another name"
                raise ValueError(msg)
        return self


class DerivedSettings(Settings):
    """What is derived for a machine; the base of its settings."""

    state: StateSettings | None = None
    """Where its state is taken from; default: the machine has none."""
    count: CountSettings | None = None
    """What it made; default: nothing is counted."""
    cycle: CycleSettings | None = None
    """What of each cycle is kept; default: no records."""


Kpi = Literal[
    "P-UPH", "P-UTIL", "P-OEE", "P-LT", "P-CT", "P-QTY", "P-MTBF", "P-MTTR", "Q-PDR", "Q-FDR", "Q-CLM", "Q-CPK",
    "C-MH", "C-KWH", "C-INV", "D-OTD", "D-O2S", "S-ALM", "S-INJ", "E-CO2", "E-PEAK",
]  # fmt: skip
"""Code of a key performance indicator: productivity P, quality Q, cost C, delivery D, safety S, environment E."""
