"""Reads InfluxDB by InfluxQL over HTTP: 1.x, and 2.x where the bucket has a DBRP mapping.

Times are asked for in ns and integers stay integers in the JSON answer. Credentials travel in a header, never in a URL.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import numpy as np
import orjson
import urllib3
from numpy.typing import NDArray

from pipelines.errors import DependencyError
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
    downsample,
    empty_trend,
    further,
    gap_of,
    no_points,
    pair_with_quality,
    place_of,
    series_of,
)

_DTYPES: Final = {"float": np.float64, "integer": np.int64, "boolean": np.bool_, "string": object}
_STATEMENTS_PER_REQUEST: Final = 200
_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class _Table:
    statement: int
    measurement: str
    tags: dict[str, str]
    columns: list[str]
    rows: list[list[Any]]


def identifier(name: str) -> str:
    """A name quoted for InfluxQL."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def literal(text: str) -> str:
    """A string quoted for InfluxQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


class InfluxStore:
    """A database to read from.

    Args:
        url: `http://host:8086`.
        database: its name.
        username: with `password`, for 1.x.
        password: its secret; the caller read it from a file or the environment.
        token: instead of the two, for 2.x.
    """

    keeps_hours = False

    def __init__(
        self, url: str, database: str, *, username: str | None = None, password: str = "", token: str | None = None
    ) -> None:
        self._url = url.rstrip("/") + "/query"
        self._database = database
        self._name = f"InfluxDB {url}"
        self._headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if token is not None:
            self._headers["Authorization"] = f"Token {token}"
        elif username is not None:
            pair = base64.b64encode(f"{username}:{password}".encode()).decode()
            self._headers["Authorization"] = f"Basic {pair}"
        self._pool = urllib3.PoolManager(maxsize=4, timeout=_TIMEOUT_S, retries=False)

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def series(self) -> list[SeriesInfo]:
        """Machines and their tags, gaps left out."""
        return series_of(self.latest())

    def latest(self, place: Place | None = None) -> list[Latest]:
        """The newest of every tag, or of one machine's."""
        wanted: list[tuple[str, str]] = []
        kinds = self._fields()
        for measurement, fields in kinds.items():
            if measurement != GAP and (place is None or place.measurement == measurement):
                wanted += [(measurement, field) for field in fields]
        where = "" if place is None else f" WHERE {_at(place)}"
        groups = ", ".join(identifier(tag) for tag in PLACE_TAGS)
        newest: dict[tuple[Place, str], tuple[int, Value]] = {}
        for first in range(0, len(wanted), _STATEMENTS_PER_REQUEST):
            part = wanted[first : first + _STATEMENTS_PER_REQUEST]
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
        """Every field in buckets; numbers in one request, what is on or off down-sampled here."""
        start_ns, end_ns, width = buckets_of(start_ns, end_ns, buckets)
        found = {field: empty_trend(width) for field in fields}
        kinds = self._fields(place.measurement).get(place.measurement, {})
        for field in found:
            if kinds.get(field) == "boolean":
                found[field] = downsample(self.points(place, field, start_ns, end_ns), start_ns, width)
        numbers = [field for field in found if kinds.get(field) in {"float", "integer"}]
        for first in range(0, len(numbers), _STATEMENTS_PER_REQUEST):
            part = numbers[first : first + _STATEMENTS_PER_REQUEST]
            rows: dict[str, list[list[Any]]] = {}
            for table in self._ask(";".join(_trend_query(place, field, start_ns, end_ns, width) for field in part)):
                rows.setdefault(part[table.statement], []).extend(table.rows)
            for field, found_rows in rows.items():
                time_ns, low, mean, high, count = zip(*found_rows, strict=True)
                found[field] = Trend(
                    np.array(time_ns, dtype=np.int64),
                    np.array(low, dtype=np.float64),
                    np.array(mean, dtype=np.float64),
                    np.array(high, dtype=np.float64),
                    np.array(count, dtype=np.int64),
                    width,
                    whole=kinds[field] == "integer",
                )
        return found

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
            for first in range(0, len(numbers), _STATEMENTS_PER_REQUEST):
                part = numbers[first : first + _STATEMENTS_PER_REQUEST]
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
        where = f"{_at(place)} AND time >= {start_ns} AND time < {end_ns}"
        query = f"SELECT {columns} FROM {identifier(place.measurement)} WHERE {where} GROUP BY *"  # noqa: S608
        found: dict[tuple[tuple[str, str], ...], dict[str, list[list[Any]]]] = {}
        for table in self._ask(query):
            rows = found.setdefault(further(table.tags), {})
            for at, field in enumerate(names, 1):
                rows.setdefault(field, []).extend([row[0], row[at]] for row in table.rows if row[at] is not None)
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
        source = "" if measurement is None else f" FROM {identifier(measurement)}"
        tables = self._ask(f"SHOW FIELD KEYS{source}")
        return {table.measurement: {str(row[0]): str(row[1]) for row in table.rows} for table in tables}

    def _ask(self, query: str, *, floats: bool = False) -> Iterator[_Table]:
        body = urlencode({"db": self._database, "epoch": "ns", "chunked": "true", "q": query})
        try:
            answer = self._pool.request("POST", self._url, body=body, headers=self._headers)
        except urllib3.exceptions.HTTPError as error:
            raise DependencyError(self._name, f"does not answer ({type(error).__name__}); is it running?") from error
        for text in answer.data.splitlines():
            # Go writes a negative zero as -0, which JSON readers take for the integer 0.
            yield from self._tables(text.replace(b",-0]", b",-0.0]") if floats else text, answer.status)
        if answer.status >= 400 and not answer.data:  # noqa: PLR2004 - HTTP errors begin there
            raise DependencyError(self._name, f"HTTP {answer.status}")

    def _tables(self, text: bytes, status: int) -> Iterator[_Table]:
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise DependencyError(self._name, f"HTTP {status}, and its answer is no JSON; is this InfluxDB?") from error
        for result in [found, *found.get("results", [])]:
            if "error" in result:
                raise DependencyError(self._name, f"HTTP {status}: {result['error']}")
            for one in result.get("series", []):
                yield _Table(
                    int(result.get("statement_id", 0)),
                    one["name"],
                    one.get("tags") or {},
                    one["columns"],
                    one.get("values") or [],
                )


