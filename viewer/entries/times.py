"""Moments as people write them. Without a zone they are Korean Standard Time."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

from viewer.words import KST

NS: Final = 1_000_000_000
_DAY: Final = re.compile(r"(\d{4})\s*[./년-]\s*(\d{1,2})\s*[./월-]\s*(\d{1,2})\s*[.일]?(.*)", re.DOTALL)
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def moment_ns(text: str) -> int:
    """A moment, ns since 1970 UTC.

    Args:
        text: `2026-11-22 08:30`, `2026.11.22 8:30`, `2026년 11월 22일 8:30:15`, ISO 8601 with or without a zone; a day
            alone is its beginning.

    Raises:
        ValueError: none of these.
    """
    match = _DAY.fullmatch(text.strip())
    if match is None:
        msg = f"not a moment: {text[:40]!r}"
        raise ValueError(msg)
    year, month, day, rest = match.groups()
    clock = rest.strip().removeprefix("T").strip() or "00:00"
    clock = f"0{clock}" if clock[1:2] == ":" else clock
    moment = dt.datetime.fromisoformat(f"{year}-{int(month):02}-{int(day):02}T{clock}")
    since = (moment if moment.tzinfo else moment.replace(tzinfo=KST)) - _EPOCH
    return (since.days * 86_400 + since.seconds) * NS + since.microseconds * 1000


def written(time_ns: int) -> str:
    """A moment as `<input type="datetime-local">` has it, KST, to the second; digits below are cut."""
    moment = dt.datetime.fromtimestamp(time_ns // NS, KST)
    return f"{moment:%Y-%m-%dT%H:%M}" if moment.second == 0 else f"{moment:%Y-%m-%dT%H:%M:%S}"
