"""Entries of the hash-chained log of a site, as the store has them."""

from __future__ import annotations

from typing import Final

from pipelines.calendar import Span
from viewer.query.alarm_list import rows_of
from viewer.safety.log import Checked, Logged, checked, logged
from viewer.site_info import SiteInfo
from viewer.stores.base import Store

EVENT_LOG: Final = "event_log"
MARGIN_NS: Final = 86_400 * 10**9
"""Entries of so long before a period are looked at with it: a clock that was set puts neighbours apart."""
_FIELDS: Final = ("seq", "hash", "entry")
_ALWAYS_NS: Final = 0


def entries_of(store: Store, site: SiteInfo, period: Span) -> list[Logged]:
    """Entries whose time lies in a period, oldest first.

    Raises:
        DependencyError: the store cannot be reached.
    """
    found = []
    for place in {one.place for one in store.series() if one.place.measurement == EVENT_LOG}:
        if (place.company, place.site) != site.key:
            continue
        for series in store.tagged(place, _FIELDS, *period):
            alarm = series.tags.get("alarm", "")
            found += [
                logged(
                    at, place.machine, alarm, int(told.get("seq", 0)), *(str(told.get(one, "")) for one in _FIELDS[1:])
                )
                for at, told in rows_of(series)
            ]
    return sorted(found, key=lambda one: (one.time_ns, one.seq))


def log_of(store: Store, site: SiteInfo, period: Span, *, all_of_it: bool = False) -> tuple[list[Logged], Checked]:
    """Entries of a period, and whether the log is whole from a day before it to its end, or from its beginning.

    What looks like a break among these may be one of a clock that was set: then everything up to the end is looked at.

    Raises:
        DependencyError: the store cannot be reached.
    """
    start_ns = _ALWAYS_NS if all_of_it else max(_ALWAYS_NS, period[0] - MARGIN_NS)
    found = entries_of(store, site, (start_ns, period[1]))
    verdict = checked(found)
    if verdict.breaks and start_ns > _ALWAYS_NS:
        verdict = checked(entries_of(store, site, (_ALWAYS_NS, period[1])))
    return [one for one in found if one.time_ns >= period[0]], verdict