def _at(place: Place) -> str:
    """The condition that picks one machine; a missing level matches only series without it."""
    values = (place.company, place.site, place.line, place.machine)
    pairs = zip(PLACE_TAGS, values, strict=True)
    return " AND ".join(f"{identifier(tag)} = {literal(value)}" for tag, value in pairs)


def _points(rows: list[list[Any]], kind: str) -> Points:
    value: NDArray[Any] = np.empty(len(rows), dtype=_DTYPES[kind])
    value[:] = [row[1] for row in rows]
    return Points(np.array([row[0] for row in rows], dtype=np.int64), value)


def _points_query(place: Place, field: str, start_ns: int | None, end_ns: int | None) -> str:
    where = _at(place)
    where += "" if start_ns is None else f" AND time >= {start_ns}"
    where += "" if end_ns is None else f" AND time < {end_ns}"
    return f"SELECT {identifier(field)} FROM {identifier(place.measurement)} WHERE {where}"  # noqa: S608


def _trend_query(place: Place, field: str, start_ns: int, end_ns: int, width_ns: int) -> str:
    name = identifier(field)
    return (
        f"SELECT min({name}), mean({name}), max({name}), count({name}) FROM {identifier(place.measurement)}"  # noqa: S608
        f" WHERE {_at(place)} AND time >= {start_ns} AND time < {end_ns}"
        f" GROUP BY time({width_ns}ns, {start_ns % width_ns}ns) fill(none)"
    )
