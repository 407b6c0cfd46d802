"""Reads the embedded store (tables: pipelines/sinks/duckdb.py)."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import duckdb
import numpy as np

from pipelines.errors import DependencyError, SinkError
from pipelines.sinks.duckdb import SQL_TYPES, connect
from pipelines.sinks.lineprotocol import Kind
from pipelines.sinks.newest import newest_of
from pipelines.sinks.touched import HOUR_NS
from viewer.stores.base import (
    GAP,
    Latest,
    Place,
    Points,
    Record,
    SeriesInfo,
    StoredGap,
    Tagged,
    Trend,
    Value,
    buckets_of,
    empty_trend,
    further,
    gap_of,
    no_points,
    pair_with_quality,
    place_of,
    series_of,
)
from viewer.stores.buckets import of_hours, of_points

Connection = duckdb.DuckDBPyConnection
_DTYPES: Final[dict[Kind, Any]] = {"float": np.float64, "int": np.int64, "bool": np.bool_, "string": object}
_BACK_NS: Final = (HOUR_NS, 24 * HOUR_NS)
"""A last value is looked for in the last hour, then in the last day, then as far back as it may be."""
_AT_ONCE: Final = 2
"""Questions that are answered at once: they share one memory, and of twenty half were refused for want of it."""
_T = TypeVar("_T")
_ALWAYS: Final = (-(2**63), 2**63 - 1)


@dataclass(frozen=True, slots=True)
class _Series:
    place: Place
    tags: dict[str, str]
    field: str
    kind: Kind


class DuckDbStore:
    """An embedded store to read from.

    Args:
        source: the file (read-only, its writer must have ended), a connection, or what gives a connection of its own
            for each query, such as `DuckDbSink.cursor`.
        max_memory_bytes: DuckDB's cache and work space when a file is opened here.

    Raises:
        DependencyError: another process holds the file, or it is no store.
    """

    keeps_hours = True

    def __init__(
        self,
        source: Path | str | Connection | Callable[[], Connection],
        max_memory_bytes: int = 256_000_000,
    ) -> None:
        self._opened: Connection | None = None
        self._name = "embedded store"
        if isinstance(source, (str, Path)):
            self._name = str(source)
            if not Path(source).is_file():
                raise DependencyError(self._name, "no such store; name the one that `agent serve` wrote, with --store")
            self._opened = connect(Path(source), read_only=True, max_memory_bytes=max_memory_bytes, threads=1)
            self._cursor = self._opened.cursor
        elif isinstance(source, Connection):
            self._cursor = source.cursor
        else:
            self._cursor = source
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(_AT_ONCE)
        self._series: list[_Series] = []
        self._numbers: dict[tuple[Place, str], list[int]] = {}
        self._of_place: dict[Place, list[int]] = {}
        self._of_measurement: dict[str, list[int]] = {}
        self._newest: dict[Place, dict[tuple[Place, str], tuple[int, Value]]] = {}
        self._latest: dict[Place, list[Latest]] = {}
        self._infos: dict[Place, SeriesInfo] = {}
        self._batch = 0
        self._hours = False

    def close(self) -> None:
        """Close the file when it was opened here."""
        if self._opened is not None:
            self._opened.close()

    def series(self) -> list[SeriesInfo]:
        """Machines and their tags, gaps left out."""
        with self._lock:
            self._catch_up()
            return list(self._infos.values())

    def latest(self, place: Place | None = None, company: str | None = None) -> list[Latest]:
        """The newest of every tag; only what was written since the last call is read, and only that is made anew."""
        with self._lock:
            self._catch_up()
            if place is not None:
                return list(self._latest.get(place, ()))
            wanted = (own for at, own in self._latest.items() if company in {None, at.company})
            return [one for own in wanted for one in own]

    def trend(self, place: Place, field: str, start_ns: int, end_ns: int, buckets: int) -> Trend:
        """One tag in buckets, made in the store; text tags give an empty trend."""
        return self.trends(place, [field], start_ns, end_ns, buckets)[field]

    def trends(self, place: Place, fields: Sequence[str], start_ns: int, end_ns: int, buckets: int) -> dict[str, Trend]:
        """Every field in buckets, with one query for each type."""
        names = list(dict.fromkeys(fields))
        found = self.trends_of([(place, field) for field in names], start_ns, end_ns, buckets)
        return dict(zip(names, found, strict=True))

    def trends_of(self, wanted: Sequence[tuple[Place, str]], start_ns: int, end_ns: int, buckets: int) -> list[Trend]:
        """Several fields of several places in buckets, with one query for each type."""
        start_ns, end_ns, width = buckets_of(start_ns, end_ns, buckets)
        found = [empty_trend(width) for _ in wanted]
        for kind, pairs in self._by_kind(wanted).items():
            if kind == "string":
                continue
            numbers, positions = [number for number, _ in pairs], [position for _, position in pairs]
            ask = of_hours if width % HOUR_NS == 0 and self._keeps_hours() else of_points
            rows = ask(self._query, kind, numbers, positions, (start_ns, end_ns), width)
            position, bucket, count = (np.asarray(rows[name], np.int64) for name in ("position", "bucket", "count"))
            low, mean, high = (np.asarray(rows[name], np.float64) for name in ("low", "mean", "high"))
            for which in np.unique(position).tolist():
                at = slice(*np.searchsorted(position, (which, which + 1)).tolist())
                found[which] = Trend(
                    start_ns + bucket[at] * width,
                    low[at],
                    mean[at],
                    high[at],
                    count[at],
                    width,
                    kind == "bool",
                    kind == "int",
                )
        return self._of(wanted, found)

    def points(self, place: Place, field: str, start_ns: int | None = None, end_ns: int | None = None) -> Points:
        """Every value of one field, exactly as written."""
        kind, numbers = self._find(place, field)
        if kind is None:
            return no_points()
        rows = self._query(
            f"SELECT time_ns, value FROM points_{kind} WHERE series IN (SELECT unnest($numbers))"  # noqa: S608
            " AND time_ns >= $start AND time_ns < $end ORDER BY time_ns",
            {
                "numbers": numbers,
                "start": _ALWAYS[0] if start_ns is None else start_ns,
                "end": _ALWAYS[1] if end_ns is None else end_ns,
            },
        )
        return Points(np.asarray(rows["time_ns"], dtype=np.int64), np.asarray(rows["value"], dtype=_DTYPES[kind]))

    def readings(self, wanted: Sequence[tuple[Place, str]], start_ns: int, end_ns: int) -> list[Points]:
        """Every value of several fields, with one query for each type."""
        found = [no_points() for _ in wanted]
        for kind, some in self._by_kind(wanted).items():
            rows = self._query(
                f"SELECT position, time_ns, value FROM points_{kind}"  # noqa: S608 - one of four tables
                " JOIN (SELECT unnest($numbers) id, unnest($positions) AS position) ON series = id"
                " WHERE time_ns >= $start AND time_ns < $end ORDER BY position, time_ns",
                {
                    "numbers": [number for number, _ in some],
                    "positions": [which for _, which in some],
                    "start": start_ns,
                    "end": end_ns,
                },
            )
            position = np.asarray(rows["position"], dtype=np.int64)
            time_ns = np.asarray(rows["time_ns"], dtype=np.int64)
            value = np.asarray(rows["value"], dtype=_DTYPES[kind])
            starts = [0, *(np.flatnonzero(np.diff(position)) + 1).tolist()] if len(position) else []
            for start, end in zip(starts, [*starts[1:], len(position)], strict=False):
                found[position[start]] = Points(time_ns[start:end], value[start:end])
        return self._of(wanted, found)

    def before(self, place: Place, field: str, time_ns: int, since_ns: int) -> Points:
        """The last value of a field before a time, as of `Store.before`."""
        kind, numbers = self._find(place, field)
        if kind is None:
            return no_points()
        for back_ns in (*_BACK_NS, time_ns - since_ns):
            rows = self._query(
                f"SELECT time_ns, value FROM points_{kind} WHERE series IN (SELECT unnest($numbers))"  # noqa: S608
                " AND time_ns >= $start AND time_ns < $end ORDER BY time_ns DESC LIMIT 1",
                {"numbers": numbers, "start": max(since_ns, time_ns - back_ns), "end": time_ns},
            )
            if len(rows["time_ns"]):
                break
        return Points(np.asarray(rows["time_ns"], dtype=np.int64), np.asarray(rows["value"], dtype=_DTYPES[kind]))

    def tagged(self, place: Place, fields: Sequence[str], start_ns: int, end_ns: int) -> list[Tagged]:
        """Every series of a place by its tags, with one query for each type."""
        return self.tagged_of([place], fields, start_ns, end_ns)[0]

    def tagged_of(
        self, places: Sequence[Place], fields: Sequence[str], start_ns: int, end_ns: int
    ) -> list[list[Tagged]]:
        """Every series of several places by their tags, with one query for each type."""
        with self._lock:
            self._learn_series(self._cursor_or_error())
            own_numbers = ((n, self._series[n]) for place in set(places) for n in self._of_place.get(place, ()))
            known = [(n, one) for n, one in own_numbers if one.field in fields]
        found: dict[Place, dict[tuple[tuple[str, str], ...], dict[str, Points]]] = {place: {} for place in places}
        for kind in {one.kind for _, one in known}:
            own = {number: one for number, one in known if one.kind == kind}
            rows = self._query(
                f"SELECT series, time_ns, value FROM points_{kind} WHERE series IN (SELECT unnest($numbers))"  # noqa: S608
                " AND time_ns >= $start AND time_ns < $end ORDER BY series, time_ns",
                {"numbers": list(own), "start": start_ns, "end": end_ns},
            )
            series = np.asarray(rows["series"], dtype=np.int64)
            time_ns = np.asarray(rows["time_ns"], dtype=np.int64)
            value = np.asarray(rows["value"], dtype=_DTYPES[kind])
            for number in np.unique(series).tolist():
                at = slice(*np.searchsorted(series, (number, number + 1)).tolist())
                one = own[number]
                found[one.place].setdefault(further(one.tags), {})[one.field] = Points(time_ns[at], value[at])
        return [[Tagged(dict(tags), points) for tags, points in sorted(found[place].items())] for place in places]

    def records(
        self, measurement: str, company: str | None = None, site: str | None = None, start_ns: int | None = None
    ) -> list[Record]:
        """Every point with all its tags and fields, oldest first."""
        with self._lock:
            self._learn_series(self._cursor_or_error())
            known = [(n, self._series[n]) for n in self._of_measurement.get(measurement, ())]
        wanted: dict[Kind, list[int]] = {}
        for number, one in known:
            place = one.place
            if place.measurement == measurement and company in {None, place.company} and site in {None, place.site}:
                wanted.setdefault(one.kind, []).append(number)
        fields: dict[tuple[int, Place, str], dict[str, Any]] = {}
        tags: dict[str, dict[str, str]] = {}
        spelled = {number: json.dumps(self._series[number].tags) for numbers in wanted.values() for number in numbers}
        since = _ALWAYS[0] if start_ns is None else start_ns
        for kind, numbers in wanted.items():
            rows = self._query(
                f"SELECT series, time_ns, value FROM points_{kind}"  # noqa: S608 - one of four tables
                " WHERE series IN (SELECT unnest($numbers)) AND time_ns >= $start",
                {"numbers": numbers, "start": since},
            )
            columns = (rows[name].tolist() for name in ("series", "time_ns", "value"))
            for number, time_ns, value in zip(*columns, strict=True):
                one = self._series[number]
                tags[spelled[number]] = one.tags
                fields.setdefault((time_ns, one.place, spelled[number]), {})[one.field] = value
        found = sorted(fields.items(), key=lambda item: item[0])
        return [
            Record(place, {**tags[text], "company": place.company}, at, values) for (at, place, text), values in found
        ]

    def gaps(self, company: str | None = None, start_ns: int | None = None) -> list[StoredGap]:
        """Known gaps, oldest first."""
        return [gap_of(one) for one in self.records(GAP, company, None, start_ns)]

    def _cursor_or_error(self) -> Connection:
        try:
            return self._cursor()
        except (duckdb.Error, SinkError) as error:
            raise DependencyError(self._name, " ".join(str(error).split())) from error

    def _query(self, query: str, parameters: dict[str, Any]) -> dict[str, Any]:
        with self._turns:
            return self._queried(query, parameters)

    def _queried(self, query: str, parameters: dict[str, Any]) -> dict[str, Any]:
        cursor = self._cursor_or_error()
        try:
            return cursor.execute(query, parameters).fetchnumpy()
        except duckdb.Error as error:
            raise DependencyError(self._name, " ".join(str(error).split())) from error
        finally:
            cursor.close()

    def _keeps_hours(self) -> bool:
        """Whether the store was written by a version that keeps hours."""
        if not self._hours:
            names = self._query("SELECT table_name FROM information_schema.tables", {})["table_name"]
            self._hours = "rolled" in names.tolist()
        return self._hours

    def _find(self, place: Place, field: str) -> tuple[Kind | None, list[int]]:
        with self._lock:
            self._learn_series(self._cursor_or_error())
            numbers = list(self._numbers.get((place, field), ()))
            return (self._series[numbers[0]].kind if numbers else None), numbers

    def _by_kind(self, wanted: Sequence[tuple[Place, str]]) -> dict[Kind, list[tuple[int, int]]]:
        """Numbers of the series, each with the position of what was asked for last by that name, by type."""
        asked = {key: which for which, key in enumerate(wanted)}
        found: dict[Kind, list[tuple[int, int]]] = {}
        with self._lock:
            self._learn_series(self._cursor_or_error())
            for key, which in asked.items():
                for number in self._numbers.get(key, ()):
                    found.setdefault(self._series[number].kind, []).append((number, which))
        return found

    @staticmethod
    def _of(wanted: Sequence[tuple[Place, str]], found: Sequence[_T]) -> list[_T]:
        """Answers at the last position of each name, for every position."""
        last = {key: which for which, key in enumerate(wanted)}
        return [found[last[key]] for key in wanted]

    def _learn_series(self, cursor: Connection) -> None:
        query = "SELECT company, measurement, tags, field, kind FROM series WHERE id >= ? ORDER BY id"
        try:
            for company, measurement, text, field, kind in cursor.execute(query, (len(self._series),)).fetchall():
                tags = json.loads(text)
                place, number = place_of(measurement, tags, company), len(self._series)
                self._series.append(_Series(place, tags, field, kind))
                self._numbers.setdefault((place, field), []).append(number)
                self._of_place.setdefault(place, []).append(number)
                self._of_measurement.setdefault(measurement, []).append(number)
        except duckdb.Error as error:
            raise DependencyError(self._name, " ".join(str(error).split())) from error

    def _catch_up(self) -> None:
        cursor = self._cursor_or_error()
        touched: set[Place] = set()
        try:
            cursor.execute("BEGIN")
            self._learn_series(cursor)
            newest = self._batch
            for kind in SQL_TYPES:
                rows, batch = self._written(cursor, kind)
                newest = max(newest, batch)
                for number, time_ns, value in rows:
                    place, field = self._series[number].place, self._series[number].field
                    own = self._newest.setdefault(place, {})
                    if (place, field) not in own or time_ns >= own[place, field][0]:
                        own[place, field] = (time_ns, value)
                        touched.add(place)
            self._batch = newest
            cursor.execute("COMMIT")
        except duckdb.Error as error:
            raise DependencyError(self._name, " ".join(str(error).split())) from error
        finally:
            cursor.close()
        self._pair({one for one in touched if one.measurement != GAP})

    def _written(self, cursor: Connection, kind: Kind) -> tuple[list[tuple[int, int, Value]], int]:
        """The newest of each series that was written to since the last time, and the newest body."""
        if not self._batch:
            return newest_of(cursor, kind)
        rows = cursor.execute(
            f"SELECT series, max(time_ns), arg_max(value, time_ns), max(batch) FROM points_{kind}"  # noqa: S608
            " WHERE batch > ? GROUP BY series",
            (self._batch,),
        ).fetchall()
        return [(number, time_ns, value) for number, time_ns, value, _ in rows], max(
            (row[3] for row in rows), default=0
        )

    def _pair(self, touched: set[Place]) -> None:
        """Tags of these places with their quality; places stay in their order."""
        fresh = not touched <= self._latest.keys()
        for place in touched:
            self._latest[place] = pair_with_quality(self._newest[place])
        for one in series_of([one for place in touched for one in self._latest[place]]):
            self._infos[one.place] = one
        if fresh:
            self._latest = dict(sorted(self._latest.items()))
            self._infos = dict(sorted(self._infos.items()))
