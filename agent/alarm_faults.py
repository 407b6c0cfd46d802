"""What can be wrong with alarms and exposures beside the other parts of a site."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipelines.derive.exposure_limits import ExposureSettings, limits_table

if TYPE_CHECKING:
    from agent.site import Site

Found = tuple[tuple[str | int, ...], str, str]
"""Where it stands, what is wrong and what to do, and the key that it is about."""


def alarm_faults(site: Site) -> Iterator[Found]:
    """Alarms of no machine, names used twice, gases of no substance or in another unit."""
    yield from _homeless(site)
    seen: set[tuple[str, str]] = set()
    for index, alarm in enumerate(site.alarms):
        if (alarm.machine, alarm.name) in seen:
            reason = f"{alarm.machine} has an alarm {alarm.name!r} already; name one of them otherwise"
            yield ("alarms", index, "name"), reason, "name"
        seen.add((alarm.machine, alarm.name))
    yield from _exposures(site)


def _homeless(site: Site) -> Iterator[Found]:
    machines = [(("alarms", index, "machine"), one.machine) for index, one in enumerate(site.alarms)]
    machines += [(("exposure", index, "machine"), one.machine) for index, one in enumerate(site.exposure)]
    for place, machine in machines:
        if machine not in site.machines:
            yield place, f"{machine!r} is not in machines; add it there", "machine"


def _exposures(site: Site) -> Iterator[Found]:
    units = {
        (tag.machine or connection.machine, tag.name): tag.engineering_unit
        for connection in site.connections
        for tag in connection.tag_list()
    }
    seen: set[tuple[str, str]] = set()
    for index, gas in enumerate(site.exposure):
        if (gas.machine, gas.tag) in seen:
            yield ("exposure", index, "tag"), f"{gas.tag!r} of {gas.machine} stands here twice; remove one", "tag"
        seen.add((gas.machine, gas.tag))
        limits = limits_table().get(gas.substance)
        if limits is None:
            known = ", ".join(limits_table())
            yield ("exposure", index, "substance"), f"{gas.substance!r} has no limits; there are {known}", "substance"
        elif (unit := units.get((gas.machine, gas.tag), limits.unit)) != limits.unit:
            reason = f"is in {unit or 'no unit'}, the limits of {gas.substance} in {limits.unit}; set its "
            yield ("exposure", index, "tag"), f"{reason}engineering_unit, or its scale", "tag"


def unconfirmed(gas: ExposureSettings) -> str:
    """What is to say of limits that nobody has confirmed; empty when they are, or are the site's own."""
    table = limits_table()[gas.substance]
    if table.verified or (gas.twa and (gas.stel or table.stel is None)):
        return ""
    return f"the limits of {gas.substance} are not confirmed ({table.source}); set twa and stel to those that hold"
