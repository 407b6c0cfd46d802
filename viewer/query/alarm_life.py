"""The life of one alarm: every change that was told of it, who did it, and how it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipelines.calendar import Span
from viewer.query.alarm_list import (
    ACTION,
    ALARM,
    FIELDS,
    SAID,
    AlarmKey,
    Changes,
    Occurrence,
    Standing,
    rows_of,
    told_state,
    walk,
)
from viewer.site_info import SiteInfo
from viewer.stores.base import Place, Store


@dataclass(frozen=True, slots=True)
class Step:
    """A change of an alarm.

    Attributes:
        time_ns: when, ns since 1970 UTC.
        event: as it was told (docs/alarms.md); an alarm of a device has words of its own.
        state: of the life cycle that it led to.
        value: what was compared; None = not told.
        cause: `condition` or `fault`; empty = not told.
        by: who did it; empty = nobody, or a device that does not say.
        comment: what they said.
        until_ns: end of a shelving; None = it is none.
    """

    time_ns: int
    event: str
    state: str
    value: float | None = None
    cause: str = ""
    by: str = ""
    comment: str = ""
    until_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Life:
    """What was told of one alarm.

    Attributes:
        steps: oldest first.
        occurrences: each time it called people, oldest first.
        standing: how it stands at the end; None = normal, or nothing was ever told of it.
    """

    steps: tuple[Step, ...] = ()
    occurrences: tuple[Occurrence, ...] = ()
    standing: Standing | None = None


def life_of(store: Store, site: SiteInfo, key: AlarmKey, period: Span) -> Life:
    """Everything that was told of an alarm in a period.

    Args:
        store: holds it.
        site: whose alarm.
        key: machine and alarm.
        period: start and end, ns since 1970 UTC.

    Raises:
        DependencyError: the store cannot be reached.
    """
    rows: list[tuple[int, dict[str, Any]]] = []
    said: list[tuple[int, dict[str, Any]]] = []
    place = None
    for one in {one.place for one in store.series() if one.place.measurement == ALARM}:
        if (one.company, one.site, one.machine) == (*site.key, key[0]):
            place = one  # of a machine that was moved to another line there are two
            rows += _rows(store, one, FIELDS, key, period)
            said += _rows(store, replace(one, measurement=ACTION), SAID, key, period)
    if place is None:
        return Life()
    rows.sort(key=lambda row: row[0])
    found, standing = walk(rows, dict(said), place, key[1])
    return Life(tuple(steps_of(rows, dict(said))), tuple(found), standing)


def _rows(
    store: Store, place: Place, fields: Sequence[str], key: AlarmKey, period: Span
) -> list[tuple[int, dict[str, Any]]]:
    found = [one for one in store.tagged(place, fields, *period) if one.tags.get(ALARM) == key[1]]
    return [row for one in found for row in rows_of(one)]


def steps_of(changes: Changes, said: Mapping[int, Mapping[str, Any]]) -> list[Step]:
    """Every change of an alarm; pure.

    Args:
        changes: its points, oldest first.
        said: what people did with it, by the times of these points.
    """
    steps: list[Step] = []
    told: dict[str, Any] = {}
    for time_ns, fields in changes:
        told |= fields
        person = said.get(time_ns, {})
        steps.append(
            Step(
                time_ns,
                fields.get("event", ""),
                fields.get("state") or told_state(told, active=told.get("active")),
                fields.get("value"),
                fields.get("cause", ""),
                person.get("by", ""),
                person.get("comment") or fields.get("comment", ""),
                person.get("until"),
            )
        )
    return steps
