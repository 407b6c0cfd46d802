"""Lengths of time in words, short enough for a table."""

from __future__ import annotations

from typing import Final

from viewer.words import Words

_NS: Final = 10**9
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_DAY_S: Final = 86_400


def length(words: Words, length_ns: int) -> str:
    """Two units at most: 45초, 3분 20초, 2시간 5분, 1일 3시간."""
    whole_s = max(0, length_ns) // _NS
    if 0 < length_ns < _NS:
        return words("length_below_second")
    days, hours = whole_s // _DAY_S, whole_s % _DAY_S // _HOUR_S
    minutes, seconds = whole_s % _HOUR_S // _MINUTE_S, whole_s % _MINUTE_S
    if days:
        found = (("length_days", days), ("length_hours", hours))
    elif hours:
        found = (("length_hours", hours), ("length_minutes", minutes))
    elif minutes:
        found = (("length_minutes", minutes), ("length_seconds", seconds))
    else:
        found = (("length_seconds", seconds), ("", 0))
    first, *rest = found
    return " ".join([words(first[0], n=first[1]), *(words(key, n=n) for key, n in rest if n)])
