"""Everything about access over one book: what pages, commands and the guard before the pages use."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final

from pipelines.clock import Clock
from pipelines.errors import ConfigError
from viewer.access.audit import Audit
from viewer.access.first import FirstCode
from viewer.access.mode import Mode, is_loopback
from viewer.access.passwords import MAX_LENGTH, Passwords, checked_password
from viewer.access.roles import Role
from viewer.access.sessions import Limits, Sessions
from viewer.access.tries import Tries
from viewer.access.users import ANYBODY, ANYBODY_ANYWHERE, MAX_NAME, User, Users
from viewer.book.book import Book

_AT_ONCE: Final = 2
"""Passwords hashed at once: 64 MiB each, on a PC that has a gigabyte for all of this."""
_WAITING: Final = 8
"""Log-ins that wait for that; each holds a thread, and the pages need some too."""
_BUSY_S: Final = 5.0
_MAX_TYPED: Final = 4 * MAX_LENGTH
"""A keyboard may send a Korean syllable as three letters."""


@dataclass(frozen=True, slots=True)
class LogIn:
    """What became of a log-in.

    Attributes:
        token: of the session; None = refused.
        wait_s: seconds until the next try can be right.
    """

    token: str | None
    wait_s: float = 0.0


class Access:
    """Users, sessions and audit log of a book.

    Args:
        book: where they are.
        clock: what "now" is.
        mode: when a log-in is asked for.
        host: address the pages are served on.
        limits: how long sessions last.
        passwords: how passwords are hashed.

    Raises:
        ConfigError: `open` on an address that others reach.
    """

    def __init__(
        self,
        book: Book,
        clock: Clock,
        mode: Mode = Mode.AUTO,
        host: str = "127.0.0.1",
        limits: Limits | None = None,
        passwords: Passwords | None = None,
    ) -> None:
        if mode is Mode.OPEN and not is_loopback(host):
            raise ConfigError(
                None,
                None,
                f"--access open with --host {host}: everybody who reaches it would see everything;"
                " leave --access out, so that a log-in is asked for, or say --access open-to-all",
            )
        self.book = book
        self.clock = clock
        self.mode = mode
        self.users = Users(book, clock)
        self.sessions = Sessions(book, self.users, clock, limits or Limits())
        self.tries = Tries(book, clock)
        self.audit = Audit(book, clock)
        self.first = FirstCode(book, self.users, clock)
        self.passwords = passwords or Passwords()
        self._alone = is_loopback(host)
        self._room = threading.BoundedSemaphore(_AT_ONCE)
        self._seats = threading.BoundedSemaphore(_AT_ONCE + _WAITING)

    def is_open(self) -> bool:
        """Whether everybody sees everything."""
        if self.mode is Mode.AUTO:
            return self._alone and not self.users.exist()
        return self.mode is not Mode.LOGIN

    @property
    def anybody(self) -> User:
        """Who looks without a log-in."""
        return ANYBODY_ANYWHERE if self.mode is Mode.OPEN_TO_ALL else ANYBODY

    def takes_host(self, host: str) -> bool:
        """Whether a request may name this host: without a log-in only this PC's own names.

        Else a page of anybody, opened in a browser on this PC, could read everything by a name that leads here.
        """
        return self.mode is Mode.OPEN_TO_ALL or is_loopback(host) or not self.is_open()

    def log_in(self, name: str, password: str, address: str) -> LogIn:
        """Check a name and password; the answer and its time are the same whether there is such a user or not."""
        checked = self._check(name, password, address)
        if not isinstance(checked, User):
            return checked
        with self.book.write():
            token = self.sessions.open(checked)
            self.audit.write(checked.name, address, "login", checked.name)
        return LogIn(token)

    def change_own(self, user: User, now: str, password: str, address: str) -> LogIn:
        """A new password, by the user; all its sessions end, and one begins for the browser that asked.

        Raises:
            AccessRefused: no such password can be.
        """
        checked_password(password, user.name)
        checked = self._check(user.name, now, address)
        if not isinstance(checked, User):
            return checked
        kept = self.hash(password, user.name)
        with self.book.write():
            self.users.set_password(user, kept)
            token = self.sessions.open(user)
            self.audit.write(user.name, address, "password", user.name)
        return LogIn(token)

    def _check(self, name: str, password: str, address: str) -> User | LogIn:
        """The user whose name and password these are; else why not."""
        if (wait_s := self.tries.begin(name, address)) > 0:
            return LogIn(None, wait_s)
        user = self.users.find(name) if len(name) <= MAX_NAME else None
        kept = self.users.password(user) if user else None
        if not self._seats.acquire(blocking=False):
            return LogIn(None, _BUSY_S)
        try:
            with self._room:
                right = self.passwords.is_right(kept, password[:_MAX_TYPED])
        finally:
            self._seats.release()
        if user is None or not right or user.disabled:
            # What was typed as a name may be a password: only a name that is known is written down.
            self.audit.write("", address, "login_failed", user.name if user else "?")
            return LogIn(None)
        self.tries.right(name, address)
        if self.passwords.is_outdated(kept or ""):
            self.users.refresh_password(user, self.passwords.hash(password))
        return user

    def log_out(self, user: User, token: str, address: str) -> None:
        """End a session."""
        with self.book.write():
            self.sessions.close(token)
            self.audit.write(user.name, address, "logout", user.name)

    def make_first(self, code: str, name: str, password: str, address: str) -> User | None:
        """The first manager; None when the code does not hold.

        Raises:
            AccessRefused: no such name or password can be.
        """
        if not self.first.holds(code):
            return None
        kept = self.hash(password, name)
        with self.book.write():
            if not self.first.holds(code):  # somebody else was quicker
                return None
            user = self.users.add(name, Role.MANAGER, (), kept)
            self.first.spend()
            self.audit.write(user.name, address, "setup", user.name)
        return user

    def hash(self, password: str, name: str) -> str:
        """The hash of a password that may be chosen.

        Raises:
            AccessRefused: it may not.
        """
        checked_password(password, name)
        with self._room:
            return self.passwords.hash(password)


def embedded(clock: Clock) -> Access:
    """Access for pages that only this process asks for: open, and a book in memory."""
    return Access(Book(), clock, Mode.OPEN_TO_ALL)
