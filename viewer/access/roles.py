"""Roles, and what each may do. Which companies a user sees is a matter of the user, not of the role."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What a user is to the programme."""

    COMPANY = "company"
    """기업 담당자: its own company."""
    SUPPLIER = "supplier"
    """공급기업: the companies it built for."""
    COORDINATOR = "coordinator"
    """코디네이터: the companies it looks after."""
    MANAGER = "manager"
    """TP 관리자: every company, and the users."""
    ORDERING = "ordering"
    """발주기업: what its suppliers share with it. Its scope is not whose data it sees but which company it is."""
    READER = "reader"
    """열람 전용: looks and changes nothing."""


class Permission(StrEnum):
    """What a page or form asks for."""

    VIEW = "view"
    """Readings and figures of the companies in the scope."""
    ENTER = "enter"
    """Entries by hand: reasons, defects, orders."""
    OPERATE = "operate"
    """Acknowledge and shelve alarms: for who is answerable for the machines, and can look at them."""
    CONFIRM = "confirm"
    """Baselines, targets and weights."""
    SHARE = "share"
    """What a supplier shares with ordering companies."""
    SHARED = "shared"
    """What suppliers share with the companies of the scope."""
    MANAGE = "manage"
    """Users and the audit log."""


_MAY: Final = {
    Role.COMPANY: frozenset({Permission.VIEW, Permission.ENTER, Permission.OPERATE, Permission.SHARE}),
    Role.SUPPLIER: frozenset({Permission.VIEW, Permission.ENTER}),
    Role.COORDINATOR: frozenset({Permission.VIEW, Permission.ENTER, Permission.CONFIRM}),
    Role.MANAGER: frozenset(Permission) - {Permission.SHARED},
    Role.ORDERING: frozenset({Permission.SHARED}),
    Role.READER: frozenset({Permission.VIEW}),
}


def permissions(role: Role) -> frozenset[Permission]:
    """What a role may do."""
    return _MAY[role]
