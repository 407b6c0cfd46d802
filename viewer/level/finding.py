"""A piece of evidence: a number with what it is made of. Without samples it has no value, and says why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pipelines.calendar import Span
from viewer.kpi.words import NO_SAMPLES, Amount, Text
from viewer.level.kinds import KINDS, Kind

_MOST_NAMES: Final = 8
NO_BEATS: Final = Text("기간 내 에이전트 하트비트 없음", "no heartbeat of an agent in the period")


@dataclass(frozen=True, slots=True)
class Finding:
    """A piece of evidence.

    Attributes:
        code: of its kind in `KINDS`.
        value: in the kind's unit; None = 미수집.
        samples: of what it is made; what they are the kind says.
        period: start and end, ns since 1970 UTC.
        parts: numbers that the formula was given, and others beside it.
        why: why there is no value; None where there is one.
        notes: remarks, such as which machines are missing.

    Raises:
        ValueError: a value without samples, or one that is no number; no value and no reason for it.
    """

    code: str
    value: float | None
    samples: int
    period: Span
    parts: tuple[Amount, ...] = ()
    why: Text | None = None
    notes: tuple[Text, ...] = ()

    def __post_init__(self) -> None:
        if (self.value is None) == (self.why is None):
            msg = f"{self.code} needs a value, or the reason why there is none"
            raise ValueError(msg)
        if self.value is not None and (self.samples <= 0 or not math.isfinite(self.value)):
            msg = f"{self.code} is {self.value} of {self.samples} samples"
            raise ValueError(msg)

    @property
    def kind(self) -> Kind:
        """Name, formula, unit, and what its samples are."""
        return KINDS[self.code]

    @property
    def name(self) -> Text:
        """What people call it."""
        return self.kind.name

    @property
    def formula(self) -> Text:
        """How it is reckoned."""
        return self.kind.formula

    @property
    def unit(self) -> Text:
        """Unit of the value."""
        return self.kind.unit


def percent(
    code: str,
    part: Amount,
    whole: Amount,
    samples: int,
    period: Span,
    *,
    why: Text | None = None,
    further: tuple[Amount, ...] = (),
    notes: tuple[Text, ...] = (),
) -> Finding:
    """`part / whole x 100`; no value without samples, or of nothing.

    Args:
        code: of the kind.
        part: above the line.
        whole: below it.
        samples: of what it is made.
        period: start and end, ns since 1970 UTC.
        why: what it means that there are no samples; None = none came in the period.
        further: numbers beside the two.
        notes: remarks.
    """
    parts = (part, whole, *further)
    if not samples or not whole.value or part.value is None:
        return Finding(code, None, samples, period, parts, why or NO_SAMPLES, notes)
    return Finding(code, part.value / whole.value * 100, samples, period, parts, None, notes)


def listed(said: Text, names: Sequence[Text]) -> tuple[Text, ...]:
    """A remark that names some machines, the first few where there are many; nothing where there are none."""
    if not names:
        return ()
    more = len(names) - _MOST_NAMES
    rest = Text(f" 외 {more}", f" and {more} more") if more > 0 else Text("", "")
    return (
        Text(
            f"{said.ko}: {', '.join(one.ko for one in names[:_MOST_NAMES])}{rest.ko}",
            f"{said.en}: {', '.join(one.en for one in names[:_MOST_NAMES])}{rest.en}",
        ),
    )
