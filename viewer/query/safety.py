"""Detectors, safety equipment and critical control points as they stand now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from viewer.catalog import MachineInfo, TagInfo
from viewer.overview import MachineView, TagView
from viewer.query.alarm_list import Standing, rows_of
from viewer.safety.verdict import Verdict, is_known, verdict
from viewer.site_info import AlarmInfo, GasInfo, SiteInfo
from viewer.stores.base import Store

EXPOSURE: Final = "exposure"
_MINUTE_NS: Final = 60 * 10**9
_STEL_HOLDS_NS: Final = 3 * _MINUTE_NS
"""The 15-minute mean comes each minute: an older one is none of now."""
_TWA_HOLDS_NS: Final = 18 * _MINUTE_NS
"""The 8-hour mean comes each quarter of an hour."""
_LOOKS_NS: Final = (60 * _MINUTE_NS, 24 * 60 * _MINUTE_NS)
"""How far back the beginning of a fault is looked for, the nearer first."""
_MEANS: Final = tuple(f"{name}{end}" for name in ("stel", "twa") for end in ("", "_of_limit", "_coverage", "_at_least"))

Ref = tuple[str, str]
"""Machine and tag."""


@dataclass(frozen=True, slots=True)
class Mean:
    """The newest mean of one window.

    Attributes:
        value: over what is known of it; None = less than three quarters are, or none was told lately.
        of_limit: the same as a part of the limit; None = there is no limit.
        coverage: known part of the window, 0 to 1; None = none was told.
        end_ns: its end, ns since 1970 UTC; None = none was told.
        at_least: the mean with clean air in the unknown time; None = not told.
    """

    value: float | None = None
    of_limit: float | None = None
    coverage: float | None = None
    end_ns: int | None = None
    at_least: float | None = None


@dataclass(frozen=True, slots=True)
class Watched:
    """A value that alarms watch.

    Attributes:
        machine: it belongs to.
        tag: with its newest value.
        alarms: that watch it.
        standing: those of them that are anything but normal.
        verdict: how it stands.
        gas: what is measured, where its means are kept.
        since_ns: newest usable value of one that is not known, or the last word that the sensor was in order, ns since
            1970 UTC; None = it is in order, or nobody knows since when not.
        stel: mean of 15 minutes.
        twa: mean of 8 hours.
    """

    machine: MachineInfo
    tag: TagView
    alarms: tuple[AlarmInfo, ...]
    standing: tuple[Standing, ...]
    verdict: Verdict
    gas: GasInfo | None = None
    since_ns: int | None = None
    stel: Mean = Mean()
    twa: Mean = Mean()


class Now:
    """What is known of the machines of a site now.

    Args:
        store: holds it.
        site: whose machines.
        views: them, with their newest values.
        standing: alarms that are anything but normal.
        alive_ns: newest heartbeat of its agents while all are alive; None = they are not.
        now_ns: the time now, ns since 1970 UTC.
    """

    def __init__(
        self,
        store: Store,
        site: SiteInfo,
        views: Iterable[MachineView],
        standing: Sequence[Standing],
        alive_ns: int | None,
        now_ns: int,
    ) -> None:
        self._store, self._site, self._standing = store, site, standing
        self._alive_ns, self._now_ns = alive_ns, now_ns
        self._tags: Mapping[Ref, TagView] = {
            (view.info.name, tag.info.name): tag for view in views if view.info.key[:2] == site.key for tag in view.tags
        }

    def watched(self, ref: Ref, alarms: Sequence[AlarmInfo], gas: GasInfo | None = None) -> Watched:
        """One value with the alarms that watch it.

        Raises:
            DependencyError: the store cannot be reached.
        """
        own = tuple(one for one in alarms if ref in one.tags)
        keys = {(one.machine, one.name) for one in own}
        standing = tuple(one for one in self._standing if one.key in keys)
        tag = self._tag(ref)
        faults = list(dict.fromkeys(one.fault for one in own if one.fault))
        said = [self._is_on(one) for one in faults]
        faulty = True if True in said else None if None in said else False
        guards = list(dict.fromkeys(one.only_while for one in own))
        counts: bool | None = True
        if len(guards) == 1 and guards[0] is not None:
            counts = self._is_on(guards[0])
        known = is_known(tag, self._now_ns, self._alive_ns)
        found = verdict(tag, own, standing, known=known, faulty=faulty, counts=counts)
        since_ns = None
        if found is Verdict.FAULT:
            since_ns = self._in_order_ns(faults[said.index(True)])
        elif found is Verdict.UNKNOWN:
            since_ns = tag.time_ns if not known else min((self._tag(one).time_ns or 0 for one in faults), default=None)
        machine = self._site.machines[ref[0]]
        stel, twa = self._means(machine, gas) if gas else (Mean(), Mean())
        return Watched(machine, tag, own, standing, found, gas, since_ns or None, stel, twa)

    def _tag(self, ref: Ref) -> TagView:
        return self._tags.get(ref) or TagView(self._site.machines[ref[0]].tags.get(ref[1], TagInfo(ref[1])))

    def _is_on(self, ref: Ref) -> bool | None:
        """Whether a tag is other than 0; None = that is not known."""
        if ref[0] not in self._site.machines:
            return None
        tag = self._tag(ref)
        if not is_known(tag, self._now_ns, self._alive_ns) or isinstance(tag.value, str):
            return None
        return bool(tag.value)

    def _in_order_ns(self, ref: Ref) -> int | None:
        """When a sensor last said that it is in order; None = not within the last day."""
        place = self._site.machines[ref[0]].place()
        for back_ns in _LOOKS_NS:
            told = self._store.points(place, ref[1], self._now_ns - back_ns, self._now_ns + 1)
            well = np.flatnonzero(told.value.astype(np.float64) == 0)
            if len(well):
                return int(told.time_ns[well[-1]])
        return None

    def _means(self, machine: MachineInfo, gas: GasInfo) -> tuple[Mean, Mean]:
        """The newest 15-minute and 8-hour means."""
        since_ns = self._now_ns - _LOOKS_NS[0]
        series = self._store.tagged(machine.place(EXPOSURE), _MEANS, since_ns, self._now_ns + 1)
        rows = [row for one in series if one.tags.get("tag") == gas.tag for row in rows_of(one)]
        rows.sort(key=lambda row: row[0])
        return (
            self._newest(rows, "stel", _STEL_HOLDS_NS),
            self._newest(rows, "twa", _TWA_HOLDS_NS),
        )

    def _newest(self, rows: Sequence[tuple[int, dict[str, Any]]], name: str, holds_ns: int) -> Mean:
        told = [row for row in rows if f"{name}_coverage" in row[1]]
        if not told:
            return Mean()
        end_ns, fields = told[-1]
        if self._now_ns - end_ns > holds_ns:
            return Mean(end_ns=end_ns)
        values = (fields.get(f"{name}{end}") for end in ("", "_of_limit", "_coverage", "_at_least"))
        value, of_limit, coverage, at_least = (None if one is None else float(one) for one in values)
        return Mean(value, of_limit, coverage, end_ns, at_least)


def detectors_of(site: SiteInfo, machines: Iterable[MachineInfo]) -> list[Ref]:
    """Tags of these machines that measure something dangerous to breathe or to light.

    They are those of `exposure`, and those of safety alarms whose sensor says when it is out of order (`fault`).
    """
    refs = {(one.machine, one.tag) for one in site.gases}
    refs |= {ref for one in site.alarms if one.safety and one.fault for ref in one.tags}
    return [(one.name, tag) for one in machines for tag in one.tags if (one.name, tag) in refs]


def equipment_of(site: SiteInfo, machines: Sequence[MachineInfo], detectors: Sequence[Ref]) -> dict[str, list[str]]:
    """Tanks, scrubbers, ventilation and whatever else has safety alarms and is no detector: machine to its tags.

    Machines of the same class that have none are there too, such as a tank that nobody watches: with all their tags.
    """
    own = {name for name, _ in detectors}
    watching = {one.machine for one in site.alarms if one.safety} - own
    classes = {one.measurement for one in machines if one.name in watching and one.measurement}
    found: dict[str, list[str]] = {}
    for one in machines:
        if one.name in own or not (one.name in watching or one.measurement in classes):
            continue
        tags = {tag for alarm in site.alarms for name, tag in alarm.tags if name == one.name}
        found[one.name] = [tag for tag in one.tags if tag in tags or not tags]
    return found
