"""개선 제안: what a figure gives reason to look at, with that figure and where it comes from. Pure.

A hint is there only while its figure is beyond its limit; without samples there is no figure, and no hint.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from viewer.kpi.result import LEAST_COVER

if TYPE_CHECKING:
    from viewer.query.company import SiteDay

WITHOUT_REASON: Final = 50.0
"""Per cent of the stopped time without a reason."""
ONE_REASON: Final = 40.0
"""Per cent of the stopped time for one reason."""
IDLE: Final = 30.0
"""Per cent of the electricity that was used while nobody worked, over seven days."""
LEAST_STOPPED_NS: Final = 30 * 60 * 10**9
"""Below half an hour of standing, shares of it say nothing."""


@dataclass(frozen=True, slots=True)
class Hint:
    """Something to look at.

    Attributes:
        word: `advice_<word>` of `viewer/i18n` says it.
        values: figures that are filled in.
        page: where they come from: `oee`, `quality`, `energy`, `alarms` or `machines`.
    """

    word: str
    values: Mapping[str, str]
    page: str


def hints(day: SiteDay, lost: int, machines: int, urgent: int) -> list[Hint]:
    """What the figures of a site give reason to look at.

    Args:
        day: its figures.
        lost: machines of it that are not in touch (단절, 미수집).
        machines: all of it.
        urgent: urgent alarms that wait for somebody.
    """
    found = []
    if urgent:
        found.append(Hint("urgent", {"n": str(urgent)}, "alarms"))
    if lost:
        found.append(Hint("lost", {"n": str(lost), "of": str(machines)}, "machines"))
    rate = day.figures.get("DQ-RATE")
    if rate is not None and rate.value is not None and rate.value < LEAST_COVER:
        found.append(Hint("rate", {"share": f"{rate.value:.1f}", "limit": f"{LEAST_COVER:g}"}, "quality"))
    if day.idle is not None and day.idle.share is not None and day.idle.share >= IDLE:
        found.append(Hint("idle", {"share": f"{day.idle.share:.1f}", "hours": str(day.idle.hours)}, "energy"))
    stopped, without = day.standstill, day.standstill.without_reason
    if without is not None and stopped.asked_ns >= LEAST_STOPPED_NS and without >= WITHOUT_REASON:
        minutes = f"{stopped.asked_ns / 60e9:,.1f}"
        found.append(Hint("no_reason", {"share": f"{without:.1f}", "minutes": minutes}, "oee"))
    if stopped.length_ns < LEAST_STOPPED_NS:
        return found
    first = next((one for one in stopped.stops if one.reason), None)
    if first is not None and (share := first.length_ns / stopped.length_ns * 100) >= ONE_REASON:
        values = {"reason": first.reason, "share": f"{share:.1f}", "minutes": f"{first.length_ns / 60e9:,.1f}"}
        found.append(Hint("reason", values, "oee"))
    return found
