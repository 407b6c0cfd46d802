"""Goals in the book: every change is a version, an approval locks it, and nothing is edited or deleted.

The tables refuse what would get round that (triggers of `0003_goals.sql`), whoever writes them.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

from pipelines.clock import Clock
from viewer.access.manage import Note
from viewer.access.refused import AccessRefused
from viewer.book.book import Book
from viewer.goals.model import CAPS, Baseline, Measured, Promise, Version, Whose
from viewer.kpi.catalog import CATALOG
from viewer.kpi.goal import GROWTH, Goal, can_be, is_better
from viewer.kpi.production import Produced
from viewer.reports.goals_file import GoalsFile

MAX_TEXT: Final = 300
"""Characters of a reason or note."""
_OF: Final = "company = ? AND site = ? AND line = ? AND machine = ?"


@dataclass(frozen=True, slots=True)
class Held:
    """The goals of a unit that hold.

    Attributes:
        whose: company, site, line and machine.
        goals: of each figure the newest that is approved, else the newest draft.
        cap: no achievement counts for more than this, percent; None = no limit.
    """

    whose: Whose
    goals: tuple[Goal, ...]
    cap: float | None


class GoalBook:
    """The goals of a book.

    Args:
        book: where they are.
        clock: what "now" is.
    """

    def __init__(self, book: Book, clock: Clock) -> None:
        self._book = book
        self._clock = clock

    def history(self, whose: Whose) -> list[Version]:
        """Every version of every goal, in the order in which they were made."""
        rows = self._book.read(
            f"SELECT * FROM goals LEFT JOIN goal_approvals ON goal = id WHERE {_OF} ORDER BY id",  # noqa: S608 - ours
            _key(whose),
        )
        return [_version(row) for row in rows]

    def newest(self, whose: Whose, code: str) -> Version | None:
        """The newest version of a goal, approved or not; None = it was never one."""
        return next((one for one in reversed(self.history(whose)) if one.promise.code == code), None)

    def file(self, whose: Whose) -> GoalsFile:
        """All of them, as a file of goals has them."""
        goals = tuple(one.settings() for one in self.history(whose))
        return GoalsFile(cap=self.cap(whose.company, whose.site), goals=goals)

    def held(self, whose: Whose) -> tuple[Goal, ...]:
        """The goals that hold: of each figure the newest that is approved, else the newest draft."""
        return self.file(whose).on(date.max)

    def stamp(self) -> tuple[object, ...]:
        """What is another one when any goal, approval or cap was made."""
        (row,) = self._book.read(
            "SELECT (SELECT max(id) FROM goals), (SELECT count(*) FROM goal_approvals), (SELECT max(id) FROM goal_caps)"
        )
        return tuple(row)

    def everybodys(self) -> dict[str, tuple[Held, ...]]:
        """The goals that hold of every company, by its name; whoever shows them asks who may see them."""
        versions: dict[Whose, list[Version]] = {}
        for row in self._book.read("SELECT * FROM goals LEFT JOIN goal_approvals ON goal = id ORDER BY id"):
            one = _version(row)
            versions.setdefault(one.whose, []).append(one)
        caps = {
            (row["company"], row["site"]): row["cap"] for row in self._book.read("SELECT * FROM goal_caps ORDER BY id")
        }
        found: dict[str, tuple[Held, ...]] = {}
        for whose, own in versions.items():
            file = GoalsFile(goals=tuple(one.settings() for one in own))
            if goals := file.on(date.max):
                held = Held(whose, goals, caps.get((whose.company, whose.site)))
                found[whose.company] = (*found.get(whose.company, ()), held)
        return found

    def propose(self, whose: Whose, promise: Promise, who: str, note: Note) -> Version:
        """A new version: a draft until somebody approves it.

        Raises:
            AccessRefused: it cannot be a goal, or changes an approved one without a reason, or changes nothing.
        """
        promise = _checked(promise)
        with self._book.write() as cursor:
            before = [one for one in self.history(whose) if one.promise.code == promise.code]
            if any(one.official for one in before) and not promise.reason:
                raise AccessRefused("goal_reason", f"{promise.code} is approved: say why it is changed")
            if before and _same(before[-1].promise, promise):
                raise AccessRefused("goal_same", f"{promise.code} is like that already")
            version = len(before) + 1
            row = (*_key(whose), promise.code, version, *_baseline(promise.baseline), promise.target, promise.weight)
            cursor.execute(
                "INSERT INTO goals (company, site, line, machine, code, version, baseline, how, note, start_ns, end_ns,"
                " samples, cover, query, digest, pieces, worked_ns, target, weight, dropped, reason, made_ns, made_by)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*row, promise.dropped, promise.reason, self._clock.now_ns(), who),
            )
            made = self._version(cursor.lastrowid or 0)
            note("goal_drop" if promise.dropped else "goal_propose", _name(made), _said(promise))
        return made

    def approve(self, version: Version, who: str, note: Note) -> None:
        """Lock a version, for good.

        Raises:
            AccessRefused: nobody is known to answer for it, it is approved already, or there is a newer one.
        """
        if not who:
            raise AccessRefused("goal_nobody", "an approval names who gave it: log in first")
        try:
            with self._book.write() as cursor:
                cursor.execute("INSERT INTO goal_approvals VALUES (?, ?, ?)", (version.id, self._clock.now_ns(), who))
                note("goal_approve", _name(version), _said(version.promise))
        except sqlite3.IntegrityError as error:
            raise AccessRefused(
                "goal_changed", f"{_name(version)}: is approved, or there is a newer version"
            ) from error

    def cap(self, company: str, site: str) -> float | None:
        """No achievement counts for more than this, percent; None = no limit."""
        rows = self._book.read(
            "SELECT cap FROM goal_caps WHERE company = ? AND site = ? ORDER BY id DESC LIMIT 1", (company, site)
        )
        return rows[0]["cap"] if rows else None

    def set_cap(self, company: str, site: str, cap: float | None, reason: str, who: str, note: Note) -> None:
        """Another limit; each is kept.

        Raises:
            AccessRefused: it is none of `CAPS`, has no reason, or is so already.
        """
        reason = _text(reason)
        if cap not in CAPS:
            raise AccessRefused("goal_cap", f"a cap of {cap:g} % is none of none, 100 and 120")
        if not reason:
            raise AccessRefused("goal_reason", "say why the cap is changed")
        with self._book.write() as cursor:
            before = self.cap(company, site)
            if before == cap:
                raise AccessRefused("goal_same", "the cap is that already")
            row = (company, site, cap, reason, self._clock.now_ns(), who)
            cursor.execute(
                "INSERT INTO goal_caps (company, site, cap, reason, made_ns, made_by) VALUES (?, ?, ?, ?, ?, ?)", row
            )
            note("goal_cap", f"{company}/{site}", f"{_limit(before)} → {_limit(cap)}: {reason}")

    def _version(self, number: int) -> Version:
        (row,) = self._book.read("SELECT * FROM goals LEFT JOIN goal_approvals ON goal = id WHERE id = ?", (number,))
        return _version(row)


def _checked(promise: Promise) -> Promise:
    numbers: Iterable[float | None] = (
        promise.target,
        promise.weight,
        promise.baseline.value if promise.baseline else None,
    )
    if promise.code not in CATALOG:
        raise AccessRefused("goal_code", f"{promise.code} is no figure of the catalogue")
    if not all(one is None or math.isfinite(one) for one in numbers):
        raise AccessRefused("goal_number", "baseline, target and weight are numbers")
    if promise.weight <= 0:
        raise AccessRefused("goal_weight", "a weight is above 0")
    of = CATALOG[promise.code]
    if not promise.dropped and not can_be(promise.code, promise.target):
        reason = f"a target of {promise.code} is from 0 to {of.most:,.0f} {of.unit.en}, it is a share"
        raise AccessRefused("goal_share", reason, code=promise.code, most=f"{of.most:,.0f}", unit=of.unit.en)
    baseline = promise.baseline
    if baseline is not None and is_better(promise.code, baseline.value, promise.target):
        raise AccessRefused("goal_worse", "a target is not worse than the baseline")
    if baseline is not None and not _fits(promise.code, baseline):
        raise AccessRefused("goal_pieces", f"a baseline of {GROWTH} is 0 % of pieces in hours; of others it is neither")
    if baseline is not None and baseline.measured is None:
        baseline = Baseline(baseline.value, _text(baseline.note), before=baseline.before)
        if not baseline.note:
            raise AccessRefused("goal_note", "a baseline by hand says where it is from")
    return Promise(
        code=promise.code,
        baseline=baseline,
        target=promise.target,
        weight=promise.weight,
        dropped=promise.dropped,
        reason=_text(promise.reason),
    )


def _fits(code: str, baseline: Baseline) -> bool:
    """Whether a baseline says what was made where growth is counted from it, and only there."""
    made = baseline.before
    if code != GROWTH or made is None:
        return code != GROWTH and made is None
    return baseline.value == 0 and math.isfinite(made.pieces) and made.pieces > 0 and made.worked_ns > 0


def _text(text: str) -> str:
    """One line of bounded length."""
    return " ".join(text.split())[:MAX_TEXT]


def _same(one: Promise, other: Promise) -> bool:
    parts = ("baseline", "target", "weight", "dropped")
    return all(getattr(one, part) == getattr(other, part) for part in parts)


def _key(whose: Whose) -> tuple[str, str, str, str]:
    return whose.company, whose.site, whose.line, whose.machine


def _baseline(one: Baseline | None) -> tuple[object, ...]:
    if one is None:
        return None, "", "", None, None, None, None, "", "", None, None
    of = one.measured
    made = (one.before.pieces, one.before.worked_ns) if one.before else (None, None)
    if of is None:
        return one.value, "hand", one.note, None, None, None, None, "", "", *made
    return one.value, "measured", "", *of.period, of.samples, of.cover, of.query, of.digest, *made


def _version(row: sqlite3.Row) -> Version:
    measured = None
    if row["how"] == "measured":
        span = (row["start_ns"], row["end_ns"])
        measured = Measured(span, row["samples"], row["cover"], row["query"], row["digest"])
    before = None if row["pieces"] is None else Produced(row["pieces"], row["worked_ns"])
    return Version(
        id=row["id"],
        whose=Whose(row["company"], row["site"], row["line"], row["machine"]),
        promise=Promise(
            code=row["code"],
            baseline=Baseline(row["baseline"], row["note"], measured, before) if row["how"] else None,
            target=row["target"],
            weight=row["weight"],
            dropped=bool(row["dropped"]),
            reason=row["reason"],
        ),
        version=row["version"],
        made_ns=row["made_ns"],
        made_by=row["made_by"],
        approved_ns=row["approved_ns"],
        approved_by=row["approved_by"] or "",
    )


def _name(one: Version) -> str:
    return f"{one.whose} {one.promise.code} v{one.version}"


def _said(one: Promise) -> str:
    baseline = "—" if one.baseline is None else f"{one.baseline.value:,.6g} [{one.baseline.origin.ko}]"
    behind = f": {one.reason}" if one.reason else ""
    return f"기존 {baseline} → 목표 {one.target:,.6g}, 가중치 {one.weight:g}{behind}"


def _limit(cap: float | None) -> str:
    return "-" if cap is None else f"{cap:g} %"
