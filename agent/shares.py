"""From the settings of a site to what each destination is shared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipelines.derive.rule import Ref
from pipelines.share.rule import Share

if TYPE_CHECKING:
    from agent.site import Site


def shares_of(site: Site, origin: str) -> list[Share]:
    """What each destination of a site is shared.

    Args:
        site: the site.
        origin: random; numbers batches of a destination that was not there before.
    """
    periods = periods_of(site)
    places = site.machine_places()
    return [Share(name, origin, one.levels(periods), periods, places) for name, one in site.share.items()]


def periods_of(site: Site) -> dict[Ref, float | None]:
    """How often each tag of a site is polled, seconds; None = it is reported by exception."""
    return {
        Ref(tag.machine or connection.machine or "", tag.name): connection.polled_s(tag)
        for connection in site.connections
        for tag in connection.tag_list()
    }


def misnamed(site: Site) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What destinations name and nobody reads: where it is written, and why it is wrong."""
    tags = periods_of(site)
    for name, one in site.share.items():
        for machine in one.machines:
            if machine not in site.machines:
                yield ("share", name, "machines", machine), f"there is no machine {machine}"
        for text in one.tags:
            ref = Ref.of("", text)
            if not ref.machine:
                yield ("share", name, "tags", text), "name the machine too, MACHINE/tag"
            elif ref not in tags:
                yield ("share", name, "tags", text), f"no connection reads a tag {ref.tag!r} of {ref.machine}"
