"""Makes the hours of an InfluxDB, beside the bridge: of what was touched since, and once of all that was there before.

Any number of bridges may do so at once and be killed at any moment: an hour is made as a whole, of its points, and says
the touch of its mark that was there before these were asked for. A reader takes it only while that mark is the newest.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Final, Protocol

from pipelines.clock import Clock
from pipelines.encode.line import Series, line
from pipelines.errors import DependencyError, ServerAway
from pipelines.sinks.hour_values import kinds_of, values_of
from pipelines.sinks.influx_hours import ENDING, STATE, SeriesKey, during, hour_line, key_of, runs, touches
from pipelines.sinks.influxql import InfluxQl, Table, identifier
from pipelines.sinks.touched import HOUR_NS, OF, TOUCH, TOUCHED

_DAY_NS: Final = 24 * HOUR_NS
_WINDOW_HOURS: Final = 96
"""Hours that are looked through at once; as many of the newest each time: a backlog of 72 h is within."""
_RUN_HOURS: Final = 24
"""Hours of a series that are asked for at once."""
_CLOCKS_NS: Final = _DAY_NS
"""Clocks of bridges differ by no more: what one that is further behind marks stays unmade, and is read as points."""
_LINES: Final = 500
_MEASUREMENTS: Final = 50


class Putting(Protocol):
    """What hours are written through."""

    def put(self, database: str, body: bytes) -> None:
        """Store line protocol; blocks."""
        ...


class HourKeeper:
    """Hours of the databases of one server.

    Args:
        server: to ask.
        sink: to write to.
        clock: what "now" is: the hour that is not over is not made.
    """

    def __init__(self, server: InfluxQl, sink: Putting, clock: Clock) -> None:
        self._server, self._sink, self._clock = server, sink, clock
        self._looked_ns: dict[str, int] = {}
        self._left: DependencyError | None = None
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End the turn under way soon."""
        self._stopped.set()
        self._server.close()

    def turn(self, database: str) -> bool:
        """Make what was touched, and a day of what was there before; whether there is more of that; blocks.

        Raises:
            DependencyError: the server does not answer, or may not be asked, or for a series with an error: all others
                were made.
            SinkError: the hours cannot be written.
        """
        self._left = None
        now_ns = self._clock.now_ns()
        back_to_ns, seen_ns = self._state(database)
        recent = now_ns // HOUR_NS - _WINDOW_HOURS
        self._make(database, recent, None, 0)
        if now_ns - self._looked_ns.get(database, 0) >= _DAY_NS:
            since_ns, first = seen_ns - _CLOCKS_NS, 0
            while not self._stopped.is_set() and (found := self._next(database, first, recent, since_ns)) is not None:
                first = found + _WINDOW_HOURS
                self._make(database, found, min(first, recent), since_ns)
            if not self._stopped.is_set() and self._left is None:
                self._put_state(database, seen=now_ns)
                self._looked_ns[database] = now_ns
        more = back_to_ns != 0 and not self._stopped.is_set() and self._catch_up(database, back_to_ns)
        if self._left is not None:
            raise self._left
        return more

    def _make(self, database: str, first: int, end: int | None, since_ns: int) -> None:
        """Hours from `first` to before `end` whose newest touch is not in them and is after `since_ns`."""
        marked = self._touches(database, [TOUCHED], first, end, f"{TOUCH} > {since_ns}")
        current = self._clock.now_ns() // HOUR_NS
        kept = self._kept(database, {series[0] for series in marked}, first, end) if marked else {}
        kinds: dict[str, Mapping[str, list[str]]] = {}
        lines: list[bytes] = []
        for series, hours in marked.items():
            of = kept.get(series, {})
            wanted = {hour for hour, touch in hours.items() if hour != current and of.get(hour) != touch}
            try:
                lines += self._lines(database, series, {hour: hours[hour] for hour in wanted}, kinds)
            except ServerAway:
                raise
            except DependencyError as error:  # of this series: its hours are read from the points
                self._left = error
            if self._stopped.is_set():
                return
            if len(lines) >= _LINES:
                self._put(database, lines)
                lines = []
        self._put(database, lines)

    def _lines(
        self, database: str, series: SeriesKey, wanted: Mapping[int, int], kinds: dict[str, Mapping[str, list[str]]]
    ) -> list[bytes]:
        """Points of hours of a series, by their touches; `kinds` remembers the fields of measurements."""
        name, tags = series
        found: list[bytes] = []
        for start, stop in runs(wanted, _RUN_HOURS):
            if self._stopped.is_set():
                break
            if name not in kinds:
                kinds |= kinds_of(self._server, database, name) or {name: {}}
            values = values_of(self._server, database, name, kinds[name], (start, stop), dict(tags)).get(series, {})
            found += [hour_line(series, hour, wanted[hour], values.get(hour, {})) for hour in range(start, stop)]
        return found

    def _catch_up(self, database: str, back_to_ns: int) -> bool:
        """Hours of a day, before those that are made, that nobody marked; whether there are older ones."""
        kinds = {name: some for name, some in kinds_of(self._server, database).items() if name != TOUCHED}
        older = [at_ns for name in kinds for at_ns in self._newest(database, name, back_to_ns)]
        if not older:
            self._put_state(database, back_to=0)
            return False
        end = max(older) // HOUR_NS + 1
        first = max(0, end - _RUN_HOURS)
        marked = self._touches(database, [TOUCHED], first, end)
        kept = self._kept(database, set(kinds), first, end)
        for name, some in kinds.items():
            if self._stopped.is_set():
                return True
            lines: list[bytes] = []
            for series, hours in values_of(self._server, database, name, some, (first, end), {}).items():
                done = kept.get(series, {}).keys() | marked.get(series, {}).keys()
                lines += [hour_line(series, hour, 0, values) for hour, values in hours.items() if hour not in done]
            self._put(database, lines)
        self._put_state(database, back_to=first * HOUR_NS)
        return first > 0

    def _state(self, database: str) -> tuple[int, int]:
        """Since when hours are made, and up to when marks were looked through, ns since 1970 UTC."""
        found: list[int | None] = [None, None]
        query = f"SELECT min(back_to), max(seen) FROM {identifier(STATE)}"  # noqa: S608
        for table in self._ask_hours(database, query):
            found = table.rows[0][1:]
        back_to_ns, seen_ns = found
        if back_to_ns is None:  # what comes from now on is marked, of whatever time it is
            self._looked_ns.pop(database, None)
            back_to_ns = self._newest_ns(database) // HOUR_NS * HOUR_NS + HOUR_NS
            self._put_state(database, back_to=back_to_ns)
        return back_to_ns, seen_ns or 0

    def _put_state(self, database: str, **fields: int) -> None:
        self._sink.put(database + ENDING, line(Series(STATE, ()), fields, self._clock.now_ns()))

    def _put(self, database: str, lines: list[bytes]) -> None:
        if lines:
            self._sink.put(database + ENDING, b"".join(lines))

    def _touches(
        self, database: str, measurements: list[str], first: int, end: int | None, *conditions: str
    ) -> dict[SeriesKey, dict[int, int]]:
        """Touches by series and hour."""
        found: dict[SeriesKey, dict[int, int]] = {}
        query = touches(measurements, first * HOUR_NS, None if end is None else end * HOUR_NS, *conditions)
        ask = self._server.ask(database, query) if measurements == [TOUCHED] else self._ask_hours(database, query)
        for table in ask:
            tags = dict(table.tags)
            measurement = tags.pop(OF, "") if table.measurement == TOUCHED else table.measurement
            if not measurement:  # a mark of somebody else's
                continue
            hours = found.setdefault(key_of(measurement, tags), {})
            hours.update({time_ns // HOUR_NS: touch for time_ns, touch in table.rows})
        return found

    def _kept(
        self, database: str, measurements: set[str], first: int, end: int | None
    ) -> dict[SeriesKey, dict[int, int]]:
        names = sorted(measurements)
        found: dict[SeriesKey, dict[int, int]] = {}
        for start in range(0, len(names), _MEASUREMENTS):
            found |= self._touches(database, names[start : start + _MEASUREMENTS], first, end)
        return found

    def _ask_hours(self, database: str, query: str) -> Iterator[Table]:
        """What the database of the hours says; nothing where it is not there yet."""
        try:
            return iter(list(self._server.ask(database + ENDING, query)))
        except DependencyError as error:
            if "not found" not in error.reason:
                raise
            return iter(())

    def _next(self, database: str, first: int, end: int, since_ns: int) -> int | None:
        """The first hour from `first` to before `end` that was touched after `since_ns`."""
        where = f"{TOUCH} > {since_ns} AND {during(first * HOUR_NS, end * HOUR_NS)}"
        query = f"SELECT {TOUCH} FROM {TOUCHED} WHERE {where} ORDER BY time ASC LIMIT 1"  # noqa: S608
        return next((table.rows[0][0] // HOUR_NS for table in self._server.ask(database, query)), None)

    def _newest_ns(self, database: str) -> int:
        names = [name for name in kinds_of(self._server, database) if name != TOUCHED]
        return max([self._clock.now_ns(), *(at_ns for name in names for at_ns in self._newest(database, name))])

    def _newest(self, database: str, measurement: str, before_ns: int = 2**63 - 1) -> Iterator[int]:
        """Time of the last point of a measurement since 1970, before a time."""
        where = during(0, before_ns)
        query = f"SELECT * FROM {identifier(measurement)} WHERE {where} ORDER BY time DESC LIMIT 1"  # noqa: S608
        for table in self._server.ask(database, query):
            yield table.rows[0][0]
