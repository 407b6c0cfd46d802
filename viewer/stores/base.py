"""What a store answers, whichever it is. Methods block; call them in a thread from asyncio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from pipelines.sinks.touched import HOUR_NS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

QUALITY: Final = "_quality"
SOURCE_TIME: Final = "_source_time"
GAP: Final = "gap"
"""Measurement that holds known gaps."""

Value = float | int | bool | str


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where readings come from: the tags of their series. A level that is not there is an empty string."""

    company: str = ""
    site: str = ""
    line: str = ""
    machine: str = ""
    measurement: str = ""


@dataclass(frozen=True, slots=True)
class SeriesInfo:
    """A machine's tags; fields that carry quality or source time are left out."""

    place: Place
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest that is known of one tag.

    Attributes:
        place: machine and measurement.
        field: the tag.
        value: newest stored value; None when there never was one.
        time_ns: its time, ns since 1970 UTC; None when there never was one.
        status: OPC UA StatusCode that holds now; 0 = Good. A bad one may be newer than the value.
        status_time_ns: since when the newest reading, good or bad, is known, ns since 1970 UTC.
    """

    place: Place
    field: str
    value: Value | None
    time_ns: int | None
    status: int
    status_time_ns: int


@dataclass(frozen=True, slots=True)
class Trend:
    """Values of one tag in equal buckets; empty buckets are left out.

    Attributes:
        time_ns: start of the bucket, ns since 1970 UTC, int64, shape (n,).
        low: float64, shape (n,), in the tag's unit like the next two.
        mean: float64, shape (n,).
        high: float64, shape (n,).
        count: readings in the bucket, int64, shape (n,).
        bucket_ns: width of a bucket.
        boolean: whether the tag is on or off; 1.0 is on.
        whole: whether the tag holds integers, such as a counter or an enumeration.
    """

    time_ns: NDArray[np.int64]
    low: NDArray[np.float64]
    mean: NDArray[np.float64]
    high: NDArray[np.float64]
    count: NDArray[np.int64]
    bucket_ns: int
    boolean: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Points:
    """Every stored value of one field, oldest first.

    Attributes:
        time_ns: ns since 1970 UTC, int64, shape (n,).
        value: float64, int64, bool or object (str), shape (n,); exactly what was written.
    """

    time_ns: NDArray[np.int64]
    value: NDArray[Any]


@dataclass(frozen=True, slots=True)
class Tagged:
    """A series that is told apart from others of its place by further tags, such as energy by the hour and by the lot.

    Attributes:
        tags: those that are not the place's.
        fields: points of each field that was asked for and is there.
    """

    tags: Mapping[str, str]
    fields: Mapping[str, Points]


@dataclass(frozen=True, slots=True)
class StoredGap:
    """A stretch of time in which readings of a tag are known to be missing; see `pipelines.point.Gap`."""

    place: Place
    tag: str
    cause: str
    start_ns: int
    end_ns: int | None
    count: int | None
    filled: bool


@dataclass(frozen=True, slots=True)
class Record:
    """One point of a measurement whose points are more than readings, such as an entry or a gap, with all that it says.

    Attributes:
        place: the levels of its series.
        tags: all of them, company included.
        time_ns: of the point, ns since 1970 UTC.
        fields: by name; a store may give those that the point has not as None.
    """

    place: Place
    tags: Mapping[str, str]
    time_ns: int
    fields: Mapping[str, Any]


class ExactStore(Protocol):
    """A store that is asked for everything it holds. Every method raises DependencyError when it cannot be reached."""

    def readings(self, wanted: Sequence[tuple[Place, str]], start_ns: int, end_ns: int) -> list[Points]:
        """What `Store.points` says of each (place, field), asked for together; nothing where the store knows none."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class Store(ExactStore, Protocol):
    """A store to read from. Every method raises DependencyError when the store cannot be reached."""

    @property
    def keeps_hours(self) -> bool:
        """Whether trends over months come from kept hours, in a moment, and not from every reading."""
        ...

    def series(self) -> list[SeriesInfo]:
        """Machines and their tags, gaps left out."""
        ...

    def latest(self, place: Place | None = None, company: str | None = None) -> list[Latest]:
        """The newest of every tag, of one machine's, or of one company's."""
        ...

    def trend(self, place: Place, field: str, start_ns: int, end_ns: int, buckets: int) -> Trend:
        """One tag from `start_ns` to before `end_ns`, down-sampled in the store; text tags give an empty trend.

        Buckets are those of `buckets_of`: from an hour on they lie at whole hours, the first and the last one too.
        """
        ...

    def trends(self, place: Place, fields: Sequence[str], start_ns: int, end_ns: int, buckets: int) -> dict[str, Trend]:
        """What `trend` says of each field, asked for together."""
        ...

    def trends_of(self, wanted: Sequence[tuple[Place, str]], start_ns: int, end_ns: int, buckets: int) -> list[Trend]:
        """What `trend` says of each (place, field), of many places asked for together."""
        ...

    def points(self, place: Place, field: str, start_ns: int | None = None, end_ns: int | None = None) -> Points:
        """Every value of one field from `start_ns` to before `end_ns`; `<tag>_quality` is a field too."""
        ...

    def before(self, place: Place, field: str, time_ns: int, since_ns: int) -> Points:
        """The last value of a field before `time_ns` that is not before `since_ns`: one point, or none."""
        ...

    def tagged(self, place: Place, fields: Sequence[str], start_ns: int, end_ns: int) -> list[Tagged]:
        """Every series of a place that has one of these fields from `start_ns` to before `end_ns`, by its tags."""
        ...

    def tagged_of(
        self, places: Sequence[Place], fields: Sequence[str], start_ns: int, end_ns: int
    ) -> list[list[Tagged]]:
        """What `tagged` says of each place, asked for together."""
        ...

    def records(
        self, measurement: str, company: str | None = None, site: str | None = None, start_ns: int | None = None
    ) -> list[Record]:
        """Every point of a measurement that lies at or after `start_ns`, with all its tags and fields, oldest first."""
        ...

    def gaps(self, company: str | None = None, start_ns: int | None = None) -> list[StoredGap]:
        """Known gaps that start at or after `start_ns`, oldest first."""
        ...


