"""Low, high, total and count of hours, asked of the points of an InfluxDB."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pipelines.errors import DependencyError
from pipelines.sinks.influx_hours import SeriesKey, during, in_buckets, key_of, numbers, of_points, switches
from pipelines.sinks.influxql import InfluxQl, at, identifier
from pipelines.sinks.touched import HOUR_NS

_FIELDS: Final = 50
"""Fields that are asked for at once."""
_PARTS: Final = 4
Hours = dict[int, dict[str, list[float]]]
"""By hour since 1970 UTC and field: low, high, total, count."""


def kinds_of(server: InfluxQl, database: str, measurement: str | None = None) -> dict[str, dict[str, list[str]]]:
    """Types of each field by measurement: more than one where it changed over the years.

    Raises:
        DependencyError: it cannot be asked.
    """
    source = "" if measurement is None else f" FROM {identifier(measurement)}"
    found: dict[str, dict[str, list[str]]] = {}
    for table in server.ask(database, f"SHOW FIELD KEYS{source}"):
        fields = found.setdefault(table.measurement, {})
        for field, kind in table.rows:
            fields.setdefault(str(field), []).append(str(kind))
    return found


def values_of(
    server: InfluxQl,
    database: str,
    measurement: str,
    kinds: Mapping[str, Iterable[str]],
    span: tuple[int, int],
    tags: Mapping[str, str],
) -> dict[SeriesKey, Hours]:
    """Hours of every series of a measurement that has some tags, of what its points say now.

    Args:
        server: to ask.
        database: of the points.
        measurement: of the series.
        kinds: types of its fields.
        span: first hour, and the one after the last, since 1970 UTC.
        tags: that the series have; a series may have more.

    Raises:
        DependencyError: it cannot be asked.
    """
    found: dict[SeriesKey, Hours] = {}
    fields = numbers(kinds)
    for first in range(0, len(fields), _FIELDS):
        some = fields[first : first + _FIELDS]
        try:
            _add_hours(server, database, measurement, some, span, tags, found)
        except DependencyError:
            # A sum above the greatest float is no JSON. Where nothing answers, the points are not told either.
            for field in some:
                _add_points(server, database, measurement, f"{identifier(field)}::float", field, span, tags, found)
    for field in switches(kinds):
        _add_points(server, database, measurement, f"{identifier(field)}::boolean", field, span, tags, found)
    return found


def _add_hours(
    server: InfluxQl,
    database: str,
    measurement: str,
    fields: Sequence[str],
    span: tuple[int, int],
    tags: Mapping[str, str],
    found: dict[SeriesKey, Hours],
) -> None:
    """Numbers, reckoned by the server."""
    span_ns = (span[0] * HOUR_NS, span[1] * HOUR_NS)
    for table in list(server.ask(database, in_buckets(of_points(fields), measurement, tags, span_ns))):
        hours = found.setdefault(key_of(measurement, table.tags), {})
        for time_ns, *cells in table.rows:
            of = hours.setdefault(time_ns // HOUR_NS, {})
            for number, field in enumerate(fields):
                parts = cells[_PARTS * number : _PARTS * (number + 1)]
                if parts[-1]:
                    of[field] = parts


def _add_points(
    server: InfluxQl,
    database: str,
    measurement: str,
    column: str,
    field: str,
    span: tuple[int, int],
    tags: Mapping[str, str],
    found: dict[SeriesKey, Hours],
) -> None:
    """Of every point: on is 1 and off is 0; where a field was a number before, its hour goes on."""
    where = " AND ".join(([at(tags)] if tags else []) + [during(span[0] * HOUR_NS, span[1] * HOUR_NS)])
    query = f"SELECT {column} FROM {identifier(measurement)} WHERE {where} GROUP BY *"  # noqa: S608
    for table in server.ask(database, query):
        hours = found.setdefault(key_of(measurement, table.tags), {})
        of_hour: dict[int, list[float]] = {}
        for time_ns, value in table.rows:
            of_hour.setdefault(time_ns // HOUR_NS, []).append(float(value))
        for hour, values in of_hour.items():
            parts = hours.setdefault(hour, {}).setdefault(field, [math.inf, -math.inf, 0.0, 0])
            parts[:] = min(parts[0], *values), max(parts[1], *values), parts[2] + sum(values), parts[3] + len(values)
