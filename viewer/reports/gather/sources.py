"""What the store held in a period, by series and hour, and the hash of it, so that it can be asked for again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from pipelines.calendar import Span
from viewer.overview import HEARTBEAT
from viewer.reports.subject import Source
from viewer.stores.base import GAP, QUALITY, SOURCE_TIME, Place, Store, Trend
from viewer.words import local

HOUR_NS: Final = 3600 * 10**9
Hour = tuple[int, int, float | None, float | None]
"""Beginning, points, smallest and greatest value; a text has none of these two."""


def sources_of(store: Store, company: str, site: str, period: Span) -> tuple[Source, ...]:
    """Each series of a site that has points in the period, in order of their paths."""
    found = []
    for series in store.series():
        place = series.place
        if (place.company, place.site) != (company, site) or place.measurement in {GAP, HEARTBEAT}:
            continue
        names = [name for name in series.fields if not name.endswith((QUALITY, SOURCE_TIME))]
        hours = _hours(store, place, names, period)
        found += [_source(place, name, hours[name]) for name in names if hours[name]]
    return tuple(sorted(found, key=lambda one: (one.place, one.field)))


def path(place: Place) -> str:
    """A place in one text."""
    return f"{place.company}/{place.site}/{place.line}/{place.machine}/{place.measurement}"


def digest_of(sources: Sequence[Source]) -> str:
    """SHA-256 over all of them, hexadecimal; empty of none."""
    text = "".join(f"{one.place}\t{one.field}\t{one.digest}\n" for one in sources)
    return hashlib.sha256(text.encode()).hexdigest() if sources else ""


def queries(company: str, site: str, period: Span, source: str) -> tuple[str, ...]:
    """How to ask for the same again."""
    start, end = (f"{local(at):%Y-%m-%dT%H:%M:%S+09:00}" for at in period)
    where = f"company='{company}' AND site='{site}' AND time >= '{start}' AND time < '{end}'"
    asked = "SELECT count(*), min(*), max(*) FROM /.*/"
    return f"{source}: {company}/{site}", f"InfluxQL: {asked} WHERE {where} GROUP BY time(1h), *"


def _hours(store: Store, place: Place, names: Sequence[str], period: Span) -> dict[str, list[Hour]]:
    """Hours from the beginning of the period on that have points; the last may be a shorter one."""
    start_ns, end_ns = period
    whole = (end_ns - start_ns) // HOUR_NS
    last_ns = start_ns + whole * HOUR_NS
    found: dict[str, list[Hour]] = {name: [] for name in names}
    for low, high, buckets in ((start_ns, last_ns, whole), (last_ns, end_ns, 1)):
        if low == high:
            continue
        for name, trend in store.trends(place, names, low, high, buckets).items():
            found[name] += _of_numbers(trend)
    for name in names:
        if not found[name]:
            found[name] += _of_texts(store.points(place, name, *period).time_ns - start_ns, start_ns)
    return found


def _of_numbers(trend: Trend) -> Iterator[Hour]:
    columns = (one.tolist() for one in (trend.time_ns, trend.count, trend.low, trend.high))
    yield from zip(*columns, strict=True)


def _of_texts(since_ns: np.ndarray[tuple[int], np.dtype[np.int64]], start_ns: int) -> Iterator[Hour]:
    hours, counts = np.unique(since_ns // HOUR_NS, return_counts=True)
    for hour, count in zip(hours.tolist(), counts.tolist(), strict=True):
        yield start_ns + hour * HOUR_NS, count, None, None


def _source(place: Place, name: str, hours: Sequence[Hour]) -> Source:
    lines = "".join(f"{at} {count} {low!r} {high!r}\n" for at, count, low, high in hours)
    lows = [low for _, _, low, _ in hours if low is not None]
    highs = [high for _, _, _, high in hours if high is not None]
    return Source(
        place=path(place),
        field=name,
        count=sum(count for _, count, _, _ in hours),
        first_hour_ns=hours[0][0],
        last_hour_ns=hours[-1][0],
        low=min(lows) if lows else None,
        high=max(highs) if highs else None,
        digest=hashlib.sha256(lines.encode()).hexdigest(),
    )
