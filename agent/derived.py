"""From the settings of a site to the rules that derive points from its readings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipelines.derive.rule import Ref, Rule

if TYPE_CHECKING:
    from agent.site import Site
    from pipelines.settings import Settings

Place = tuple[str | int, ...]
_REFS = {"state": ("tag", "mode", "power", "counter"), "count": ("total", "good", "ng"), "cycle": ("at", "values")}
"""Keys of a machine's groups that name tags."""


def rules_of(site: Site) -> list[Rule]:
    """Every rule of a site, in the order in which they are asked."""
    del site
    return []


def refs_of(site: Site) -> Iterator[tuple[Place, Ref]]:
    """Each tag that a machine's groups name, and where that is written."""
    for name, machine in site.machines.items():
        for group, keys in _REFS.items():
            settings: Settings | None = getattr(machine, group)
            if settings is None:
                continue
            for place, text in _texts(settings, ("machines", name, group), keys):
                yield place, Ref.of(name, text)
        if machine.state and machine.state.lamps:
            for place, text in _texts(
                machine.state.lamps, ("machines", name, "state", "lamps"), ("green", "amber", "red")
            ):
                yield place, Ref.of(name, text)


def _texts(settings: Settings, here: Place, keys: tuple[str, ...]) -> Iterator[tuple[Place, str]]:
    for key in keys:
        value = getattr(settings, key)
        if isinstance(value, tuple):
            yield from (((*here, key, position), one) for position, one in enumerate(value))
        elif value is not None:
            yield (*here, key), value
