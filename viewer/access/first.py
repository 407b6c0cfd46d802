"""The first manager: no default password, but a code, shown once where the server starts, that holds for an hour."""

from __future__ import annotations

import base64
import hmac
import secrets
from typing import Final

from pipelines.clock import Clock
from viewer.access.sessions import hashed
from viewer.access.users import Users
from viewer.book.book import Book

HOLDS_S: Final = 3600
_BYTES: Final = 15
"""120 random bits: 24 letters and digits in groups of four."""
_GROUP: Final = 4
_NS: Final = 1_000_000_000


class FirstCode:
    """The code of a book; a new one takes the place of the one before.

    Args:
        book: where its hash is.
        users: nobody may be there yet.
        clock: what "now" is.
    """

    def __init__(self, book: Book, users: Users, clock: Clock) -> None:
        self._book = book
        self._users = users
        self._clock = clock

    def new(self) -> str:
        """A new code, to be shown once."""
        text = base64.b32encode(secrets.token_bytes(_BYTES)).decode()
        until_ns = self._clock.now_ns() + HOLDS_S * _NS
        with self._book.write() as cursor:
            cursor.execute("INSERT OR REPLACE INTO first_code VALUES (1, ?, ?)", (hashed(text), until_ns))
        return "-".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))

    def is_open(self) -> bool:
        """Whether somebody can still use a code."""
        rows = self._book.read("SELECT until_ns FROM first_code")
        return bool(rows) and self._clock.now_ns() < rows[0]["until_ns"] and not self._users.exist()

    def holds(self, code: str) -> bool:
        """Whether it is the code, and there is no user yet; spaces, dashes and case do not count."""
        rows = self._book.read("SELECT code FROM first_code")
        given = hashed("".join(letter for letter in code.upper() if letter.isalnum()))
        return self.is_open() and hmac.compare_digest(rows[0]["code"], given)

    def spend(self) -> None:
        """It holds no longer."""
        with self._book.write() as cursor:
            cursor.execute("DELETE FROM first_code")
