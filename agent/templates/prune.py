"""What is taken out of a template together: tags, and the devices, connections and machines that then have none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from agent.derived import refs_of
from agent.document import KeyPath
from agent.site import Site
from agent.templates.draft import Draft
from pipelines.derive.rule import Ref

_CONNECTION: Final = len(("connections", 0))
_DEVICE: Final = len(("connections", 0, "devices", 0))


def tag_rows(site: Site) -> Iterator[tuple[KeyPath, Ref]]:
    """Where each tag is written, and which it is."""
    for position, connection in enumerate(site.connections):
        for index, tag in enumerate(connection.tag_list()):
            machine = tag.machine or connection.machine or ""
            yield ("connections", position, *connection.tag_place(index)), Ref(machine, tag.name)


def without_tags(draft: Draft, keep: Callable[[Ref], bool]) -> Draft:
    """A template without the tags that are not kept, and without connections and machines that have nothing left.

    Nothing that stays may name a tag that goes.
    """
    return draft.without(_homeless(draft.site, keep))


def _homeless(site: Site, keep: Callable[[Ref], bool]) -> set[KeyPath]:
    """Tags that go, and what then is empty."""
    homes: dict[KeyPath, bool] = defaultdict(bool)  # a device's own tags, which its profile makes, stand at the device
    for place, ref in tag_rows(site):
        for length in (_CONNECTION, _DEVICE, len(place)):
            homes[place[:length]] |= keep(ref)
    for position, connection in enumerate(site.connections):
        homes["connections", position] |= bool(connection.event_list())
    doomed = {place for place, kept in homes.items() if not kept}
    left = {ref.machine for place, ref in tag_rows(site) if place not in doomed}
    left |= {one.machine or "" for at, one in enumerate(site.connections) if ("connections", at) not in doomed}
    return doomed | {("machines", ref.machine) for _, ref in tag_rows(site) if ref.machine not in left}


def without_machines(draft: Draft, gone: set[str]) -> Draft:
    """A template without some machines, their tags and alarms, and what others name of them."""
    site = draft.site
    doomed: set[KeyPath] = {("machines", name) for name in gone}
    doomed |= {("alarms", index) for index, one in enumerate(site.alarms) if one.machine in gone}
    doomed |= {("exposure", index) for index, one in enumerate(site.exposure) if one.machine in gone}
    doomed |= set(_naming(refs_of(site), gone))
    return draft.without(doomed | _homeless(site, lambda ref: ref.machine not in gone))


def _naming(refs: Iterable[tuple[KeyPath, Ref]], gone: set[str]) -> Iterator[KeyPath]:
    """What names a tag of these machines: a value of a cycle by itself, anything else as a whole."""
    for place, ref in refs:
        if ref.machine in gone:
            within = place[2:3] == ("cycle",) and place[3:4] == ("values",)
            yield place if within else place[:3] if place[0] == "machines" else place[:2]
