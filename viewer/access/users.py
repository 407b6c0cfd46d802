"""Users: a name, a role, a set of companies, a hash of a password. Nobody is deleted: the audit log names them."""

from __future__ import annotations

import sqlite3
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from pipelines.clock import Clock
from viewer.access.refused import AccessRefused
from viewer.access.roles import Permission, Role, permissions
from viewer.book.book import Book

MAX_NAME: Final = 64
MAX_COMPANY: Final = 200
_KNOWN: Final = frozenset({Permission.MANAGE, Permission.SHARE})


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who looks.

    Attributes:
        id: number in the book; 0 = nobody known, where no log-in is asked for.
        name: log-in name.
        role: what it is to the programme.
        scope: names of companies as the store has them; None = every company. Of an ordering company, its own.
        disabled: whether it may no longer log in.
        far: whether it may sit anywhere, where nobody is known and every address is answered.
    """

    id: int
    name: str
    role: Role
    scope: frozenset[str] | None = frozenset()
    disabled: bool = False
    far: bool = False

    def may(self, permission: Permission) -> bool:
        """Whether the role has a permission.

        Users, the audit log and agreements need somebody who is known; alarms somebody who is known, or on this PC.
        """
        if permission not in permissions(self.role) or (permission in _KNOWN and self.id == 0):
            return False
        return permission is not Permission.OPERATE or not self.far

    @property
    def companies(self) -> frozenset[str] | None:
        """Companies whose readings it sees; None = every one. Denied where nothing says otherwise."""
        return self.scope if self.may(Permission.VIEW) else frozenset()

    @property
    def orders_for(self) -> frozenset[str]:
        """Ordering companies that it looks for, at what their suppliers share with them."""
        return (self.scope or frozenset()) if self.may(Permission.SHARED) else frozenset()


ANYBODY: Final = User(0, "", Role.MANAGER, None)
"""Who looks where no log-in is asked for: everything but the users."""
ANYBODY_ANYWHERE: Final = replace(ANYBODY, far=True)
"""The same where whoever reaches the address is answered: it silences no alarm."""


class Users:
    """The users of a book.

    Args:
        book: where they are.
        clock: what "now" is.
    """

    def __init__(self, book: Book, clock: Clock) -> None:
        self._book = book
        self._clock = clock

    def exist(self) -> bool:
        """Whether there is any, disabled ones included."""
        return bool(self._book.read("SELECT 1 FROM users LIMIT 1"))

    def all(self) -> list[User]:
        """Everybody, by name."""
        scopes: dict[int, set[str]] = {}
        for row in self._book.read("SELECT user, company FROM user_companies"):
            scopes.setdefault(row["user"], set()).add(row["company"])
        rows = self._book.read("SELECT id, name, role, disabled_ns FROM users ORDER BY name")
        return [_user(row, scopes.get(row["id"], set())) for row in rows]

    def find(self, name: str) -> User | None:
        """A user by name; the case of ASCII letters does not count."""
        rows = self._book.read("SELECT id, name, role, disabled_ns FROM users WHERE name = ?", (plain(name),))
        return self._with_scope(rows)

    def get(self, number: int) -> User | None:
        """A user by number."""
        rows = self._book.read("SELECT id, name, role, disabled_ns FROM users WHERE id = ?", (number,))
        return self._with_scope(rows)

    def password(self, user: User) -> str:
        """The hash of a user's password."""
        return str(self._book.read("SELECT password FROM users WHERE id = ?", (user.id,))[0]["password"])

    def add(self, name: str, role: Role, companies: Iterable[str], password: str) -> User:
        """A new user.

        Args:
            name: 1-64 characters, no spaces or control characters.
            role: what it is.
            companies: its scope; for a manager nothing counts.
            password: its hash, never the password.

        Raises:
            AccessRefused: no such name can be, or somebody has it.
        """
        name, scope = checked_name(name), checked_companies(companies)
        try:
            with self._book.write() as cursor:
                cursor.execute(
                    "INSERT INTO users (name, role, password, created_ns) VALUES (?, ?, ?, ?)",
                    (name, role.value, password, self._clock.now_ns()),
                )
                number = cursor.lastrowid or 0
                cursor.executemany("INSERT INTO user_companies VALUES (?, ?)", [(number, one) for one in scope])
        except sqlite3.IntegrityError as error:
            raise AccessRefused("exists", f"user {name} exists already; choose another name", name=name) from error
        return User(number, name, role, None if role is Role.MANAGER else frozenset(scope))

    def change(self, user: User, role: Role, companies: Collection[str]) -> None:
        """Another role and scope; what is open goes on with them.

        Raises:
            AccessRefused: nobody would be left to look after the users.
        """
        scope = checked_companies(companies)
        with self._book.write() as cursor, self._a_manager_stays():
            cursor.execute("UPDATE users SET role = ? WHERE id = ?", (role.value, user.id))
            cursor.execute("DELETE FROM user_companies WHERE user = ?", (user.id,))
            cursor.executemany("INSERT INTO user_companies VALUES (?, ?)", [(user.id, one) for one in scope])

    def set_password(self, user: User, password: str) -> None:
        """Another hash; every session of the user ends."""
        with self._book.write() as cursor:
            cursor.execute("UPDATE users SET password = ? WHERE id = ?", (password, user.id))
            cursor.execute("DELETE FROM sessions WHERE user = ?", (user.id,))

    def refresh_password(self, user: User, password: str) -> None:
        """The same password hashed anew, as with other parameters; sessions go on."""
        with self._book.write() as cursor:
            cursor.execute("UPDATE users SET password = ? WHERE id = ?", (password, user.id))

    def disable(self, user: User) -> None:
        """No log-in any more; every session of the user ends.

        Raises:
            AccessRefused: nobody would be left to look after the users.
        """
        with self._book.write() as cursor, self._a_manager_stays():
            cursor.execute("UPDATE users SET disabled_ns = ? WHERE id = ?", (self._clock.now_ns(), user.id))
            cursor.execute("DELETE FROM sessions WHERE user = ?", (user.id,))

    def enable(self, user: User) -> None:
        """Log-in again, with the password it had."""
        with self._book.write() as cursor:
            cursor.execute("UPDATE users SET disabled_ns = NULL WHERE id = ?", (user.id,))

    @contextmanager
    def _a_manager_stays(self) -> Iterator[None]:
        query = "SELECT 1 FROM users WHERE role = 'manager' AND disabled_ns IS NULL LIMIT 1"
        before = self._book.read(query)
        yield
        if before and not self._book.read(query):
            raise AccessRefused("last_manager", "the last TP manager stays: nobody else could look after the users")

    def _with_scope(self, rows: list[sqlite3.Row]) -> User | None:
        if not rows:
            return None
        found = self._book.read("SELECT company FROM user_companies WHERE user = ?", (rows[0]["id"],))
        return _user(rows[0], {row["company"] for row in found})


