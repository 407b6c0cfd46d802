"""Least, greatest, sum and count of each hour of each series, kept by the embedded store beside its points.

Tables::

    hours   series, hour (since 1970 UTC), low, high, total, count     numbers as doubles, on is 1
    rolled  batch                                                      hours are those of the points up to this batch

They are made of the points, an hour as a whole, and can be made anew at any time. What was written behind `rolled`
touches hours that a reader takes from the points themselves, so that no answer is ever older than the points.
"""

from __future__ import annotations

from typing import Final

import duckdb

from pipelines.sinks.touched import HOUR_NS

MOST_BATCHES: Final = 20_000
"""Bodies whose hours are made at once: a store that was written without hours catches up piece by piece."""
KINDS: Final = ("float", "int", "bool")
SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS hours"
    " (series INTEGER, hour BIGINT, low DOUBLE, high DOUBLE, total DOUBLE, count BIGINT);"
    "CREATE TABLE IF NOT EXISTS rolled (batch BIGINT);"
)
COLUMNS: Final = "min(value)::DOUBLE, max(value)::DOUBLE, sum(value::DOUBLE), count(*)"
"""Least, greatest, sum and count of some points."""


def rolled_until(connection: duckdb.DuckDBPyConnection) -> int:
    """The newest body whose points are in the hours; 0 = none."""
    row = connection.execute("SELECT max(batch) FROM rolled").fetchone()
    return int(row[0]) if row and row[0] is not None else 0


def roll(connection: duckdb.DuckDBPyConnection, newest: int) -> bool:
    """Make the hours that were touched since, as one transaction.

    Args:
        connection: of the store's writer; in no transaction.
        newest: number of the newest body.

    Returns:
        Whether there is more to do.

    Raises:
        duckdb.Error: nothing was changed.
    """
    since = rolled_until(connection)
    until = min(newest, since + MOST_BATCHES)
    connection.execute("BEGIN")
    try:
        for kind in KINDS:
            _roll(connection, kind, since, until)
        connection.execute("DELETE FROM rolled")
        connection.execute("INSERT INTO rolled VALUES (?)", (until,))
        connection.execute("COMMIT")
    except duckdb.Error:
        connection.execute("ROLLBACK")
        raise
    return until < newest


def _roll(connection: duckdb.DuckDBPyConnection, kind: str, since: int, until: int) -> None:
    table = f"points_{kind}"
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE touched AS SELECT DISTINCT series, time_ns // ? AS hour"  # noqa: S608 - one of three tables
        f" FROM {table} WHERE batch > ? AND batch <= ? AND time_ns >= 0",
        (HOUR_NS, since, until),
    )
    first, last = connection.execute("SELECT min(hour), max(hour) FROM touched").fetchone() or (None, None)
    if first is None:
        return
    connection.execute(
        "DELETE FROM hours USING touched WHERE hours.series = touched.series AND hours.hour = touched.hour"
    )
    connection.execute(
        f"INSERT INTO hours SELECT series, time_ns // $hour AS of, {COLUMNS} FROM {table}"  # noqa: S608
        f" SEMI JOIN touched ON touched.series = {table}.series AND touched.hour = {table}.time_ns // $hour"
        " WHERE time_ns >= $first AND time_ns < $last GROUP BY series, of",
        {"hour": HOUR_NS, "first": first * HOUR_NS, "last": (last + 1) * HOUR_NS},
    )
