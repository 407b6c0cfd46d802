"""How a watched value stands now. Pure. What is not known is never said to be well."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from pipelines.derive.alarm_settings import PRIORITIES
from viewer.overview import ALIVE_S, NS, TagView, is_bad
from viewer.query.alarm_list import SHELVED, SUPPRESSED, WAITING, Standing
from viewer.site_info import AlarmInfo

_PERIODS: Final = 3
"""A tag that is polled and said nothing for so many of its periods is not known."""


class Verdict(StrEnum):
    """How a value stands, the worst first."""

    UNKNOWN = "unknown"
    FAULT = "fault"
    ALARM = "alarm"
    OVER = "over"
    WAITING = "waiting"
    NO_LIMIT = "no_limit"
    IDLE = "idle"
    WELL = "well"


def is_known(tag: TagView, now_ns: int, alive_ns: int | None) -> bool:
    """Whether the newest value of a tag still says something.

    Args:
        tag: with the newest that is known of it.
        now_ns: the time now, ns since 1970 UTC.
        alive_ns: newest heartbeat of the agents of its site while all of them are alive; None = they are not. What is
            told on change holds while they are.
    """
    if tag.value is None or tag.told_ns is None or is_bad(tag.status):
        return False
    if tag.info.period_s is None:
        return alive_ns is not None
    return now_ns - tag.told_ns <= max(ALIVE_S, _PERIODS * tag.info.period_s) * NS


def beyond(value: object, alarms: Sequence[AlarmInfo]) -> list[AlarmInfo]:
    """Alarms whose limit a value is beyond, whether or not they have come yet."""
    if not isinstance(value, (int, float)):
        return []
    return [
        one
        for one in alarms
        if (one.above is not None and value > one.above) or (one.below is not None and value < one.below)
    ]


def verdict(
    tag: TagView,
    alarms: Sequence[AlarmInfo],
    standing: Sequence[Standing],
    *,
    known: bool,
    faulty: bool | None = False,
    counts: bool | None = True,
) -> Verdict:
    """How a value stands.

    Args:
        tag: with its newest value.
        alarms: that watch it.
        standing: those of them that are anything but normal.
        known: whether the value still says something.
        faulty: whether the sensor says that it is out of order; None = it should say so, and is not known to.
        counts: whether the value means anything now (`only_while`); None = that is not known.
    """
    if faulty or not known or faulty is None or counts is None:
        return Verdict.FAULT if faulty else Verdict.UNKNOWN
    if any(one.active and one.state != SUPPRESSED for one in standing):
        return Verdict.ALARM
    if counts and beyond(tag.value, alarms):
        return Verdict.OVER
    if any(one.state in WAITING or one.state == SHELVED for one in standing):
        return Verdict.WAITING
    if not counts:
        return Verdict.IDLE
    return Verdict.WELL if any(one.in_service for one in alarms) else Verdict.NO_LIMIT


def worst(standing: Sequence[Standing]) -> str:
    """The highest priority of what is active; empty = nothing is."""
    found = {one.priority for one in standing if one.active}
    return next((one for one in PRIORITIES if one in found), "")
