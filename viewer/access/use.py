"""Whether the people of a company use the viewer: when they logged in, entered something, or did anything else."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.calendar import Span
from viewer.access.roles import Role
from viewer.book.book import Book


@dataclass(frozen=True, slots=True)
class Use:
    """What the audit log says of the people of a company (기업 담당자) in a period.

    Attributes:
        people: how many may log in.
        times_ns: when one of them did something that is noted, ascending, ns since 1970 UTC.
    """

    people: int
    times_ns: tuple[int, ...]


def use_of(book: Book, company: str, period: Span) -> Use:
    """Use of one company; people of others who may see it, such as coordinators, are not its own.

    Raises:
        DependencyError: the book cannot be read.
    """
    own = (
        "SELECT name FROM users JOIN user_companies ON user_companies.user = users.id"
        " WHERE role = ? AND company = ? AND disabled_ns IS NULL"
    )
    people = book.read(own, (Role.COMPANY.value, company))
    rows = book.read(
        f"SELECT time_ns FROM audit WHERE who IN ({own}) AND time_ns >= ? AND time_ns < ? ORDER BY time_ns",  # noqa: S608 - no value in it
        (Role.COMPANY.value, company, *period),
    )
    return Use(len(people), tuple(row["time_ns"] for row in rows))
