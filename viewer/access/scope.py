"""The one place that keeps companies apart: a store and a catalog that hold nothing but what a user may see.

What is asked of a company outside the scope is answered as what a store does not know: empty, never an error, so that
nobody learns that it is there. Nothing is passed on by name: a method that `Store` gets later is missing here, and the
type checker says so, until somebody thought about what it may answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING

from viewer.catalog import Catalog
from viewer.stores.base import (
    Latest,
    Place,
    Points,
    Record,
    SeriesInfo,
    Store,
    StoredGap,
    Tagged,
    Trend,
    bucket_width_ns,
    empty_trend,
    no_points,
)

Companies = frozenset[str] | None
"""Names as the store has them; None = every company, and what belongs to none."""


def sees(companies: Companies, company: str) -> bool:
    """Whether a company is in a scope."""
    return companies is None or company in companies


def scoped_catalog(catalog: Catalog, companies: Companies) -> Catalog:
    """The machines of the scope."""
    if companies is None:
        return catalog
    # Every table of a catalog has keys that begin with the company, one that comes later included.
    tables = {one.name: getattr(catalog, one.name) for one in fields(catalog)}
    return Catalog(
        **{name: {key: row for key, row in of.items() if key[0] in companies} for name, of in tables.items()}
    )


class ScopedStore:
    """A store that knows only some companies. See `viewer.stores.base.Store` for what the methods answer.

    Args:
        store: what is really there.
        companies: the scope, or what tells it at each question.
    """

    def __init__(self, store: Store, companies: Companies | Callable[[], Companies]) -> None:
        self._store = store
        self._companies = companies if callable(companies) else lambda: companies

    @property
    def keeps_hours(self) -> bool:
        """As the store does."""
        return self._store.keeps_hours

    def series(self) -> list[SeriesInfo]:
        """Machines of the scope."""
        companies = self._companies()
        return [] if companies == frozenset() else [one for one in self._store.series() if _in(companies, one.place)]

    def latest(self, place: Place | None = None, company: str | None = None) -> list[Latest]:
        """The newest of the scope."""
        companies = self._companies()
        if companies == frozenset() or (place is not None and not _in(companies, place)):
            return []
        if company is not None and not sees(companies, company):
            return []
        return [one for one in self._store.latest(place, company) if _in(companies, one.place)]

    def trend(self, place: Place, field: str, start_ns: int, end_ns: int, buckets: int) -> Trend:
        """No buckets outside the scope."""
        if not self._sees(place):
            return empty_trend(bucket_width_ns(start_ns, end_ns, buckets))
        return self._store.trend(place, field, start_ns, end_ns, buckets)

    def trends(self, place: Place, fields: Sequence[str], start_ns: int, end_ns: int, buckets: int) -> dict[str, Trend]:
        """No buckets outside the scope."""
        if not self._sees(place):
            return {field: empty_trend(bucket_width_ns(start_ns, end_ns, buckets)) for field in fields}
        return self._store.trends(place, fields, start_ns, end_ns, buckets)

    def trends_of(self, wanted: Sequence[tuple[Place, str]], start_ns: int, end_ns: int, buckets: int) -> list[Trend]:
        """No buckets outside the scope; the order stays."""
        companies = self._companies()
        allowed = [_in(companies, place) for place, _ in wanted]
        some = [one for one, seen in zip(wanted, allowed, strict=True) if seen]
        found = iter(self._store.trends_of(some, start_ns, end_ns, buckets) if some else ())
        width_ns = bucket_width_ns(start_ns, end_ns, buckets)
        return [next(found) if seen else empty_trend(width_ns) for seen in allowed]

    def points(self, place: Place, field: str, start_ns: int | None = None, end_ns: int | None = None) -> Points:
        """Nothing outside the scope."""
        return self._store.points(place, field, start_ns, end_ns) if self._sees(place) else no_points()

    def before(self, place: Place, field: str, time_ns: int, since_ns: int) -> Points:
        """Nothing outside the scope."""
        return self._store.before(place, field, time_ns, since_ns) if self._sees(place) else no_points()

    def tagged(self, place: Place, fields: Sequence[str], start_ns: int, end_ns: int) -> list[Tagged]:
        """Nothing outside the scope."""
        return self._store.tagged(place, fields, start_ns, end_ns) if self._sees(place) else []

    def tagged_of(
        self, places: Sequence[Place], fields: Sequence[str], start_ns: int, end_ns: int
    ) -> list[list[Tagged]]:
        """Nothing outside the scope; the order stays."""
        companies = self._companies()
        allowed = [_in(companies, place) for place in places]
        some = [one for one, seen in zip(places, allowed, strict=True) if seen]
        found = iter(self._store.tagged_of(some, fields, start_ns, end_ns) if some else ())
        return [next(found) if seen else [] for seen in allowed]

    def readings(self, wanted: Sequence[tuple[Place, str]], start_ns: int, end_ns: int) -> list[Points]:
        """Nothing outside the scope; the order stays."""
        companies = self._companies()
        allowed = [_in(companies, place) for place, _ in wanted]
        some = [one for one, seen in zip(wanted, allowed, strict=True) if seen]
        found = iter(self._store.readings(some, start_ns, end_ns) if some else ())
        return [next(found) if seen else no_points() for seen in allowed]

    def records(
        self, measurement: str, company: str | None = None, site: str | None = None, start_ns: int | None = None
    ) -> list[Record]:
        """Points of the scope."""
        companies = self._companies()
        if companies == frozenset() or (company is not None and not sees(companies, company)):
            return []
        found = self._store.records(measurement, company, site, start_ns)
        return [one for one in found if _in(companies, one.place)]

    def gaps(self, company: str | None = None, start_ns: int | None = None) -> list[StoredGap]:
        """Gaps of the scope."""
        companies = self._companies()
        if companies == frozenset() or (company is not None and not sees(companies, company)):
            return []
        return [one for one in self._store.gaps(company, start_ns) if _in(companies, one.place)]

    def close(self) -> None:
        """Nothing: the store is everybody's, and whoever opened it closes it."""

    def _sees(self, place: Place) -> bool:
        return _in(self._companies(), place)


def _in(companies: Companies, place: Place) -> bool:
    return sees(companies, place.company)


if TYPE_CHECKING:
    _IS_A_STORE: Store = ScopedStore(..., None)  # type: ignore[arg-type]  # held by mypy: no method is missing
