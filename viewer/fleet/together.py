"""Many companies asked for at once: what each would ask the store is noted, asked in few queries, and answered then.

A store keeps its points in the order of time, so that a question about one company reads what all of them told. What is
not among the answers, because it follows from other answers, is asked by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import numpy as np

from viewer.access.scope import ScopedStore
from viewer.kpi.collection import MINUTE_NS
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
    buckets_of,
    no_points,
    series_of,
)

CELLS: Final = 1_000_000
"""Points or buckets of one answer, about: what a query may take of the memory."""

_Span = tuple[int, int]
_Tag = tuple[Place, str]
_T = TypeVar("_T")


class Snapshot(ScopedStore):
    """One company's part of a store, whose newest values were asked already with those of all others.

    Args:
        store: what is really there.
        company: whose part.
        latest: the newest of each of its tags.
    """

    def __init__(self, store: Store, company: str, latest: Sequence[Latest]) -> None:
        super().__init__(store, frozenset({company}))
        self._latest = list(latest)

    def latest(self, place: Place | None = None, company: str | None = None) -> list[Latest]:
        """As it was then."""
        return [one for one in self._latest if place in {None, one.place} and company in {None, one.place.company}]

    def series(self) -> list[SeriesInfo]:
        """As it was then."""
        return series_of(self._latest)

    def trends(self, place: Place, fields: Sequence[str], start_ns: int, end_ns: int, buckets: int) -> dict[str, Trend]:
        """As `trends_of` has them."""
        found = self.trends_of([(place, one) for one in fields], start_ns, end_ns, buckets)
        return dict(zip(fields, found, strict=True))

    def trend(self, place: Place, field: str, start_ns: int, end_ns: int, buckets: int) -> Trend:
        """As `trends_of` has it."""
        return self.trends_of([(place, field)], start_ns, end_ns, buckets)[0]


@dataclass(slots=True)
class Answers:
    """What was asked, and once it is answered the answers.

    Attributes:
        points: of (place, field) by span, ns since 1970 UTC.
        trends: of (place, field) by span and number of buckets.
        tagged: of places by fields and span.
        gaps: of all companies.
        wants_gaps: whether they are asked for.
    """

    points: dict[_Span, dict[_Tag, Points]] = field(default_factory=dict)
    trends: dict[tuple[_Span, int], dict[_Tag, Trend]] = field(default_factory=dict)
    tagged: dict[tuple[tuple[str, ...], _Span], dict[Place, list[Tagged]]] = field(default_factory=dict)
    gaps: Sequence[StoredGap] = ()
    wants_gaps: bool = False

    def ask(self, store: Store, *, stopped: Callable[[], bool] = lambda: False) -> None:
        """Fill them in, with one question for all that is alike; nothing more once it is stopped.

        Raises:
            DependencyError: the store cannot be reached.
        """
        for span, points in self.points.items():
            for part in _parts(list(points), (span[1] - span[0]) // MINUTE_NS):
                if not stopped():
                    points.update(zip(part, store.readings(part, *span), strict=True))
        for (span, buckets), trends in self.trends.items():
            for part in _parts(list(trends), buckets):
                if not stopped():
                    trends.update(zip(part, store.trends_of(part, *span, buckets), strict=True))
        for (fields, span), tagged in self.tagged.items():
            if not stopped():
                tagged.update(zip(tagged, store.tagged_of(list(tagged), fields, *span), strict=True))
        if self.wants_gaps and not stopped():
            self.gaps = store.gaps()


class Noting(Snapshot):
    """Answers nothing, and notes what is asked.

    Args:
        answers: where it is noted.
        store: of all companies.
        company: who asks.
        latest: the newest of each of its tags.
    """

    def __init__(self, answers: Answers, store: Store, company: str, latest: Sequence[Latest]) -> None:
        super().__init__(store, company, latest)
        self._answers = answers

    def readings(self, wanted: Sequence[_Tag], start_ns: int, end_ns: int) -> list[Points]:
        """Noted."""
        nothing = {one: no_points() for one in wanted}
        self._answers.points.setdefault((start_ns, end_ns), {}).update(nothing)
        return [nothing[one] for one in wanted]

    def points(self, place: Place, field: str, start_ns: int | None = None, end_ns: int | None = None) -> Points:
        """Noted, where it has bounds."""
        if start_ns is None or end_ns is None:
            return no_points()
        return self.readings([(place, field)], start_ns, end_ns)[0]

    def trends_of(self, wanted: Sequence[_Tag], start_ns: int, end_ns: int, buckets: int) -> list[Trend]:
        """Noted; one bucket, since of what has none more is asked: a text has no trend."""
        first_ns, _, width_ns = buckets_of(start_ns, end_ns, buckets)
        one_ = np.ones(1)
        bucket = Trend(np.array([first_ns]), one_, one_, one_, np.ones(1, dtype=np.int64), width_ns)
        nothing = dict.fromkeys(wanted, bucket)
        self._answers.trends.setdefault(((start_ns, end_ns), buckets), {}).update(nothing)
        return [nothing[one] for one in wanted]

    def tagged(self, place: Place, fields: Sequence[str], start_ns: int, end_ns: int) -> list[Tagged]:
        """Noted."""
        self._answers.tagged.setdefault((tuple(fields), (start_ns, end_ns)), {})[place] = []
        return []

    def before(self, place: Place, field: str, time_ns: int, since_ns: int) -> Points:
        """Nothing."""
        del place, field, time_ns, since_ns
        return no_points()

    def records(
        self, measurement: str, company: str | None = None, site: str | None = None, start_ns: int | None = None
    ) -> list[Record]:
        """Nothing."""
        del measurement, company, site, start_ns
        return []

    def gaps(self, company: str | None = None, start_ns: int | None = None) -> list[StoredGap]:
        """Noted."""
        del company, start_ns
        self._answers.wants_gaps = True
        return []


class Answered(Snapshot):
    """Answers what was noted out of the answers, and asks the rest.

    Args:
        answers: as they were filled in.
        store: of all companies.
        company: who asks.
        latest: the newest of each of its tags.
    """

    def __init__(self, answers: Answers, store: Store, company: str, latest: Sequence[Latest]) -> None:
        super().__init__(store, company, latest)
        self._answers, self._company = answers, company

    def readings(self, wanted: Sequence[_Tag], start_ns: int, end_ns: int) -> list[Points]:
        """As answered."""
        known = self._answers.points.get((start_ns, end_ns), {})
        return _known(wanted, known) or super().readings(wanted, start_ns, end_ns)

    def points(self, place: Place, field: str, start_ns: int | None = None, end_ns: int | None = None) -> Points:
        """As answered."""
        if start_ns is None or end_ns is None:
            return super().points(place, field, start_ns, end_ns)
        return self.readings([(place, field)], start_ns, end_ns)[0]

    def trends_of(self, wanted: Sequence[_Tag], start_ns: int, end_ns: int, buckets: int) -> list[Trend]:
        """As answered."""
        known = self._answers.trends.get(((start_ns, end_ns), buckets), {})
        return _known(wanted, known) or super().trends_of(wanted, start_ns, end_ns, buckets)

    def tagged(self, place: Place, fields: Sequence[str], start_ns: int, end_ns: int) -> list[Tagged]:
        """As answered."""
        found = self._answers.tagged.get((tuple(fields), (start_ns, end_ns)), {}).get(place)
        return super().tagged(place, fields, start_ns, end_ns) if found is None else found

    def gaps(self, company: str | None = None, start_ns: int | None = None) -> list[StoredGap]:
        """As answered."""
        if not self._answers.wants_gaps:
            return super().gaps(company, start_ns)
        own = [one for one in self._answers.gaps if one.place.company == self._company]
        return [one for one in own if start_ns is None or one.start_ns >= start_ns]


def asked_together(store: Store, company: str, latest: Sequence[Latest], ask: Callable[[Snapshot], _T]) -> _T:
    """What is asked of one company, in as few questions as can be.

    Args:
        store: what whoever asks may see.
        company: whose.
        latest: the newest of each of its tags.
        ask: is called twice; what it answers the first time is of nothing.

    Raises:
        DependencyError: the store cannot be reached.
    """
    answers = Answers()
    ask(Noting(answers, store, company, latest))
    answers.ask(store)
    return ask(Answered(answers, store, company, latest))


def _known(wanted: Sequence[_Tag], known: dict[_Tag, _T]) -> list[_T]:
    """What is known of all of them; nothing where something is missing."""
    return [known[one] for one in wanted] if all(one in known for one in wanted) else []


def _parts(wanted: Sequence[_Tag], cells: int) -> Iterator[Sequence[_Tag]]:
    """As many at once as one answer may hold, if each takes so many cells."""
    each = max(1, CELLS // max(1, cells))
    for first in range(0, len(wanted), each):
        yield wanted[first : first + each]
