"""Goals to and from the files that `agent report --goals` reads (docs/reports.md).

What comes in is proposed, never approved: a file can be written by anybody, and an approval names who gave it here.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from typing import Any, Final

import yaml

from viewer.access.manage import Note
from viewer.access.refused import AccessRefused
from viewer.book.book import Book
from viewer.csv_text import guarded
from viewer.goals.book import GoalBook
from viewer.goals.model import Baseline, Promise, Whose
from viewer.reports.goals_file import GoalSettings, GoalsFile

MOST: Final = 500
"""Versions of one file: each is a row that stays."""
_KEYS = tuple(GoalSettings.model_fields)


def yaml_of(file: GoalsFile) -> str:
    """A file of goals as YAML."""
    data: dict[str, Any] = {} if file.cap is None else {"cap": file.cap}
    data["goals"] = [_row(one) for one in file.goals]
    return yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=200)


def csv_of(file: GoalsFile) -> str:
    """The goals of a file as CSV, with the mark by which spreadsheets know UTF-8."""
    text = io.StringIO(newline="")
    written = csv.DictWriter(text, _KEYS)
    written.writeheader()
    for one in file.goals:
        row = _row(one)
        written.writerow({name: guarded(cell) if isinstance(cell, str) else cell for name, cell in row.items()})
    return "\ufeff" + text.getvalue()


def take_in(book: Book, goals: GoalBook, whose: Whose, file: GoalsFile, who: str, note: Note) -> int:
    """Propose what a file says: all of it or nothing.

    Of a figure that the book does not know, every version of the file; of one that it knows, the newest, where that is
    another. Who approved it where the file is from is kept as words.

    Returns:
        How many versions were made.

    Raises:
        AccessRefused: they are too many; one cannot be a goal, or changes an approved one without saying why.
    """
    if len(file.goals) > MOST:
        raise AccessRefused("goal_file", f"a file of goals has at most {MOST}", why=f"{len(file.goals)} > {MOST}")
    by_code: dict[str, list[GoalSettings]] = defaultdict(list)
    for one in sorted(file.goals, key=lambda one: one.version):
        by_code[one.code].append(one)
    made = 0
    with book.write():
        for code, versions in by_code.items():
            before = goals.newest(whose, code)
            for one in versions if before is None else versions[-1:]:
                promise = _promise(one, before.promise if before else None)
                try:
                    before = goals.propose(whose, promise, who, note)
                except AccessRefused as refused:
                    if refused.word != "goal_same":
                        raise
                else:
                    made += 1
    return made


def _promise(one: GoalSettings, before: Promise | None) -> Promise:
    approved = f"파일의 승인 기록: {one.approved_on} {one.approved_by}".strip() if one.approved_on else ""
    origin = one.baseline_from or "가져온 파일 (imported)"
    baseline = None if one.baseline is None else Baseline(one.baseline, origin, before=one.before)
    # What the book measured itself stays what it is when it comes back.
    known = before.baseline if before else None
    if known and (one.baseline, one.before) == (known.value, known.before):
        baseline = known
    return Promise(
        code=one.code,
        baseline=baseline,
        target=one.target,
        weight=one.weight,
        dropped=one.dropped,
        reason=" · ".join(part for part in (one.detail, approved) if part),
    )


def _row(one: GoalSettings) -> dict[str, Any]:
    """What is said of it, without what is left out."""
    return one.model_dump(mode="json", exclude_defaults=True) | {"version": one.version}
