"""Reads InfluxDB by InfluxQL: 1.x, 3.x, and 2.x where the bucket has a DBRP mapping."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import DependencyError
from pipelines.sinks.hour_values import kinds_of
from pipelines.sinks.influx_hours import ENDING, STATE
from pipelines.sinks.influxql import (
    STATEMENTS_PER_REQUEST,
    InfluxQl,
    Table,
    at,
    authorization,
    identifier,
    literal,
)
from pipelines.sinks.touched import HOUR_NS, TOUCHED
from viewer.stores.base import (
    GAP,
    PLACE_TAGS,
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
    further,
    gap_of,
    no_points,
    pair_with_quality,
    place_of,
    series_of,
)
from viewer.stores.influx_trends import place_trends, tags_of

_DTYPES: Final = {"float": np.float64, "integer": np.int64, "boolean": np.bool_, "string": object}
_KINDS: Final = ("float", "integer", "string", "boolean")
"""A field that had several types is read as the first of these, as InfluxDB does."""
_SURE_S: Final = 60.0
"""Whether hours are kept is asked for again after this."""


class InfluxStore:
    """A database to read from.

    Args:
        url: `http://host:8086`.
        database: its name.
        username: with `password`, for 1.x.
        password: its secret; the caller read it from a file or the environment.
        token: instead of the two, for 2.x.
    """

    def __init__(
        self, url: str, database: str, *, username: str | None = None, password: str = "", token: str | None = None
    ) -> None:
        self._database = database
        self._server = InfluxQl(url, authorization(username=username, password=password, token=token))
        self._hours = (False, -math.inf)

    @property
    def keeps_hours(self) -> bool:
        """Whether a bridge keeps hours of all that the database holds, and they may be read."""
        now_s = time.monotonic()
        if now_s - self._hours[1] > _SURE_S:
            self._hours = (self._has_hours(), now_s)
        return self._hours[0]

    def _has_hours(self) -> bool:
        query = f"SELECT min(back_to) FROM {identifier(STATE)}"  # noqa: S608
        try:
            return any(row[1] == 0 for table in self._server.ask(self._database + ENDING, query) for row in table.rows)
        except DependencyError:  # not there, or not for this user: what does not answer says so at the next question
            return False

    def close(self) -> None:
        """Close the connections."""
        self._server.close()

    def series(self) -> list[SeriesInfo]:
        """Machines and their tags, gaps left out."""
        return series_of(self.latest())

    def latest(self, place: Place | None = None, company: str | None = None) -> list[Latest]:
        """The newest of every tag, of one machine's, or of one company's."""
        wanted: list[tuple[str, str]] = []
        kinds = self._fields()
        for measurement, fields in kinds.items():
            if measurement != GAP and (place is None or place.measurement == measurement):
                wanted += [(measurement, field) for field in fields]
        tags = {PLACE_TAGS[0]: company} if company is not None else {}
        tags = tags if place is None else tags_of(place)
        where = f" WHERE {at(tags)}" if tags else ""
        groups = ", ".join(identifier(tag) for tag in PLACE_TAGS)
        newest: dict[tuple[Place, str], tuple[int, Value]] = {}
        for first in range(0, len(wanted), STATEMENTS_PER_REQUEST):
            part = wanted[first : first + STATEMENTS_PER_REQUEST]
            statements = [
                f"SELECT last({identifier(field)}) FROM {identifier(name)}{where} GROUP BY {groups}"  # noqa: S608
                for name, field in part
            ]
            for table in self._ask(";".join(statements)):
                measurement, field = part[table.statement]
                time_ns, value = table.rows[0]
                if kinds[measurement][field] == "float":
                    value = float(value)  # JSON from Go writes 835.0 as 835
                newest[place_of(table.measurement, table.tags), field] = (time_ns, value)
        return pair_with_quality(newest)

    def trend(self, place: Place, field: str, start_ns: int, end_ns: int, buckets: int) -> Trend:
        """One tag in buckets, made in the store; text tags give an empty trend."""
        return self.trends(place, [field], start_ns, end_ns, buckets)[field]

    def trends(self, place: Place, fields: Sequence[str], start_ns: int, end_ns: int, buckets: int) -> dict[str, Trend]:
        """Every field in buckets, of kept hours where there are any."""
        start_ns, end_ns, width = buckets_of(start_ns, end_ns, buckets)
        kept = width % HOUR_NS == 0 and self.keeps_hours
        return place_trends(self._server, self._database, place, fields, (start_ns, end_ns), width, kept=kept)

    def trends_of(self, wanted: Sequence[tuple[Place, str]], start_ns: int, end_ns: int, buckets: int) -> list[Trend]:
        """Several fields of several places in buckets, place by place."""
        fields: dict[Place, list[str]] = {}
        for place, field in wanted:
            fields.setdefault(place, []).append(field)
        found = {place: self.trends(place, names, start_ns, end_ns, buckets) for place, names in fields.items()}
        return [found[place][field] for place, field in wanted]

    def points(self, place: Place, field: str, start_ns: int | None = None, end_ns: int | None = None) -> Points:
        """Every value of one field, exactly as written."""
        kind = self._fields(place.measurement).get(place.measurement, {}).get(field)
        if kind is None:
            return no_points()
        query = _points_query(place, field, start_ns, end_ns)
        return _points([row for table in self._ask(query, floats=kind == "float") for row in table.rows], kind)

    def readings(self, wanted: Sequence[tuple[Place, str]], start_ns: int, end_ns: int) -> list[Points]:
        """Every value of several fields, with few requests for each type."""
        kinds = {name: self._fields(name).get(name, {}) for name in {place.measurement for place, _ in wanted}}
        asked: dict[str, list[int]] = {}
        for which, (place, field) in enumerate(wanted):
            asked.setdefault(kinds[place.measurement].get(field, ""), []).append(which)
        asked.pop("", None)
        found = [no_points() for _ in wanted]
        for kind, numbers in asked.items():
            for first in range(0, len(numbers), STATEMENTS_PER_REQUEST):
                part = numbers[first : first + STATEMENTS_PER_REQUEST]
                rows: dict[int, list[list[Any]]] = {}
                query = ";".join(_points_query(*wanted[which], start_ns, end_ns) for which in part)
                for table in self._ask(query, floats=kind == "float"):
                    rows.setdefault(part[table.statement], []).extend(table.rows)
                for which, some in rows.items():
                    found[which] = _points(some, kind)
        return found

    def before(self, place: Place, field: str, time_ns: int, since_ns: int) -> Points:
        """The last value of a field before a time, as of `Store.before`."""
        kind = self._fields(place.measurement).get(place.measurement, {}).get(field)
        if kind is None:
            return no_points()
        query = _points_query(place, field, since_ns, time_ns) + " ORDER BY time DESC LIMIT 1"
        return _points([row for table in self._ask(query, floats=kind == "float") for row in table.rows], kind)

    def tagged(self, place: Place, fields: Sequence[str], start_ns: int, end_ns: int) -> list[Tagged]:
        """Every series of a place by its tags, in one request."""
        kinds = self._fields(place.measurement).get(place.measurement, {})
        names = [field for field in dict.fromkeys(fields) if field in kinds]
        if not names:
            return []
        columns = ", ".join(map(identifier, names))
        where = f"{at(tags_of(place))} AND time >= {start_ns} AND time < {end_ns}"
        query = f"SELECT {columns} FROM {identifier(place.measurement)} WHERE {where} GROUP BY *"  # noqa: S608
        found: dict[tuple[tuple[str, str], ...], dict[str, list[list[Any]]]] = {}
        for table in self._ask(query):
            rows = found.setdefault(further(table.tags), {})
            for column, field in enumerate(names, 1):
                rows.setdefault(field, []).extend(
                    [row[0], row[column]] for row in table.rows if row[column] is not None
                )
        return [
            Tagged(dict(tags), {field: _points(some, kinds[field]) for field, some in rows.items() if some})
            for tags, rows in sorted(found.items())
        ]

    def tagged_of(
        self, places: Sequence[Place], fields: Sequence[str], start_ns: int, end_ns: int
    ) -> list[list[Tagged]]:
        """Every series of several places, place by place."""
        return [self.tagged(place, fields, start_ns, end_ns) for place in places]

    def records(
        self, measurement: str, company: str | None = None, site: str | None = None, start_ns: int | None = None
    ) -> list[Record]:
        """Every point with all its tags and fields, oldest first; fields that a point has not are None."""
        levels = (("company", company), ("site", site))
        conditions = [f"{identifier(tag)} = {literal(level)}" for tag, level in levels if level is not None]
        conditions += [] if start_ns is None else [f"time >= {start_ns}"]
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        found: list[Record] = []
        for table in self._ask(f"SELECT * FROM {identifier(measurement)}{where} GROUP BY *"):  # noqa: S608
            place = place_of(table.measurement, table.tags)
            names = table.columns[1:]
            found += [Record(place, table.tags, row[0], dict(zip(names, row[1:], strict=True))) for row in table.rows]
        return sorted(found, key=lambda one: (one.time_ns, one.place, sorted(one.tags.items())))

    def gaps(self, company: str | None = None, start_ns: int | None = None) -> list[StoredGap]:
        """Known gaps, oldest first."""
        return [gap_of(one) for one in self.records(GAP, company, None, start_ns)]

    def _fields(self, measurement: str | None = None) -> dict[str, dict[str, str]]:
        kinds = kinds_of(self._server, self._database, measurement)
        return {
            name: {field: min(some, key=_KINDS.index) for field, some in fields.items()}
            for name, fields in kinds.items()
            if name != TOUCHED
        }

    def _ask(self, query: str, *, floats: bool = False) -> Iterator[Table]:
        return self._server.ask(self._database, query, floats=floats)


def _points(rows: list[list[Any]], kind: str) -> Points:
    value: NDArray[Any] = np.empty(len(rows), dtype=_DTYPES[kind])
    value[:] = [row[1] for row in rows]
    return Points(np.array([row[0] for row in rows], dtype=np.int64), value)


def _points_query(place: Place, field: str, start_ns: int | None, end_ns: int | None) -> str:
    where = at(tags_of(place))
    where += "" if start_ns is None else f" AND time >= {start_ns}"
    where += "" if end_ns is None else f" AND time < {end_ns}"
    return f"SELECT {identifier(field)} FROM {identifier(place.measurement)} WHERE {where}"  # noqa: S608
