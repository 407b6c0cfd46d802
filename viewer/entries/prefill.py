"""What a form can say already: the stops that nobody explained, what runs now, the shift that is on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from pipelines.calendar import Calendar, Span
from viewer.catalog import MachineInfo
from viewer.entries.read import Context
from viewer.entries.stops import explained, unexplained, within
from viewer.entries.written import Written
from viewer.overview import HOLDS_S, NS
from viewer.query.downtime import least_stop_s
from viewer.query.states import state_runs
from viewer.site_info import SiteInfo
from viewer.stores.base import Latest, Store

LOOK_BACK_NS: Final = 24 * 3600 * NS
"""Stops are asked about for so long: the last three shifts."""
MOST_STOPS: Final = 20
_TAGS: Final = {"product": ("product_code", "product"), "lot": ("lot_id", "lot")}
"""Tags in which machines tell what they make, as line templates call them."""


@dataclass(frozen=True, slots=True)
class OpenStop:
    """A stop that nobody gave a reason for.

    Attributes:
        machine: that stood.
        start_ns: since when, ns since 1970 UTC.
        end_ns: until when; None = it stands still.
        code: canonical state, the longest of it.
        length_ns: how long, until now at most.
    """

    machine: MachineInfo
    start_ns: int
    end_ns: int | None
    code: int
    length_ns: int


def open_stops(store: Store, site: SiteInfo, counts: Sequence[Written], now_ns: int) -> list[OpenStop]:
    """Stops in working time of the last 24 hours that nobody explained, newest first.

    Args:
        store: holds the states.
        site: whose machines they are.
        counts: entries of the site that count.
        now_ns: the time now, ns since 1970 UTC.

    Raises:
        DependencyError: the store cannot be reached.
    """
    period = (now_ns - LOOK_BACK_NS, now_ns)
    least_s = least_stop_s(site)
    working = site.calendar.working(*period)
    found: list[OpenStop] = []
    for machine in site.machines.values():
        if machine.has_state:
            said = [one for one in counts if (one.entry.kind, one.entry.machine) == ("stop", machine.name)]
            runs = [(one.start_ns, one.end_ns, one.code) for one in state_runs(store, machine, period)]
            for one in unexplained(explained(within(runs, working), said), least_s):
                goes_on = one.end_ns > now_ns - HOLDS_S * NS
                end_ns = None if goes_on else one.end_ns
                found.append(OpenStop(machine, one.start_ns, end_ns, one.code, one.end_ns - one.start_ns))
    return sorted(found, key=lambda one: -one.start_ns)[:MOST_STOPS]


def running(latest: Iterable[Latest], contexts: Iterable[Context], machine: str, now_ns: int) -> dict[str, str]:
    """Product, order and lot that are being made on a machine now, as far as anything says so. Pure.

    Args:
        latest: newest values of the site.
        contexts: orders and lots that were entered, oldest first.
        machine: which; empty = none in particular.
        now_ns: the time now, ns since 1970 UTC.
    """
    found: dict[str, str] = {}
    for one in contexts:
        said = one.said
        if said.start is None or said.start > now_ns or (said.end or said.shipped) is not None:
            continue
        if one.kind == "order" or one.machine in {"", machine}:
            found |= {name: text for name in ("product", "order", "lot") if (text := str(getattr(said, name)))}
    told = {one.field: one for one in latest if one.place.machine == machine and machine}
    for name, tags in _TAGS.items():
        for tag in tags:
            if tag in told and told[tag].value not in {None, "", 0} and not told[tag].status:
                found[name] = _plain(told[tag].value)
                break
    return found


def shift_now(calendar: Calendar, now_ns: int) -> Span | None:
    """The shift that is on, from its beginning to its end; None = nobody is planned to work."""
    today = calendar.production_day(now_ns)
    for day in (today, today - timedelta(days=1)):
        for _, spans in calendar.shifts(day):
            if spans and spans[0][0] <= now_ns < spans[-1][1]:
                return spans[0][0], spans[-1][1]
    return None


def _plain(value: object) -> str:
    """A code as people write it: stores give whole numbers of a numeric tag with a decimal."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
