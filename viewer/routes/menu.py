"""The pages that every page links to, and for whom each is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from viewer.catalog import Catalog


def _always(catalog: Catalog) -> bool:
    del catalog
    return True


@dataclass(frozen=True, slots=True)
class Entry:
    """A link of the menu.

    Attributes:
        path: address of the page.
        name: key of its name among the words.
        concerns: whether the page shows anything of what a reader may see: a workshop without gases has none of them.
    """

    path: str
    name: str
    concerns: Callable[[Catalog], bool] = _always


MENU: Final = (
    Entry("/fleet", "menu_fleet"),
    Entry("/company", "menu_company"),
    Entry("/", "menu_machines"),
    Entry("/kpi", "menu_kpi"),
    Entry("/alarms", "menu_alarms"),
    Entry("/energy", "menu_energy"),
    Entry("/quality", "menu_quality"),
    Entry("/entry", "menu_entry"),
    Entry("/goals", "menu_goals"),
    Entry("/reports", "menu_reports"),
    Entry("/level", "menu_level"),
)


def menu_of(catalog: Catalog) -> list[Entry]:
    """What is in the menu of whoever sees this much."""
    return [entry for entry in MENU if entry.concerns(catalog)]
