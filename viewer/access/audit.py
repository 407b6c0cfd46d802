"""The audit log: who did what to what, when, and from where. It only grows, and each row holds a hash of those before.

`hash = SHA-256(hash before ‖ JSON [id, time_ns, who, address, action, target, detail])`, the first after 32 zeros.
Rows that are changed, taken out or put in break the chain. Rows cut off at the end do not: whoever keeps the newest
hash elsewhere, as on the printed page, sees that too.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

import orjson

from pipelines.clock import Clock
from viewer.book.book import Book

_NOTHING: Final = bytes(32)
_MAX_TEXT: Final = 500
_PART: Final = 1000


@dataclass(frozen=True, slots=True)
class Deed:
    """A row.

    Attributes:
        id: number, from 1 without a hole.
        time_ns: ns since 1970 UTC.
        who: log-in name; empty = nobody known.
        address: where the request came from; `local` for a command on the machine.
        action: a word of `viewer/i18n`, `audit_<action>`.
        target: what it was done to.
        detail: the rest, such as old and new values; never a secret.
        hash: of this row and all before it, 32 bytes.
    """

    id: int
    time_ns: int
    who: str
    address: str
    action: str
    target: str
    detail: str
    hash: bytes


class Audit:
    """The audit log of a book.

    Args:
        book: where it is.
        clock: what "now" is.
    """

    def __init__(self, book: Book, clock: Clock) -> None:
        self._book = book
        self._clock = clock

    def write(self, who: str, address: str, action: str, target: str = "", detail: str = "") -> None:
        """Add a row; inside `Book.write` it is part of what is written there.

        Args:
            who: log-in name; empty = nobody known.
            address: where the request came from.
            action: what was done, as `login` or `user_add`.
            target: to what.
            detail: the rest; never a secret.
        """
        who, address, target, detail = (_cut(text) for text in (who, address, target, detail))
        with self._book.write() as cursor:
            last = cursor.execute("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1").fetchone()
            number, before = (last["id"] + 1, last["hash"]) if last else (1, _NOTHING)
            row = (number, self._clock.now_ns(), who, address, action, target, detail)
            cursor.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*row, _hash(before, row)))

    def newest(self, count: int, before: int | None = None) -> list[Deed]:
        """At most `count` rows, the newest first; `before`: only those with a lower number."""
        rows = self._book.read(
            "SELECT * FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?", (2**62 if before is None else before, count)
        )
        return [Deed(*row) for row in rows]

    def broken(self) -> int | None:
        """Number of the first row that is not what was written, or that is missing; None = all is as written."""
        before, number = _NOTHING, 0
        while rows := self._book.read("SELECT * FROM audit WHERE id > ? ORDER BY id LIMIT ?", (number, _PART)):
            for row in rows:
                number += 1
                if row["id"] != number or row["hash"] != _hash(before, tuple(row)[:-1]):
                    return number
                before = row["hash"]
        return None


def _hash(before: bytes, row: tuple[object, ...]) -> bytes:
    return hashlib.sha256(before + orjson.dumps(row)).digest()


def _cut(text: str) -> str:
    """Text that JSON can hold, of bounded length."""
    return text.encode("utf-8", "replace").decode()[:_MAX_TEXT]
