"""Buckets of the embedded store's points: of the points themselves, or where they are of whole hours, of kept hours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from pipelines.sinks.hours import COLUMNS
from pipelines.sinks.touched import HOUR_NS

Query = Callable[[str, dict[str, Any]], dict[str, Any]]
"""A statement and its parameters to columns."""
_IDS: Final = "(SELECT unnest($numbers) AS id, unnest($positions) AS position)"


def of_points(
    query: Query, kind: str, numbers: Sequence[int], positions: Sequence[int], span: tuple[int, int], width_ns: int
) -> dict[str, Any]:
    """Columns `position`, `bucket`, `low`, `mean`, `high` and `count`, in this order.

    Args:
        query: asks the store.
        kind: of the table.
        numbers: of the series.
        positions: what each of them is called in the answer; those of one position are one.
        span: start and end, ns since 1970 UTC.
        width_ns: of a bucket; the first begins at the start.
    """
    return query(
        "SELECT position, (time_ns - $start) // $width AS bucket, min(value)::DOUBLE AS low,"  # noqa: S608 - one of four tables
        " avg(value::DOUBLE) AS mean, max(value)::DOUBLE AS high, count(*) AS count"
        f" FROM points_{kind} JOIN {_IDS} ON series = id"
        " WHERE time_ns >= $start AND time_ns < $end GROUP BY position, bucket ORDER BY position, bucket",
        {"start": span[0], "end": span[1], "width": width_ns, "numbers": numbers, "positions": positions},
    )


def of_hours(
    query: Query, kind: str, numbers: Sequence[int], positions: Sequence[int], span: tuple[int, int], width_ns: int
) -> dict[str, Any]:
    """The same of kept hours, and of the points in hours that were touched since; span and width are whole hours.

    What is kept is asked for first: hours that are made meanwhile are among the touched ones.
    """
    rolled = query("SELECT coalesce(max(batch), 0) AS batch FROM rolled", {})["batch"][0]
    if not rolled:
        return of_points(query, kind, numbers, positions, span, width_ns)
    touched = query(
        f"SELECT DISTINCT series, time_ns // $hour AS hour FROM points_{kind}"  # noqa: S608
        " WHERE batch > $rolled AND series IN (SELECT unnest($numbers)) AND time_ns >= $start AND time_ns < $end",
        {"hour": HOUR_NS, "rolled": int(rolled), "numbers": numbers, "start": span[0], "end": span[1]},
    )
    series, hour = (np.asarray(touched[name], np.int64) for name in ("series", "hour"))
    first, last = (int(hour.min()), int(hour.max()) + 1) if len(hour) else (0, 0)
    return query(
        "WITH touched AS (SELECT unnest($series) AS series, unnest($hours) AS hour), parts AS ("  # noqa: S608
        f" SELECT position, hour, low, high, total, count FROM (hours JOIN {_IDS} ON series = id)"
        " ANTI JOIN touched USING (series, hour) WHERE hour >= $first AND hour < $end"
        f" UNION ALL SELECT position, time_ns // $ns AS of, {COLUMNS}"
        f" FROM (points_{kind} JOIN {_IDS} ON series = id) AS points"
        " SEMI JOIN touched ON touched.series = points.series AND touched.hour = points.time_ns // $ns"
        " WHERE time_ns >= $low AND time_ns < $high GROUP BY position, points.series, of)"
        " SELECT position, (hour - $first) // $per AS bucket, min(low) AS low, sum(total) / sum(count) AS mean,"
        " max(high) AS high, sum(count)::BIGINT AS count FROM parts"
        " GROUP BY position, bucket ORDER BY position, bucket",
        {
            "series": series.tolist(),
            "hours": hour.tolist(),
            "numbers": numbers,
            "positions": positions,
            "ns": HOUR_NS,
            "first": span[0] // HOUR_NS,
            "end": span[1] // HOUR_NS,
            "per": width_ns // HOUR_NS,
            "low": first * HOUR_NS,
            "high": last * HOUR_NS,
        },
    )
