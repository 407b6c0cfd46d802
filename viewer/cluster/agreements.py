"""Agreements in the book: each change is a version with its line in the audit log, nothing is edited or deleted.

The tables refuse what would get round that (triggers of `0005_clusters.sql`), whoever writes them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from datetime import date
from typing import Final

from pipelines.clock import Clock
from viewer.access.manage import Note
from viewer.access.refused import AccessRefused
from viewer.book.book import Book
from viewer.cluster.agreement import Agreement, Terms, changes

_NEWEST: Final = """
SELECT * FROM share_agreements AS one WHERE version = (
  SELECT max(version) FROM share_agreements WHERE supplier = one.supplier AND ordering = one.ordering)
"""


class Agreements:
    """The agreements of a book; whoever shows them asks who may see them.

    Args:
        book: where they are.
        clock: what "now" is.
    """

    def __init__(self, book: Book, clock: Clock) -> None:
        self._book = book
        self._clock = clock

    def newest(self) -> list[Agreement]:
        """The newest version of each, whether it holds or not, by ordering company and supplier."""
        return [_agreement(row) for row in self._book.read(f"{_NEWEST} ORDER BY ordering, supplier")]

    def of_ordering(self, names: Collection[str]) -> list[Agreement]:
        """Those of ordering companies."""
        return [one for one in self.newest() if one.ordering in names]

    def of_supplier(self, name: str) -> list[Agreement]:
        """Those of a supplier."""
        return [one for one in self.newest() if one.supplier == name]

    def find(self, supplier: str, ordering: str) -> Agreement | None:
        """The newest version between two companies; None = they never agreed on anything."""
        rows = self._book.read(f"{_NEWEST} AND supplier = ? AND ordering = ?", (supplier, ordering))
        return _agreement(rows[0]) if rows else None

    def history(self, supplier: str) -> list[Agreement]:
        """Every version of what a supplier agreed on, the newest first."""
        rows = self._book.read("SELECT * FROM share_agreements WHERE supplier = ? ORDER BY id DESC", (supplier,))
        return [_agreement(row) for row in rows]

    def put(self, supplier: str, ordering: str, terms: Terms, who: str, note: Note) -> Agreement:
        """A new version, which holds at once in place of the one before.

        Args:
            supplier: company that shares.
            ordering: company that sees.
            terms: checked by `viewer.cluster.asked`.
            who: log-in name of who writes it down.
            note: writes what was done.

        Raises:
            AccessRefused: nobody is known to answer for it, or it is so already.
        """
        if not who:
            raise AccessRefused("share_nobody", "an agreement names who wrote it down: log in first")
        with self._book.write() as cursor:
            before = self.find(supplier, ordering)
            if before is not None and before.terms == terms:
                raise AccessRefused("share_same", "the agreement is like that already")
            made = Agreement(supplier, ordering, before.version + 1 if before else 1, terms, self._clock.now_ns(), who)
            row = (
                supplier, ordering, made.version, terms.level, " ".join(terms.kpis), terms.compared, terms.customer,
                terms.since.isoformat(), _day(terms.until), terms.consent_by, _day(terms.consent_on), terms.basis,
                made.made_ns, who,
            )  # fmt: skip
            try:
                cursor.execute(
                    "INSERT INTO share_agreements (supplier, ordering, version, level, kpis, compared, customer, since,"
                    " until, consent_by, consent_on, basis, made_ns, made_by)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    row,
                )
            except sqlite3.IntegrityError as error:
                raise AccessRefused("share_consent", f"{supplier} → {ordering}: {error}") from error
            note("share", f"{supplier} → {ordering}", changes(before.terms if before else None, terms))
        return made


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""


def _agreement(row: sqlite3.Row) -> Agreement:
    terms = Terms(
        level=row["level"],
        kpis=tuple(row["kpis"].split()),
        compared=bool(row["compared"]),
        customer=row["customer"],
        since=date.fromisoformat(row["since"]),
        until=date.fromisoformat(row["until"]) if row["until"] else None,
        consent_by=row["consent_by"],
        consent_on=date.fromisoformat(row["consent_on"]) if row["consent_on"] else None,
        basis=row["basis"],
    )
    return Agreement(row["supplier"], row["ordering"], row["version"], terms, row["made_ns"], row["made_by"])