def plain(text: str) -> str:
    """Text as it is kept: composed (NFC), without spaces around it; a Korean keyboard may send it either way."""
    return unicodedata.normalize("NFC", text).strip()


def checked_name(name: str) -> str:
    """A log-in name.

    Raises:
        AccessRefused: it cannot be one.
    """
    name = plain(name)
    if not name or len(name) > MAX_NAME or not name.isprintable() or any(letter.isspace() for letter in name):
        reason = f"a user's name has 1-{MAX_NAME} characters that can be seen, and no space"
        raise AccessRefused("name", reason, most=MAX_NAME)
    return name


def checked_companies(companies: Iterable[str]) -> list[str]:
    """Names of companies, each once; empty ones are left out.

    Raises:
        AccessRefused: one cannot be a name.
    """
    found = sorted({plain(one) for one in companies} - {""})
    if any(len(one) > MAX_COMPANY or not one.isprintable() for one in found):
        reason = f"a company's name has at most {MAX_COMPANY} characters that can be seen"
        raise AccessRefused("company", reason, most=MAX_COMPANY)
    return found


def _user(row: sqlite3.Row, scope: Iterable[str]) -> User:
    role = Role(row["role"])
    everything = role is Role.MANAGER
    return User(row["id"], row["name"], role, None if everything else frozenset(scope), row["disabled_ns"] is not None)
