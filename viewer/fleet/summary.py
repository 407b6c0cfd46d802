"""What is said of one company among many, out of the newest of each of its tags. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from viewer.catalog import Catalog
from viewer.fleet.promised import Promised
from viewer.goals.programme import heard
from viewer.kpi.freshness import Freshness, freshness_of
from viewer.overview import overview
from viewer.stores.base import Latest

DAY_NS: Final = 86_400 * 10**9
SHARED: Final = {"aggregate": 60 * 10**9, "state": 0, "count": 0}
"""Measurements that a company shares instead of readings, and how long after their time they end."""


@dataclass(frozen=True, slots=True)
class Detail:
    """What is asked of the store for each company by itself, and less often.

    Attributes:
        at_ns: when it was asked, ns since 1970 UTC.
        rate: 수집률 of today, percent, the mean of its sites; None = 미수집.
        without_reason: part of `asked_ns` that waits for a reason, percent; None = there is none, or no states.
        urgent: urgent alarms that are active or that nobody acknowledged yet, as `/alarms` counts them: none shelved.
        waiting: alarms that nobody acknowledged.
        urgent_today: urgent alarms that came today.
        urgent_waiting: of `urgent`, those that nobody acknowledged.
        asked_ns: today's downtime of all machines that has a reason or waits for one.
    """

    at_ns: int
    rate: float | None = None
    without_reason: float | None = None
    urgent: int = 0
    waiting: int = 0
    urgent_today: int = 0
    urgent_waiting: int = 0
    asked_ns: int = 0


@dataclass(frozen=True, slots=True)
class Summary:
    """A company.

    Attributes:
        company: its name.
        seen_ns: newest usable reading, ns since 1970 UTC; None = never.
        freshness: by that.
        machines: that are configured or stored.
        connected: those whose data is fresh.
        silent_days: whole days since `seen_ns`; None = never anything came.
        detail: None = not asked yet.
        promised: its goals; None = it has none, or they were not measured yet.
        heard_ns: when anything came last, usable or not, ns since 1970 UTC; None = never.
    """

    company: str
    seen_ns: int | None
    freshness: Freshness
    machines: int
    connected: int
    silent_days: int | None
    detail: Detail | None = field(default=None)
    promised: Promised | None = field(default=None)
    heard_ns: int | None = None


def by_company(latest: Iterable[Latest], catalog: Catalog) -> dict[str, list[Latest]]:
    """The newest of each tag by company; companies of the site files are there without any."""
    found: dict[str, list[Latest]] = {key[0]: [] for key in catalog.machines}
    for one in latest:
        found.setdefault(one.place.company, []).append(one)
    return found


def catalogs(catalog: Catalog) -> dict[str, Catalog]:
    """A catalog of each company's machines."""
    found: dict[str, Catalog] = {}
    for key, one in catalog.machines.items():
        machines = found.setdefault(key[0], Catalog({})).machines
        assert isinstance(machines, dict)
        machines[key] = one
    return found


def summary(company: str, latest: Sequence[Latest], catalog: Catalog, now_ns: int) -> Summary:
    """A company out of the newest of its tags.

    Args:
        company: its name.
        latest: the newest of each of its tags.
        catalog: its machines.
        now_ns: ns since 1970 UTC.
    """
    views = overview(latest, catalog, now_ns)
    times = [one.seen_ns for one in views if one.seen_ns is not None]
    shared = ((one.time_ns, SHARED[one.place.measurement]) for one in latest if one.place.measurement in SHARED)
    times += [min(now_ns, at + longer) for at, longer in shared if at is not None]
    seen_ns = max(times, default=None)
    return Summary(
        company,
        seen_ns,
        freshness_of(seen_ns, now_ns),
        len(views),
        sum(one.freshness is Freshness.OK for one in views),
        None if seen_ns is None else max(0, now_ns - seen_ns) // DAY_NS,
        heard_ns=heard(latest).get(company),
    )
