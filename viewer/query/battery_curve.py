"""The stored curve of a battery test: raw readings of a channel by role, and the test made of them anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pipelines.calendar import Span
from pipelines.derive.battery.grading import GradingRule
from pipelines.derive.battery.record import Record
from pipelines.derive.battery.replay import Replay, replay
from pipelines.derive.battery.settings import ChannelSettings
from pipelines.derive.rule import Ref
from pipelines.derive.settle import Reading
from pipelines.errors import ShopfloorError
from pipelines.point import GOOD
from viewer.battery.record import BatteryTest
from viewer.catalog import MachineInfo
from viewer.query.pieces import LOOK_BACK_NS
from viewer.query.recalled import recalled
from viewer.site_info import SiteInfo
from viewer.stores.base import QUALITY, Place, Points, Store

MOST_READINGS: Final = 2_000_000
"""Of one test; of more nothing is made, so that one page does not fill the memory."""
_MARGINS_NS: Final = (60 * 10**9, 3660 * 10**9)
"""A record's times are the agent's, those of its readings the device's: off by `max_skew_s` (an hour) at most."""
_SAME_NS: Final = 5 * 10**9
"""Two records of one test are as long as each other but for this."""


class TooLongError(ShopfloorError):
    """A test has more readings than are read at once."""


@dataclass(frozen=True, slots=True)
class Anew:
    """A test that was made anew of its stored readings.

    Attributes:
        record: by the rule that was asked for; None = the curve comes to no test as long as the recorded one.
        found: everything that the curve came to.
        readings: raw readings that it was made of, those before the test that still held included.
    """

    record: Record | None
    found: Replay
    readings: int


def tags_of(machine: MachineInfo, channel: ChannelSettings) -> dict[str, Ref]:
    """Tag of each role of a channel."""
    return {role: Ref.of(machine.name, text) for _, role, text in channel.roles()}


def curve_of(store: Store, site: SiteInfo, tags: Mapping[str, Ref], period: Span) -> list[Reading]:
    """Raw readings of a channel in a period, with those before it that still held; bad ones have a status.

    Raises:
        TooLongError: there are more than `MOST_READINGS`.
    """
    wanted = [(place, tag + ending) for place, tag in _fields(site, tags).values() for ending in ("", QUALITY)]
    found = dict(zip(wanted, store.readings(wanted, *period), strict=True))
    if sum(len(one.time_ns) for one in found.values()) > MOST_READINGS:
        msg = f"a test of more than {MOST_READINGS:,} readings is not read at once"
        raise TooLongError(msg)
    told: dict[str, dict[str, list[Reading]]] = {}
    for role, (place, tag) in _fields(site, tags).items():
        inside = _readings(role, found[place, tag], found[place, tag + QUALITY])
        told.setdefault(place.machine, {})[role] = _before(store, place, tag, role, period[0]) + inside
    holds = {
        role: site.machines[ref.machine].tags[ref.tag].period_s is None for role, ref in _known(site, tags).items()
    }
    curve = [one for roles in told.values() for some in roles.values() for one in some]
    return curve + [one for roles in told.values() for one in recalled(roles, holds)]


def made_anew(store: Store, site: SiteInfo, test: BatteryTest, rule: GradingRule) -> Anew | None:
    """A test made anew of what is stored; None = its channel is not configured any more, or its end is not known.

    Raises:
        TooLongError: it has more readings than are read at once.
    """
    machine = site.machines.get(test.name)
    channel = machine.battery.channels.get(test.channel) if machine and machine.battery else None
    if machine is None or machine.battery is None or channel is None or test.span[1] is None:
        return None
    start_ns, end_ns = test.span[0], test.span[1]
    anew: Anew | None = None
    for margin_ns in _MARGINS_NS:
        curve = curve_of(store, site, tags_of(machine, channel), (start_ns - margin_ns, end_ns + margin_ns))
        found = replay(curve, rule, machine.battery.states)
        same = [one for one in found.records if _same(one, start_ns, end_ns)]
        if same:
            return Anew(min(same, key=lambda one: abs(one.start_ns - start_ns)), found, len(curve))
        anew = anew or Anew(None, found, len(curve))
    return anew


def _same(one: Record, start_ns: int, end_ns: int) -> bool:
    """Whether this is the test; one that was running when the agent was started began before it was known."""
    as_long = abs(one.end_ns - one.start_ns - (end_ns - start_ns)) <= _SAME_NS
    return as_long or (one.start_ns <= start_ns and abs(one.end_ns - end_ns) <= _SAME_NS)


def _known(site: SiteInfo, tags: Mapping[str, Ref]) -> dict[str, Ref]:
    """Roles whose tag is still configured."""
    return {
        role: ref
        for role, ref in tags.items()
        if ref.machine in site.machines and ref.tag in site.machines[ref.machine].tags
    }


def _fields(site: SiteInfo, tags: Mapping[str, Ref]) -> dict[str, tuple[Place, str]]:
    """Where the readings of each role are stored."""
    return {role: (site.machines[ref.machine].place(), ref.tag) for role, ref in _known(site, tags).items()}


def _before(store: Store, place: Place, tag: str, role: str, start_ns: int) -> list[Reading]:
    """The reading that held when the period began, and what was said of its quality later."""
    value = store.before(place, tag, start_ns, start_ns - LOOK_BACK_NS)
    since_ns = int(value.time_ns[-1]) if len(value.time_ns) else start_ns - LOOK_BACK_NS
    return _readings(role, value, store.before(place, tag + QUALITY, start_ns, since_ns))


def _readings(role: str, values: Points, quality: Points) -> list[Reading]:
    """Readings of a tag; a bad one has no value."""
    status = dict(zip(quality.time_ns.tolist(), quality.value.tolist(), strict=True))
    found = [
        Reading(at, role, value, int(status.pop(at, GOOD)))
        for at, value in zip(values.time_ns.tolist(), values.value.tolist(), strict=True)
    ]
    bad = [Reading(at, role, 0, int(code)) for at, code in status.items()]
    return sorted(found + bad, key=lambda one: one.time_ns)
