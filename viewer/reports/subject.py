"""What a report is about: figures and records asked for before. Making a report of them is a pure function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from pipelines.calendar import Span
from pipelines.derive.energy.factors import Factor
from viewer.access.use import Use
from viewer.battery.record import BatteryTest
from viewer.kpi.goal import Goal
from viewer.kpi.result import Result
from viewer.kpi.spans import Times
from viewer.kpi.words import Text
from viewer.query.downtime import Downtime
from viewer.reports.records import Calibration, ChainFacts, Exposure, Guard, Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A company, a line or a machine.

    Attributes:
        name: as people call it.
        has: what the site's settings have of it, of `state`, `count`, `energy`.
        figures: by code of the catalogue, of the whole period.
        days: the same of each production day, oldest first.
        times: time in each state within working time; None = it tells no states.
        kwh: electricity used, of the whole period; None = not metered.
        pieces: made and bad in the whole period; None = not counted.
        stood: how long it stood, by state and reason; None = it tells no states.
    """

    name: Text
    has: frozenset[str] = frozenset({"state", "count", "energy"})
    figures: Mapping[str, Result] = field(default_factory=dict)
    days: tuple[tuple[date, Mapping[str, Result]], ...] = ()
    times: Times | None = None
    kwh: float | None = None
    pieces: tuple[int | None, int | None] = (None, None)
    stood: Downtime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A stretch in which a machine did not run.

    Attributes:
        machine: which.
        code: canonical state, 0 to 8.
        span: from when to before when, ns since 1970 UTC, within the period.
        length_ns: how much of it is working time.
        reason: as somebody entered it, or the machine says it; empty = nobody said (사유 미입력).
    """

    machine: Text
    code: int
    span: Span
    length_ns: int
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmEvent:
    """A change of an alarm, fields as in docs/alarms.md."""

    time_ns: int
    machine: Text
    name: str
    priority: str
    event: str
    message: str
    cause: str = ""
    value: float | None = None
    comment: str = ""
    safety: bool = False
    ccp: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TagFacts:
    """How well a tag was collected.

    Attributes:
        machine: of the tag.
        tag: its field.
        label: as people call it.
        address: where the device has it; empty = not known.
        unit: engineering unit.
        period_s: how often it is read, seconds; None = on change, or not known.
        readings: values in the period.
        bad: readings of bad quality in it.
        gaps: known gaps of which any part lies in it.
        last_ns: time of the newest usable value; None = there is none.
        rate: DQ-RATE.
    """

    machine: Text
    tag: str
    label: Text
    address: str = ""
    unit: str = ""
    period_s: float | None = None
    readings: int
    bad: int
    gaps: int
    last_ns: int | None
    rate: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class GapCause:
    """Known gaps of one cause in the period; their time lies in it, and gaps at the same time count once."""

    cause: str
    count: int
    length_ns: int
    filled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A stretch in which no tag of a machine came and no gap is on record.

    Attributes:
        machine: which.
        span: from when to before when, ns since 1970 UTC, within the period.
        lasts: whether it went on when the report was made.
    """

    machine: Text
    span: Span
    lasts: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One stored series as it was in the period: what figures are made of.

    Attributes:
        place: company/site/line/machine/measurement.
        field: the field.
        count: points.
        first_hour_ns: beginning of the first hour with points, ns since 1970 UTC.
        last_hour_ns: beginning of the last one.
        low: smallest value; None of texts.
        high: greatest value; None of texts.
        digest: SHA-256 over its hours, hexadecimal.
    """

    place: str
    field: str
    count: int
    first_hour_ns: int
    last_hour_ns: int
    low: float | None
    high: float | None
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Who changed what, and when; None = it is a draft."""

    when: date | datetime | None
    what: Text
    version: int | None
    detail: Text
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """All that reports of a company are made of.

    Attributes:
        company: its name.
        project: what the project says of itself, such as its number, in order.
        period: ns since 1970 UTC.
        generated_ns: when the report is made, ns since 1970 UTC.
        profile: how OEE is split.
        goals: baseline, target, weight.
        kpis: codes that the site is judged by, with or without a goal.
        cap: greatest achievement that counts, percent; None = no limit.
        whole: the company.
        machines: its machines.
        factors: dated emission factors that were used.
        queries: what was asked of the store, one after the other.
        digest: SHA-256 over the digests of `sources`, hexadecimal.
        guards: safety alarms and critical control points that are configured.
        measured: critical control points by production day.
        exposures: gases.
        batteries: tests that began in the period.
        chain: the hash-chained log.
        use: of the pages by the company's own people; None = nobody notes it.
        calibrations: of detectors.
    """

    company: str
    project: tuple[tuple[Text, str | Text], ...] = ()
    period: Span
    generated_ns: int
    profile: str = "iso22400"
    goals: tuple[Goal, ...] = ()
    kpis: tuple[str, ...] = ()
    cap: float | None = None
    whole: Scope
    machines: tuple[Scope, ...] = ()
    stops: tuple[Stop, ...] = ()
    alarms: tuple[AlarmEvent, ...] = ()
    tags: tuple[TagFacts, ...] = ()
    gaps: tuple[GapCause, ...] = ()
    silences: tuple[Silence, ...] = ()
    factors: tuple[Factor, ...] = ()
    sources: tuple[Source, ...] = ()
    queries: tuple[str, ...] = ()
    digest: str = ""
    changes: tuple[Change, ...] = ()
    guards: tuple[Guard, ...] = ()
    measured: tuple[Measured, ...] = ()
    exposures: tuple[Exposure, ...] = ()
    batteries: tuple[BatteryTest, ...] = ()
    chain: ChainFacts = field(default_factory=ChainFacts)
    use: Use | None = None
    calibrations: tuple[Calibration, ...] = ()