def place_of(measurement: str, tags: dict[str, str], company: str | None = None) -> Place:
    """The place a series' tags name; `company` replaces the tag where the store knows it better."""
    return Place(
        company if company is not None else tags.get("company", ""),
        tags.get("site", ""),
        tags.get("line", ""),
        tags.get("machine", ""),
        measurement,
    )


def buckets_of(start_ns: int, end_ns: int, buckets: int) -> tuple[int, int, int]:
    """Start, end and width of at most `buckets` buckets over a span.

    From buckets of an hour on, they lie at whole hours of UTC, and the span is widened to these: hours are kept.
    """
    width_ns = bucket_width_ns(start_ns, end_ns, buckets)
    if width_ns < HOUR_NS:
        return start_ns, end_ns, width_ns
    start_ns, end_ns = start_ns // HOUR_NS * HOUR_NS, -(-end_ns // HOUR_NS) * HOUR_NS
    return start_ns, end_ns, -(-bucket_width_ns(start_ns, end_ns, buckets) // HOUR_NS) * HOUR_NS


def bucket_width_ns(start_ns: int, end_ns: int, buckets: int) -> int:
    """Width that covers the span with at most `buckets` buckets, at least 1 ns."""
    return max(1, -(-(end_ns - start_ns) // max(1, buckets)))


PLACE_TAGS: Final = ("company", "site", "line", "machine")


def further(tags: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Tags of a series that are not its place, by their names; empty ones are none."""
    return tuple(sorted((key, value) for key, value in tags.items() if key not in PLACE_TAGS and value))


def no_points() -> Points:
    """Nothing."""
    return Points(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float64))


def empty_trend(bucket_ns: int) -> Trend:
    """A trend without buckets."""
    none = np.empty(0, dtype=np.float64)
    return Trend(np.empty(0, dtype=np.int64), none, none, none, np.empty(0, dtype=np.int64), bucket_ns)


def downsample(points: Points, start_ns: int, bucket_ns: int) -> Trend:
    """Buckets of readings already at hand, oldest first, for what a store cannot aggregate."""
    if not len(points.time_ns):
        return empty_trend(bucket_ns)
    bucket = (points.time_ns - start_ns) // bucket_ns
    first = np.flatnonzero(np.append(True, bucket[1:] != bucket[:-1]))
    value = points.value.astype(np.float64)
    count = np.diff(np.append(first, len(value)))
    return Trend(
        start_ns + bucket[first] * bucket_ns,
        np.minimum.reduceat(value, first),
        np.add.reduceat(value, first) / count,
        np.maximum.reduceat(value, first),
        count,
        bucket_ns,
        points.value.dtype.kind == "b",
        points.value.dtype.kind in "iu",
    )


def pair_with_quality(newest: dict[tuple[Place, str], tuple[int, Value]]) -> list[Latest]:
    """Tags with the quality that holds now, from the newest (time, value) of every field.

    A quality holds from its time on until a newer value comes without one: Good writes no quality.
    """
    found: list[Latest] = []
    names = {(place, field.removesuffix(QUALITY)) for place, field in newest if not field.endswith(SOURCE_TIME)}
    for place, field in sorted(names, key=_order):
        time_ns, value = newest.get((place, field), (None, None))
        status_time_ns, status = newest.get((place, field + QUALITY), (None, 0))
        if status_time_ns is None or (time_ns is not None and time_ns > status_time_ns):
            status_time_ns, status = time_ns, 0
        assert status_time_ns is not None
        found.append(Latest(place, field, value, time_ns, int(status), status_time_ns))
    return found


def _order(name: tuple[Place, str]) -> tuple[str, ...]:
    """As a place is ordered, only sooner said: tens of thousands of tags are."""
    place, field = name
    return place.company, place.site, place.line, place.machine, place.measurement, field


def series_of(latest: Sequence[Latest]) -> list[SeriesInfo]:
    """Machines and their tags."""
    fields: dict[Place, list[str]] = {}
    for one in latest:
        fields.setdefault(one.place, []).append(one.field)
    return [SeriesInfo(place, tuple(names)) for place, names in sorted(fields.items())]


def gap_of(record: Record) -> StoredGap:
    """A gap from its point."""
    tags, fields = record.tags, record.fields
    end = fields.get("end_ns", fields.get("end"))
    count = fields.get("count")
    return StoredGap(
        record.place,
        str(tags.get("tag") or fields.get("tag") or ""),
        str(tags.get("cause") or fields.get("cause") or ""),
        record.time_ns,
        None if end is None else int(end),
        None if count is None else int(count),
        bool(fields.get("filled")),
    )
