"""What stands in one place of a report. A number is rounded once, here, so that every drawing shows the same digits."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final, Literal

from viewer.figure_text import decimals as digits_of
from viewer.figure_text import reached, rounded
from viewer.kpi import words
from viewer.kpi.result import Result
from viewer.kpi.words import Text
from viewer.words import local

Language = Literal["ko", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("ko", "en")
_NO_UNIT: Final = Text("", "")


@dataclass(frozen=True, slots=True)
class Number:
    """A number.

    Attributes:
        value: rounded to `decimals`; of the unit %, percent and not a part of one.
        decimals: digits behind the point.
        unit: written behind it; empty where the table says it elsewhere.
        badges: 참고치, 일부 제외, 수기.

    Raises:
        ValueError: it has more digits than `decimals`.
    """

    value: float
    decimals: int = 0
    unit: Text = _NO_UNIT
    badges: tuple[Text, ...] = ()

    def __post_init__(self) -> None:
        if self.value != rounded(self.value, self.decimals):
            msg = f"{self.value} has more than {self.decimals} digits behind the point"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Words:
    """Text; `note` is the footnote of the table that says more, counted from 1."""

    text: Text
    badges: tuple[Text, ...] = ()
    note: int | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment, ns since 1970 UTC; written in KST to the second."""

    time_ns: int


@dataclass(frozen=True, slots=True)
class Day:
    """A production day."""

    day: dt.date


@dataclass(frozen=True, slots=True)
class Missing:
    """미수집: nothing was collected, and why that is so; None = the table says it elsewhere."""

    why: Text | None = None


@dataclass(frozen=True, slots=True)
class Absent:
    """Nothing belongs here."""


@dataclass(frozen=True, slots=True)
class Blank:
    """Room for a pen."""


NOTHING: Final = Absent()
TO_WRITE: Final = Blank()
Cell = Number | Words | Moment | Day | Missing | Absent | Blank


def tell(text: Text, language: Language) -> str:
    """A text in one language."""
    return text.en if language == "en" else text.ko


def said(text: str | Text, *badges: Text) -> Words:
    """A text; one that is the same in both languages may be plain."""
    return Words(text if isinstance(text, Text) else Text(text, text), badges)


def number(
    value: float | None,
    unit: str | Text = "",
    decimals: int | None = None,
    badges: tuple[Text, ...] = (),
    why: Text | None = None,
) -> Number | Missing:
    """A number as it is shown, or 미수집 where there is none.

    Args:
        value: in the unit; None = not collected.
        unit: written behind it.
        decimals: digits behind the point; None = those of the unit.
        badges: 참고치, 일부 제외, 수기.
        why: why there is none; None = the table says it elsewhere.
    """
    if value is None:
        return Missing(why)
    of = unit if isinstance(unit, Text) else Text(unit, unit)
    digits = decimals if decimals is not None else 0 if isinstance(value, int) else digits_of(value, of)
    return Number(rounded(value, digits), digits, of, badges)


def achieved_cell(percent: float | None, decimals: int = 2, why: Text | None = None) -> Cell:
    """달성률, 종합달성도 or 목표대비: 100 is said of what is met alone.

    Args:
        percent: None = there is none.
        decimals: digits behind the point.
        why: why there is none.
    """
    return number(None if percent is None else reached(percent, decimals), "%", decimals, why=why)


def figure_cell(result: Result, *, unit: bool = True) -> Cell:
    """A figure; without its unit where the table has a column for that, % always with it."""
    of = result.unit
    if result.value is None:
        return Missing(result.why or words.NO_SAMPLES)
    behind = of if of == words.PERCENT or (unit and of != words.NO_UNIT) else ""
    return number(result.value, behind, digits_of(result.value, of), result.badges)


def in_unit(value: float | None, of: Text) -> Cell:
    """A baseline, a target or the like of a figure, written like it in a table with a column for units."""
    if value is None:
        return NOTHING
    return number(value, of if of == words.PERCENT else "", digits_of(value, of))


def shown(cell: Cell, language: Language = "ko") -> str:
    """What a reader sees, without badges."""
    match cell:
        case Number(value, decimals, unit):
            behind = tell(unit, language)
            gap = "" if behind in {"", "%"} else " "
            return f"{value:,.{decimals}f}{gap}{behind}"
        case Words(text):
            return tell(text, language)
        case Moment(time_ns):
            return f"{local(time_ns):%Y-%m-%d %H:%M:%S}"
        case Day(day):
            return day.isoformat()
        case Missing():
            return tell(words.MISSING, language)
        case Absent() | Blank():
            return "—" if cell == NOTHING else ""
