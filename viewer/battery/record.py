"""The record of one test of a battery pack, as it was stored."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.derive.battery.grading import HOLD
from viewer.kpi.words import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryTest:
    """The record of one test, fields as in docs/battery.md; None = it was not measured.

    Attributes:
        machine: the cycler, as people call it.
        name: the cycler, as it is configured.
        channel: of the cycler.
        span: beginning and end, ns since 1970 UTC.
        verified: whether somebody confirmed the limits it was graded by.
    """

    machine: Text
    name: str
    channel: str
    span: tuple[int, int | None]
    pack: str
    model: str
    ah: float | None
    wh: float | None
    soh_c: float | None
    soh_e: float | None
    dcir_mohm: float | None
    coulombic: float | None
    delta_mv: float | None
    insulation_mohm: float | None
    unknown_s: float | None
    grade: str
    reason: str
    remark: str
    rule: str
    verified: bool

    @property
    def held(self) -> bool:
        """Whether the pack is on hold (보류)."""
        return self.grade == HOLD

    @property
    def length_ns(self) -> int | None:
        """How long it took; None where its end is not known."""
        return None if self.span[1] is None else self.span[1] - self.span[0]

    @property
    def key(self) -> str:
        """Which of its site's: cycler, channel, beginning."""
        return f"{self.name}/{self.channel}/{self.span[0]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """The record of one step of a test, fields as in docs/battery.md; None = it was not measured.

    Attributes:
        kind: CHG, REST, DCH or PULSE.
        span: beginning and end, ns since 1970 UTC.
        unknown_s: time of it in which voltage or current was not known, seconds.
    """

    channel: str
    kind: str
    number: int
    span: tuple[int, int]
    unknown_s: float
    ah: float | None = None
    wh: float | None = None
    volt_start: float | None = None
    volt_end: float | None = None
    celsius_max: float | None = None
