"""The pages that every page links to, and for whom each is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from viewer.access.roles import Permission
from viewer.access.users import User
from viewer.catalog import Catalog
from viewer.safety.concerns import any_ccp, any_safety


def _always(catalog: Catalog) -> bool:
    del catalog
    return True


def _several(catalog: Catalog) -> bool:
    """An ordering company sees no catalog at all; of one company alone there is no cluster."""
    return len({company for company, _, _ in catalog.machines}) != 1


def _batteries(catalog: Catalog) -> bool:
    return any(one.battery for one in catalog.machines.values())


@dataclass(frozen=True, slots=True)
class Entry:
    """A link of the menu.

    Attributes:
        path: address of the page.
        name: key of its name among the words.
        concerns: whether the page shows anything of what a reader may see: a workshop without gases has none of them.
        needs: one of these is enough to open it.
    """

    path: str
    name: str
    concerns: Callable[[Catalog], bool] = _always
    needs: tuple[Permission, ...] = (Permission.VIEW,)


MENU: Final = (
    Entry("/fleet", "menu_fleet"),
    Entry("/company", "menu_company"),
    Entry("/machines", "menu_machines"),
    Entry("/kpi", "menu_kpi"),
    Entry("/alarms", "menu_alarms"),
    Entry("/safety", "menu_safety", any_safety),
    Entry("/ccp", "menu_ccp", any_ccp),
    Entry("/energy", "menu_energy"),
    Entry("/battery", "menu_battery", _batteries),
    Entry("/quality", "menu_quality"),
    Entry("/entry", "menu_entry"),
    Entry("/goals", "menu_goals"),
    Entry("/reports", "menu_reports"),
    Entry("/level", "menu_level"),
    Entry("/cluster", "menu_cluster", _several, (Permission.CONFIRM, Permission.SHARED)),
    Entry("/sharing", "menu_sharing", needs=(Permission.SHARE,)),
)


def menu_of(catalog: Catalog, user: User | None) -> list[Entry]:
    """What is in the menu of whoever sees this much."""
    if user is None:
        return []
    return [one for one in MENU if any(user.may(need) for need in one.needs) and one.concerns(catalog)]
