"""How hours are kept in InfluxDB, and the statements they are made and read with (docs/decisions/0039).

The hours of a database NAME are in NAME_hours, which keeps them for longer than the readings::

    <measurement>,<tags>  <field>.low, .high and .total  floats, on is 1; of each field that is a number, on or off
                          <field>.count                  readings, an integer
                          touch                          of the newest mark when it was made; 0 = there was none
                          at the start of the hour
    hours_state           back_to   hours from here on, ns since 1970 UTC, were made, marked or not; 0 = all of them
                          seen      marks older than this were looked through, ns since 1970 UTC
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pipelines.encode.line import Series, line
from pipelines.sinks.influxql import at, identifier
from pipelines.sinks.touched import HOUR_NS, TOUCH

ENDING: Final = "_hours"
"""What the name of a database gets for that of its hours."""
STATE: Final = "hours_state"
PARTS: Final = ("low", "high", "total", "count")
_OF_POINTS: Final = ("min", "max", "sum", "count")
_OF_HOURS: Final = ("min", "max", "sum", "sum")
_GREATEST: Final = sys.float_info.max
_UNKEPT: Final = "_source_time"
SeriesKey = tuple[str, tuple[tuple[str, str], ...]]
"""Measurement and tags of a series, keys in order."""


def key_of(measurement: str, tags: Mapping[str, str]) -> SeriesKey:
    """A series as it is grouped by all tags: an empty tag is none."""
    return measurement, tuple(sorted((tag, value) for tag, value in tags.items() if value))


def is_kept(field: str) -> bool:
    """Whether hours are kept of a field: times of a source are nothing to have a mean of."""
    return not field.endswith(_UNKEPT)


def numbers(kinds: Mapping[str, Iterable[str]]) -> list[str]:
    """Fields that are, or once were, numbers, of those with these types."""
    return [field for field, some in kinds.items() if {"float", "integer"} & set(some) and is_kept(field)]


def switches(kinds: Mapping[str, Iterable[str]]) -> list[str]:
    """Fields that are, or once were, on or off."""
    return [field for field, some in kinds.items() if "boolean" in some and is_kept(field)]


def of_points(fields: Sequence[str]) -> str:
    """Columns low, high, total and count of each field's readings; as floats, since a sum of integers overflows."""
    return ", ".join(f"{name}({identifier(field)}::float)" for field in fields for name in _OF_POINTS)


def of_hours(fields: Sequence[str]) -> str:
    """The same of kept hours."""
    return ", ".join(
        f"{name}({identifier(f'{field}.{part}')})"
        for field in fields
        for name, part in zip(_OF_HOURS, PARTS, strict=True)
    )


def during(start_ns: int, end_ns: int | None) -> str:
    """The condition for times from `start_ns` to before `end_ns`; None = without an end."""
    return f"time >= {start_ns}" + ("" if end_ns is None else f" AND time < {end_ns}")


def in_buckets(
    columns: str,
    measurement: str,
    tags: Mapping[str, str],
    span: tuple[int, int],
    width_ns: int = HOUR_NS,
    offset_ns: int = 0,
    *,
    apart: bool = True,
) -> str:
    """Columns in buckets, ns; of all series with these tags as one, or apart.

    Args:
        columns: of `of_points` or `of_hours`.
        measurement: of the series.
        tags: that they have; none = every series of the measurement.
        span: start and end, ns since 1970 UTC.
        width_ns: of a bucket.
        offset_ns: start of any bucket, modulo its width.
        apart: each series for itself.
    """
    where = " AND ".join(([at(tags)] if tags else []) + [during(*span)])
    groups = f"time({width_ns}ns, {offset_ns}ns)" + (", *" if apart else "")
    return f"SELECT {columns} FROM {identifier(measurement)} WHERE {where} GROUP BY {groups} fill(none)"  # noqa: S608


def touches(measurements: Iterable[str], start_ns: int, end_ns: int | None, *conditions: str) -> str:
    """What the marks, or the kept hours, of a time say of touches, each series for itself."""
    sources = ", ".join(map(identifier, measurements))
    where = " AND ".join([*conditions, during(start_ns, end_ns)])
    return f"SELECT {TOUCH} FROM {sources} WHERE {where} GROUP BY *"  # noqa: S608


def hour_line(series: SeriesKey, hour: int, touch: int, fields: Mapping[str, Sequence[float]]) -> bytes:
    """The point of one hour of one series, a line with its newline.

    Args:
        series: whose.
        hour: since 1970 UTC.
        touch: of its newest mark before its readings were asked for; 0 = it has none.
        fields: low, high, total and count of each.
    """
    values: dict[str, object] = {TOUCH: touch}
    for field, (low, high, total, count) in fields.items():
        parts = (float(low), float(high), max(-_GREATEST, min(float(total), _GREATEST)), int(count))
        values |= {f"{field}.{part}": value for part, value in zip(PARTS, parts, strict=True)}
    return line(Series(*series), values, hour * HOUR_NS)


def runs(hours: Iterable[int], most: int) -> list[tuple[int, int]]:
    """Hours as stretches of at most `most`: the first of each, and the one after its last."""
    found: list[tuple[int, int]] = []
    for hour in sorted(hours):
        if found and found[-1][1] == hour and hour - found[-1][0] < most:
            found[-1] = (found[-1][0], hour + 1)
        else:
            found.append((hour, hour + 1))
    return found
