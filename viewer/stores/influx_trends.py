"""Trends of InfluxDB: buckets of the points, or where they are of whole hours and these are kept, of hours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np

from pipelines.sinks.hour_values import kinds_of
from pipelines.sinks.influx_hours import (
    ENDING,
    SeriesKey,
    during,
    in_buckets,
    is_kept,
    key_of,
    of_hours,
    of_points,
    runs,
    touches,
)
from pipelines.sinks.influxql import STATEMENTS_PER_REQUEST, InfluxQl, at, identifier
from pipelines.sinks.touched import HOUR_NS, OF, TOUCHED
from viewer.stores.base import PLACE_TAGS, Place, Trend, empty_trend

_MOST_RUNS: Final = 24
"""Stretches of points within kept hours; more of them are asked for together with the hours between."""
_NUMBERS: Final = {"float", "integer"}
Touches = Mapping[SeriesKey, Mapping[int, int]]
Span = tuple[int, int]


def tags_of(place: Place) -> dict[str, str]:
    """A place as tags; a level that is missing is empty."""
    return dict(zip(PLACE_TAGS, (place.company, place.site, place.line, place.machine), strict=True))


def place_trends(
    server: InfluxQl, database: str, place: Place, fields: Sequence[str], span_ns: Span, width_ns: int, *, kept: bool
) -> dict[str, Trend]:
    """Every field in buckets; a text has none.

    Args:
        server: to ask.
        database: of the points.
        place: of the series, which are one.
        fields: names.
        span_ns: start and end, ns since 1970 UTC.
        width_ns: of a bucket; the first begins at the start.
        kept: hours are kept, and span and width are whole hours.
    """
    kinds = kinds_of(server, database, place.measurement).get(place.measurement, {})
    found: dict[str, list[Any]] = {field: [] for field in fields}
    hourly = [field for field in found if kept and is_kept(field)]
    for start_ns, end_ns, of_point in _sources(server, database, place, span_ns) if hourly else []:
        ask = _Asked(server, database, place, kinds, (start_ns, end_ns), (span_ns[0], width_ns))
        (ask.points if of_point else ask.hours)(hourly, found)
    _Asked(server, database, place, kinds, span_ns, (span_ns[0], width_ns)).points(
        [field for field in found if field not in hourly], found
    )
    return {field: _trend(rows, kinds.get(field, []), span_ns[0], width_ns) for field, rows in found.items()}


class _Asked:
    """Rows of time, low, high, total and count in parts of buckets, from one stretch of time."""

    def __init__(
        self,
        server: InfluxQl,
        database: str,
        place: Place,
        kinds: Mapping[str, Iterable[str]],
        span_ns: Span,
        buckets: tuple[int, int],
    ) -> None:
        self._server, self._database, self._place, self._kinds = server, database, place, kinds
        self._span_ns = span_ns
        self._start_ns, self._width_ns = buckets

    def points(self, fields: Sequence[str], found: dict[str, list[Any]]) -> None:
        """Of the points."""
        numbers = [field for field in fields if _NUMBERS & set(self._kinds.get(field, ()))]
        self._rows(self._database, numbers, [of_points([field]) for field in numbers], found)
        switches = [field for field in fields if "boolean" in self._kinds.get(field, ())]
        where = f"{at(tags_of(self._place))} AND {during(*self._span_ns)}"
        for field in switches:
            query = f"SELECT {identifier(field)}::boolean FROM {identifier(self._place.measurement)} WHERE {where}"  # noqa: S608
            for table in self._server.ask(self._database, query):
                found[field] += [(time_ns, float(on), float(on), float(on), 1) for time_ns, on in table.rows]

    def hours(self, fields: Sequence[str], found: dict[str, list[Any]]) -> None:
        """Of kept hours."""
        numbers = [field for field in fields if (_NUMBERS | {"boolean"}) & set(self._kinds.get(field, ()))]
        self._rows(self._database + ENDING, numbers, [of_hours([field]) for field in numbers], found)

    def _rows(self, database: str, fields: Sequence[str], columns: Sequence[str], found: dict[str, list[Any]]) -> None:
        tags, offset_ns = tags_of(self._place), self._start_ns % self._width_ns
        queries = [
            in_buckets(one, self._place.measurement, tags, self._span_ns, self._width_ns, offset_ns, apart=False)
            for one in columns
        ]
        for first in range(0, len(queries), STATEMENTS_PER_REQUEST):
            part = queries[first : first + STATEMENTS_PER_REQUEST]
            for table in self._server.ask(database, ";".join(part)):
                found[fields[first + table.statement]] += [row for row in table.rows if row[-1]]


def _trend(rows: Sequence[Sequence[Any]], kinds: Iterable[str], start_ns: int, width_ns: int) -> Trend:
    """Parts of buckets, put together."""
    if not rows:
        return empty_trend(width_ns)
    time_ns, low, high, total, count = zip(*rows, strict=True)
    which = (np.array(time_ns, np.int64) - start_ns) // width_ns
    # A stretch that begins within a bucket is told at that bucket's start, which may lie before the first one's.
    order = np.argsort(which, kind="stable")
    bucket, first = np.unique(which[order], return_index=True)
    counts = np.add.reduceat(np.array(count, np.int64)[order], first)
    return Trend(
        start_ns + bucket * width_ns,
        np.minimum.reduceat(np.array(low, np.float64)[order], first),
        np.add.reduceat(np.array(total, np.float64)[order], first) / counts,
        np.maximum.reduceat(np.array(high, np.float64)[order], first),
        counts,
        width_ns,
        set(kinds) == {"boolean"},
        set(kinds) == {"integer"},
    )


def _sources(server: InfluxQl, database: str, place: Place, span_ns: Span) -> list[tuple[int, int, bool]]:
    """Stretches of a span, ns, and whether each is to be taken from the points.

    What is kept is asked for first: hours that are made meanwhile, or touched, are taken from the points.
    """
    tags = tags_of(place)
    kept = _touches(server, database + ENDING, touches([place.measurement], *span_ns, at(tags)))
    marked = _touches(server, database, touches([TOUCHED], *span_ns, at({OF: place.measurement, **tags})))
    first, end = span_ns[0] // HOUR_NS, span_ns[1] // HOUR_NS
    found: list[tuple[int, int, bool]] = []
    done = first
    for start, stop in stale(first, end, marked, kept):
        found += [(done, start, False), (start, stop, True)]
        done = stop
    found.append((done, end, False))
    return [(start * HOUR_NS, stop * HOUR_NS, points) for start, stop, points in found if start < stop]


def stale(first: int, end: int, marked: Touches, kept: Touches) -> list[tuple[int, int]]:
    """Stretches of hours, first and the one after the last, that kept hours say nothing or not the newest of.

    Args:
        first: hour since 1970 UTC.
        end: the one after the last.
        marked: newest touch by series and hour.
        kept: touch that the kept hour was made after; 0 = it had no mark.
    """
    hours = {
        hour
        for series, touched in marked.items()
        for hour, touch in touched.items()
        if kept.get(series, {}).get(hour) != touch
    }
    if not marked and not any(touch for series in kept.values() for touch in series.values()):
        # Nobody marks this series: it came from elsewhere, and hours were made of what was there before the bridge.
        known = max((hour for series in kept.values() for hour in series), default=first - 1)
        hours |= set(range(known + 1, end))
    found = runs(hours, end)
    widest = sorted(range(1, len(found)), key=lambda at: found[at - 1][1] - found[at][0])[: _MOST_RUNS - 1]
    cuts = [0, *sorted(widest), len(found)]
    return [(found[start][0], found[stop - 1][1]) for start, stop in pairwise(cuts)] if found else []


def _touches(server: InfluxQl, database: str, query: str) -> dict[SeriesKey, dict[int, int]]:
    found: dict[SeriesKey, dict[int, int]] = {}
    for table in server.ask(database, query):
        tags = {tag: value for tag, value in table.tags.items() if tag != OF}
        hours = found.setdefault(key_of("", tags), {})
        hours.update({time_ns // HOUR_NS: touch for time_ns, touch in table.rows})
    return found
