"""Baselines, targets, programmes and use of the pages, as their book has them, for reports from the command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from pipelines.calendar import Span
from pipelines.clock import SystemClock
from pipelines.errors import ConfigError
from viewer.access.use import Use, use_of
from viewer.book.book import FILE, Book
from viewer.book.companies import Companies
from viewer.book.facts import Facts
from viewer.goals.book import GoalBook
from viewer.goals.model import Whose
from viewer.goals.programme import Programmes
from viewer.query.unit import Unit
from viewer.reports.goals_file import GoalsFile
from viewer.reports.programme import ProgrammeFile
from viewer.site_info import SiteInfo

_NONE: Final = "programme: name the file of its targets with --goals, or set them on the page /goals"


def goals_of(folder: Path | None, site: SiteInfo) -> GoalsFile | None:
    """What was set for a whole site; None = there is no book.

    Args:
        folder: the viewer's state folder; None = there is none.
        site: whose.

    Raises:
        ConfigError: the book is of a newer version.
        DependencyError: it cannot be opened.
    """
    with _book(folder) as book:
        return GoalBook(book, SystemClock()).file(Whose.of(site, Unit())) if book else None


def facts_of(folder: Path | None) -> dict[str, Facts]:
    """What is known of companies beside readings, by name; nothing where there is no book.

    Raises:
        ConfigError: the book is of a newer version.
        DependencyError: it cannot be opened.
    """
    with _book(folder) as book:
        return Companies(book, SystemClock()).all() if book else {}


def used_of(folder: Path | None, site: SiteInfo, period: Span) -> Use | None:
    """How the company's own people used the pages in a period; None = there is no book, or nobody logs in.

    Raises:
        ConfigError: the book is of a newer version.
        DependencyError: it cannot be opened.
    """
    with _book(folder) as book:
        return use_of(book, site.company, period) if book and book.read("SELECT 1 FROM users LIMIT 1") else None


def programme_of(folder: Path | None) -> ProgrammeFile:
    """The one programme of the book.

    Raises:
        ConfigError: there is none, or several.
        DependencyError: the book cannot be opened.
    """
    with _book(folder) as book:
        kept = Programmes(book, SystemClock()) if book else None
        names = kept.names() if kept else []
        if kept is None or not names:
            raise ConfigError(None, None, _NONE)
        if len(names) > 1:
            raise ConfigError(
                folder and folder / FILE, None, f"has {', '.join(names)}; name the file of one with --goals"
            )
        return kept.file(names[0])


@contextmanager
def _book(folder: Path | None) -> Iterator[Book | None]:
    """The book in a viewer's state folder; None where there is none."""
    if folder is None or not (folder / FILE).exists():
        yield None
        return
    with closing(Book(folder / FILE)) as book:
        yield book
