"""Facts of companies in the book. Who may see whose is asked here, as everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from viewer.book.facts import NAMES, Facts, changes

if TYPE_CHECKING:
    from pipelines.clock import Clock
    from viewer.access.manage import Note
    from viewer.book.book import Book

_COLUMNS: Final = ("company", *NAMES)
_PUT: Final = (
    f"INSERT OR REPLACE INTO company_facts ({', '.join(_COLUMNS)}, changed_ns)"  # noqa: S608 - names of columns
    f" VALUES ({', '.join('?' * (len(_COLUMNS) + 1))})"
)
_ALL: Final = f"SELECT {', '.join(_COLUMNS)} FROM company_facts"  # noqa: S608 - names of columns


class Companies:
    """Facts of companies.

    Args:
        book: where they are.
        clock: what "now" is.
    """

    def __init__(self, book: Book, clock: Clock) -> None:
        self._book = book
        self._clock = clock

    def all(self) -> dict[str, Facts]:
        """Every company of which something is known, by name; whoever shows them asks who may see them."""
        return {row["company"]: Facts(*row) for row in self._book.read(_ALL)}

    def stamp(self) -> tuple[object, ...]:
        """What is another one when anything changed."""
        return tuple(
            self._book.read("SELECT count(*), max(changed_ns), sum(changed_ns % 1000003) FROM company_facts")[0]
        )

    def get(self, company: str) -> Facts:
        """What is known of one company; of one that is not there nothing is."""
        rows = self._book.read(f"{_ALL} WHERE company = ?", (company,))
        return Facts(*rows[0]) if rows else Facts(company)

    def put(self, facts: Iterable[Facts], note: Note) -> int:
        """Keep facts, all or none of them, each change with its line in the audit log.

        Args:
            facts: of several companies, without faults.
            note: writes what was done.

        Returns:
            Companies of which something changed.
        """
        count = 0
        with self._book.write() as cursor:
            for one in facts:
                if said := changes(self.get(one.company), one):
                    values = (getattr(one, name) for name in _COLUMNS)
                    cursor.execute(_PUT, (*values, self._clock.now_ns()))
                    note("facts", one.company, said)
                    count += 1
        return count
