"""Targets of programmes in the book, such as 지원기업수 260 of 160: each change is a version."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

from pipelines.clock import Clock
from viewer.access.manage import Note
from viewer.access.refused import AccessRefused
from viewer.book.book import Book
from viewer.kpi.freshness import Freshness, freshness_of
from viewer.kpi.goal import of_target
from viewer.overview import HEARTBEAT
from viewer.reports.programme import ProgrammeFile, Target
from viewer.stores.base import GAP, Latest

_MAX_NAME: Final = 100


@dataclass(frozen=True, slots=True)
class Line:
    """One target with what came of it.

    Attributes:
        target: name, unit, target, source.
        version: counts its changes.
        made_ns: when this version was made, ns since 1970 UTC.
        made_by: who did; empty = nobody known.
        actual: 실적, entered or counted; None = nobody entered it.
    """

    target: Target
    version: int
    made_ns: int
    made_by: str
    actual: float | None

    @property
    def share(self) -> float | None:
        """목표대비, percent."""
        return of_target(self.actual, self.target.target)


class Programmes:
    """The programmes of a book.

    Args:
        book: where they are.
        clock: what "now" is.
    """

    def __init__(self, book: Book, clock: Clock) -> None:
        self._book = book
        self._clock = clock

    def names(self) -> list[str]:
        """Programmes, the oldest first."""
        rows = self._book.read("SELECT programme FROM programme_targets GROUP BY programme ORDER BY min(id)")
        return [row["programme"] for row in rows]

    def lines(self, programme: str, counted: dict[str, int]) -> list[Line]:
        """The newest version of each target, in the order in which they came.

        Args:
            programme: its name.
            counted: companies that are `connected` and `active`.
        """
        rows = self._book.read(
            "SELECT * FROM programme_targets AS newest WHERE programme = ? AND version = (SELECT max(version)"
            " FROM programme_targets WHERE programme = newest.programme AND name = newest.name) ORDER BY"
            " (SELECT min(id) FROM programme_targets WHERE programme = newest.programme AND name = newest.name)",
            (programme,),
        )
        found = []
        for row in rows:
            if not row["dropped"]:
                one = Target(
                    name=row["name"],
                    unit=row["unit"],
                    target=row["target"],
                    actual=row["actual"],
                    measure=row["measure"],
                    source=row["source"],
                    as_of=date.fromisoformat(row["as_of"]) if row["as_of"] else None,
                )
                actual = counted[one.measure] if one.measure else one.actual
                found.append(Line(one, row["version"], row["made_ns"], row["made_by"], actual))
        return found

    def file(self, programme: str) -> ProgrammeFile:
        """A programme as the report of it takes it."""
        lines = self.lines(programme, {"connected": 0, "active": 0})
        return ProgrammeFile(name=programme, targets=tuple(one.target for one in lines))

    def put(self, programme: str, target: Target, who: str, note: Note, *, dropped: bool = False) -> None:
        """A new target, or a new version of one of this name.

        Raises:
            AccessRefused: it has no name, no programme, or no number.
        """
        programme, name = (" ".join(one.split())[:_MAX_NAME] for one in (programme, target.name))
        if not programme or not name:
            raise AccessRefused("programme_name", "a target has a name and a programme")
        if not all(one is None or math.isfinite(one) for one in (target.target, target.actual)):
            raise AccessRefused("goal_number", "target and actual are numbers")
        with self._book.write() as cursor:
            (before,) = cursor.execute(
                "SELECT max(version) FROM programme_targets WHERE programme = ? AND name = ?", (programme, name)
            ).fetchone()
            as_of = target.as_of.isoformat() if target.as_of else None
            row = (programme, name, (before or 0) + 1, target.unit, target.target, target.actual, target.measure)
            cursor.execute(
                "INSERT INTO programme_targets (programme, name, version, unit, target, actual, measure, source, as_of,"
                " dropped, made_ns, made_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*row, target.source, as_of, dropped, self._clock.now_ns(), who),
            )
            said = f"{target.measure or target.actual} / {target.target:g} {target.unit}".strip()
            note("programme_drop" if dropped else "programme_put", f"{programme}: {name}", said)


def counted(latest: Iterable[Latest], now_ns: int) -> dict[str, int]:
    """Companies of which anything is stored, and of which anything came within 24 hours."""
    return counted_of(heard(latest).values(), now_ns)


def heard(latest: Iterable[Latest]) -> dict[str, int]:
    """When anything came of a company last, ns since 1970 UTC, by its name."""
    seen: dict[str, int] = {}
    for one in latest:
        if one.time_ns is not None and one.place.measurement not in {GAP, HEARTBEAT}:
            seen[one.place.company] = max(seen.get(one.place.company, 0), one.time_ns)
    return seen


def counted_of(times_ns: Collection[int], now_ns: int) -> dict[str, int]:
    """The same by when anything came of each company last."""
    active = sum(freshness_of(time_ns, now_ns) is not Freshness.NONE for time_ns in times_ns)
    return {"connected": len(times_ns), "active": active}
