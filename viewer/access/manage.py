"""What is done to users, by a page or a command, each time with its line in the audit log."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Protocol

from viewer.access.access import Access
from viewer.access.roles import Role
from viewer.access.users import User


class Note(Protocol):
    """Writes what was done; knows who did it and from where."""

    def __call__(self, action: str, target: str = "", detail: str = "") -> None:
        """See `Audit.write`."""


def add(access: Access, name: str, role: Role, companies: Iterable[str], password: str, note: Note) -> User:
    """A new user.

    Raises:
        AccessRefused: no such user or password can be.
    """
    kept = access.hash(password, name)
    with access.book.write():
        user = access.users.add(name, role, companies, kept)
        note("user_add", user.name, _said(user.role, user.scope))
    return user


def change(access: Access, user: User, role: Role, companies: Collection[str], note: Note) -> None:
    """Another role or scope.

    Raises:
        AccessRefused: a company cannot be one, or no manager would be left.
    """
    with access.book.write():
        access.users.change(user, role, companies)
        after = access.users.get(user.id) or user
        note("user_change", user.name, f"{_said(user.role, user.scope)} → {_said(after.role, after.scope)}")


def set_password(access: Access, user: User, password: str, note: Note) -> None:
    """A new password; the user's sessions end, and its failed tries are forgotten.

    Raises:
        AccessRefused: it cannot be chosen.
    """
    kept = access.hash(password, user.name)
    with access.book.write():
        access.users.set_password(user, kept)
        access.tries.forget(user.name)
        note("user_password", user.name)


def disable(access: Access, user: User, note: Note) -> None:
    """No log-in any more.

    Raises:
        AccessRefused: no manager would be left.
    """
    with access.book.write():
        access.users.disable(user)
        note("user_disable", user.name)


def enable(access: Access, user: User, note: Note) -> None:
    """Log-in again."""
    with access.book.write():
        access.users.enable(user)
        note("user_enable", user.name)


def _said(role: Role, scope: frozenset[str] | None) -> str:
    return f"{role.value}: {'*' if scope is None else ', '.join(sorted(scope)) or '-'}"
