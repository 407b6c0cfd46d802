"""Sessions: a random number in a cookie, its hash in the book, an end after idling and an end in any case."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Final

from pipelines.clock import Clock
from viewer.access.users import User, Users
from viewer.book.book import Book

IDLE_S: Final = 1800
"""A session that did nothing for so long is over."""
LONGEST_S: Final = 43_200
"""A session that began so long ago is over, whatever it does."""
_TOUCH_S: Final = 30
"""How exactly it is known when a session did something: less would be a write for each request."""
_BYTES: Final = 32
_MAX_TEXT: Final = 64
_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """How long sessions last, seconds."""

    idle_s: float = IDLE_S
    longest_s: float = LONGEST_S


class Sessions:
    """The sessions of a book.

    Args:
        book: where they are.
        users: whose they are.
        clock: what "now" is.
        limits: how long they last.
    """

    def __init__(self, book: Book, users: Users, clock: Clock, limits: Limits) -> None:
        self._book = book
        self._users = users
        self._clock = clock
        self.limits = limits

    def open(self, user: User) -> str:
        """A new session; what the cookie holds: 256 random bits. Those that are over are forgotten."""
        token, now_ns = new_token(), self._clock.now_ns()
        with self._book.write() as cursor:
            cursor.execute(
                "DELETE FROM sessions WHERE seen_ns <= ? OR created_ns <= ?",
                (now_ns - _ns(self.limits.idle_s), now_ns - _ns(self.limits.longest_s)),
            )
            cursor.execute("INSERT INTO sessions VALUES (?, ?, ?, ?)", (hashed(token), user.id, now_ns, now_ns))
        return token

    def user(self, token: str, *, active: bool) -> User | None:
        """Whose session it is; None when there is no such session, it is over, or its user was disabled.

        Args:
            token: what the cookie holds.
            active: whether a person asked, and not a page that keeps itself up to date.
        """
        if len(token) > _MAX_TEXT:
            return None
        rows = self._book.read("SELECT user, created_ns, seen_ns FROM sessions WHERE token = ?", (hashed(token),))
        if not rows:
            return None
        number, created_ns, seen_ns = rows[0]
        now_ns = self._clock.now_ns()
        # A clock that was set back far ends a session too: nobody knows how long it lasted.
        if abs(now_ns - seen_ns) >= _ns(self.limits.idle_s) or abs(now_ns - created_ns) >= _ns(self.limits.longest_s):
            self.close(token)
            return None
        user = self._users.get(number)
        if user is None or user.disabled:
            return None
        if active and now_ns - seen_ns >= min(_ns(_TOUCH_S), _ns(self.limits.idle_s) // 4):
            with self._book.write() as cursor:
                cursor.execute("UPDATE sessions SET seen_ns = ? WHERE token = ?", (now_ns, hashed(token)))
        return user

    def close(self, token: str) -> None:
        """Log out."""
        with self._book.write() as cursor:
            cursor.execute("DELETE FROM sessions WHERE token = ?", (hashed(token),))


def new_token() -> str:
    """256 random bits as text for a cookie."""
    return secrets.token_urlsafe(_BYTES)


def hashed(token: str) -> bytes:
    """SHA-256 of a token: who reads the book cannot take a session over. 256 random bits need no slower hash."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def _ns(seconds: float) -> int:
    return int(seconds * _NS)
