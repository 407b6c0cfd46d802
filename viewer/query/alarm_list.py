"""Alarms of a site as they came, went and were taken note of, from measurements `alarm` and `alarm_action`.

Alarms of agents say their `state` (docs/alarms.md); those of devices say `active` and `acknowledged` alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pipelines.calendar import Span
from viewer.site_info import SiteInfo
from viewer.stores.base import Place, Store, Tagged

ALARM: Final = "alarm"
ACTION: Final = "alarm_action"
NORM: Final = "NORM"
UNACK: Final = "UNACK"
ACKED: Final = "ACKED"
RTN_UNACK: Final = "RTN_UNACK"
SHELVED: Final = "SHELVED"
SUPPRESSED: Final = "SUPPRESSED"
WAITING: Final = frozenset({UNACK, RTN_UNACK, "LATCHED"})
"""States that wait for a person."""
LOOK_BACK_NS: Final = 92 * 86_400 * 10**9
"""What stands now is looked for so far back."""
FIELDS: Final = ("active", "acknowledged", "shelved", "severity", "priority", "event", "state", "message", "cause",
                  "value", "comment")  # fmt: skip
SAID: Final = ("action", "by", "comment", "until")
_LEAST: Final = ((800, "urgent"), (600, "important"), (400, "caution"))
"""Least severities (OPC 10000-9, 1 to 1000) of priorities: half-way between those that agents write."""

AlarmKey = tuple[str, str]
"""Machine and alarm."""
Changes = Sequence[tuple[int, Mapping[str, Any]]]
"""Time, ns since 1970 UTC, and fields of each point of one alarm, oldest first."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An alarm that called people once.

    Attributes:
        key: machine and alarm.
        line: of the machine.
        priority: `urgent`, `important`, `caution` or `info`.
        raised_ns: when it came, ns since 1970 UTC.
        message: as it was said then.
        value: what was compared; None = not told.
        cause: `condition`, or `fault` of a safety alarm whose value was unknown; empty = not told.
        ended_ns: when its condition was over; None = not yet.
        acknowledged_ns: when somebody took note; None = nobody did.
        by: who.
        comment: what they said.
    """

    key: AlarmKey
    line: str
    priority: str
    raised_ns: int
    message: str = ""
    value: float | None = None
    cause: str = ""
    ended_ns: int | None = None
    acknowledged_ns: int | None = None
    by: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """An alarm that is anything but normal.

    Attributes:
        last: how it came; None = it came before what was looked at, or under a cover.
        key: machine and alarm.
        line: of the machine.
        priority: as it was told last.
        state: of its life cycle (docs/alarms.md).
        active: whether the condition holds.
        since_ns: when it came, or when its state was told, ns since 1970 UTC.
        by: who shelved it.
        comment: what they said.
        until_ns: end of its shelving; None = not shelved.
    """

    last: Occurrence | None
    key: AlarmKey
    line: str
    priority: str
    state: str
    active: bool
    since_ns: int
    by: str = ""
    comment: str = ""
    until_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Deed:
    """What a person did with an alarm.

    Attributes:
        key: machine and alarm.
        priority: as the alarm told it last; `info` where it told none.
        at_ns: when it was done, ns since 1970 UTC.
        action: `acknowledged`, `shelved` or `unshelved`.
        by: who.
        comment: what they said.
        until_ns: end of a shelving; None = it is none.
    """

    key: AlarmKey
    priority: str
    at_ns: int
    action: str
    by: str
    comment: str = ""
    until_ns: int | None = None


@dataclass(frozen=True, slots=True)
class AlarmList:
    """What was told of alarms.

    Attributes:
        occurrences: oldest first.
        standing: what is not normal at the end.
        deeds: what people did, oldest first.
    """

    occurrences: tuple[Occurrence, ...]
    standing: tuple[Standing, ...]
    deeds: tuple[Deed, ...] = ()


def alarm_list(store: Store, site: SiteInfo, period: Span) -> AlarmList:
    """Everything that was told of the alarms of a site in a period.

    Args:
        store: holds it.
        site: whose alarms.
        period: start and end, ns since 1970 UTC.

    Raises:
        DependencyError: the store cannot be reached.
    """
    came: list[Occurrence] = []
    stand: list[Standing] = []
    deeds: list[Deed] = []
    for place in {one.place for one in store.series() if one.place.measurement == ALARM}:
        if (place.company, place.site) != site.key:
            continue
        said = {
            one.tags.get(ALARM, ""): rows_of(one)
            for one in store.tagged(replace(place, measurement=ACTION), SAID, *period)
        }
        for one in store.tagged(place, FIELDS, *period):
            name = one.tags.get(ALARM, "")
            rows = rows_of(one)
            found, last = walk(rows, dict(said.get(name, ())), place, name)
            came += found
            stand += [last] if last else []
            deeds += deeds_of((place.machine, name), rows, said.get(name, ()))
    return AlarmList(
        tuple(sorted(came, key=lambda one: (one.raised_ns, one.key))),
        tuple(sorted(stand, key=lambda one: one.key)),
        tuple(sorted(deeds, key=lambda one: (one.at_ns, one.key))),
    )


def deeds_of(key: AlarmKey, changes: Changes, said: Changes) -> list[Deed]:
    """What people did with one alarm, by its points of both measurements; pure."""
    priority = priority_of({name: value for _, fields in changes for name, value in fields.items()})
    return [
        Deed(key, priority, time_ns, one.get("action", ""), one.get("by", ""), one.get("comment", ""), one.get("until"))
        for time_ns, one in said
    ]


def walk(
    changes: Changes, said: Mapping[int, Mapping[str, Any]], place: Place, name: str
) -> tuple[list[Occurrence], Standing | None]:
    """How often one alarm called, and how it stands at the end; pure.

    Args:
        changes: its points.
        said: what people did with it, by the times of these points.
        place: of its machine.
        name: of the alarm.
    """
    key, found = (place.machine, name), list[Occurrence]()
    active: bool | None = None
    state, told_ns = NORM, 0
    told: dict[str, Any] = {}
    shelving: Mapping[str, Any] = {}
    for time_ns, fields in changes:
        told |= fields
        was, active = active, bool(fields["active"]) if "active" in fields else active
        person = said.get(time_ns, {})
        if _raises(fields, was=was):
            if found and found[-1].ended_ns is None:
                found[-1] = replace(found[-1], ended_ns=time_ns)  # it called again, as when a lost gas is measured
            found.append(Occurrence(key, place.line, priority_of(told), time_ns, fields.get("message", ""),
                                    fields.get("value"), fields.get("cause", "")))  # fmt: skip
        elif found and was and active is False and found[-1].ended_ns is None:
            found[-1] = replace(found[-1], ended_ns=time_ns)
        if found and found[-1].acknowledged_ns is None and fields.get("acknowledged") and _acknowledges(fields):
            by, comment = person.get("by", ""), person.get("comment") or fields.get("comment", "")
            found[-1] = replace(found[-1], acknowledged_ns=time_ns, by=by, comment=comment)
        state = fields.get("state") or told_state(told, active=active)
        shelving = (person or shelving) if state == SHELVED else {}
        told_ns = time_ns
    if state in {NORM, "OUT_OF_SERVICE"}:
        return found, None
    last = found[-1] if found and not (active and found[-1].ended_ns) else None
    since_ns = last.raised_ns if last and state != SHELVED else told_ns
    return found, Standing(last, key, place.line, priority_of(told), state, bool(active), since_ns,
                           shelving.get("by", ""), shelving.get("comment", ""), shelving.get("until"))  # fmt: skip


def _raises(fields: Mapping[str, Any], *, was: bool | None) -> bool:
    if "state" in fields:
        return fields.get("event") == "raised"
    return fields.get("active") is True and not was


def _acknowledges(fields: Mapping[str, Any]) -> bool:
    return fields.get("event") == "acknowledged" if "state" in fields else True


def told_state(told: Mapping[str, Any], *, active: bool | None) -> str:
    """Of an alarm of a device, by what it said; one that knows no acknowledgement is normal when it is over."""
    if told.get("shelved"):
        return SHELVED
    acknowledged = told.get("acknowledged")
    if active:
        return ACKED if acknowledged else UNACK
    return RTN_UNACK if active is False and acknowledged is False else NORM


def priority_of(told: Mapping[str, Any]) -> str:
    """Priority of an alarm by what was told of it; of a device's by its severity."""
    if told.get("priority"):
        return str(told["priority"])
    return next((name for least, name in _LEAST if told.get("severity", 0) >= least), "info")


def rows_of(series: Tagged) -> list[tuple[int, dict[str, Any]]]:
    """Time, ns since 1970 UTC, and fields of each point of one alarm, oldest first."""
    rows: dict[int, dict[str, Any]] = {}
    for field, points in series.fields.items():
        for time_ns, value in zip(points.time_ns.tolist(), points.value.tolist(), strict=True):
            rows.setdefault(time_ns, {})[field] = value
    return sorted(rows.items())


def within(found: Iterable[Occurrence], period: Span) -> list[Occurrence]:
    """Those that came in a period."""
    return [one for one in found if period[0] <= one.raised_ns < period[1]]
