"""How figures are written, the same on pages and in reports: digits by their unit, periods, what there is not."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from pipelines.calendar import Span
from viewer.kpi.goal import is_met
from viewer.kpi.result import Result
from viewer.kpi.words import MISSING, Amount, Text
from viewer.words import Words, local, number_text

_DIGITS: Final = {
    "%": 2,
    "ppm": 0,
    "EA": 0,
    "EA/h": 1,
    "건": 0,
    "명": 0,
    "원": 0,
    "대": 0,
    "개": 0,
    "일": 0,
    "min": 1,
    "h": 2,
    "s": 2,
    "kW": 1,
    "MH": 1,
}
"""Digits behind the point by the Korean unit; of another unit four significant ones are shown."""
_COUNTED: Final = {"EA", "건", "명", "대", "개", "일"}
"""Of things that are counted no part is left away: a target of 6.3 cases is not one of 6."""
_SIGNIFICANT: Final = 4
_OF_ZERO: Final = 2
_MINUTE_NS: Final = 60 * 10**9


def value(words: Words, result: Result) -> str:
    """A figure without its unit, or 미수집."""
    return words.text(MISSING) if result.value is None else number(result.value, result.unit)


def unit(words: Words, result: Result) -> str:
    """The unit of a figure; empty where it has none."""
    said = words.text(result.unit).partition(" (")[0]
    return "" if said == "–" else said


def number(found: float, of: Text) -> str:
    """A number of a unit, the way it is shown everywhere."""
    digits = decimals(found, of)
    return number_text(rounded(found, digits), digits)


def decimals(found: float, of: Text) -> int:
    """Digits behind the point with which a number of a unit is shown."""
    name = of.ko.partition(" (")[0]
    known = _DIGITS.get(name)
    if name in _COUNTED and not float(found).is_integer():
        return 1
    if known is not None:
        return known
    return max(0, _SIGNIFICANT - 1 - math.floor(math.log10(abs(found)))) if found else _OF_ZERO


def rounded(found: float, digits: int) -> float:
    """To so many digits behind the point, halves away from zero as spreadsheets do; never a negative zero."""
    return float(Decimal(repr(float(found))).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)) + 0.0


def reached(percent: float, digits: int) -> float:
    """달성률, 종합달성도 or 목표대비 to so many digits behind the point; what is not met is never rounded up to 100."""
    found = rounded(percent, digits)
    return rounded(100 - 10**-digits, digits) if found >= 100 and not is_met(percent) else found  # noqa: PLR2004 - percent


def achieved(percent: float) -> str:
    """The same in words, one digit behind the point, where there is little room."""
    return f"{reached(percent, 1):.1f} %"


def counted(found: float) -> str:
    """A number of things: whole where it is."""
    return number_text(rounded(found, 0 if float(found).is_integer() else 1), 0 if float(found).is_integer() else 1)


def amount(words: Words, one: Amount) -> str:
    """A part of a figure: its name, number and unit."""
    text = words.text(MISSING) if one.value is None else number(one.value, one.unit)
    said = words.text(one.unit)
    return f"{words.text(one.what)} {text}" + ("" if said == "–" or one.value is None else f" {said}")


def cover(words: Words, result: Result) -> str:
    """Collection rate, percent."""
    rate = result.evidence.cover
    return words("figure_unknown") if rate is None else f"{rate:.1f} %"


def period(span: Span) -> str:
    """From when to when, Korean Standard Time."""
    start, end = local(span[0]), local(span[1])
    last = f"{end:%H:%M}" if start.date() == end.date() else f"{end:%Y-%m-%d %H:%M}"
    return f"{start:%Y-%m-%d %H:%M} – {last} KST"


def moment(time_ns: int) -> str:
    """A moment, Korean Standard Time."""
    return f"{local(time_ns):%Y-%m-%d %H:%M} KST"


def minutes(length_ns: int) -> str:
    """A length of time in minutes."""
    return number_text(length_ns / _MINUTE_NS, 1)
