"""A stored curve through the state machine that ran live: records, steps, and the samples they are computed of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipelines.derive.battery.channel import Channel, Rise
from pipelines.derive.battery.grading import GradingRule
from pipelines.derive.battery.record import Record
from pipelines.derive.battery.steps import Sample, Step
from pipelines.derive.settle import Reading


@dataclass(frozen=True, slots=True)
class Replay:
    """What a curve comes to, oldest first.

    Attributes:
        records: of the tests that ended in it.
        steps: that ended in it.
        rises: warnings.
        samples: voltage, current and temperature in force at each moment that has a reading; None = voltage or current
            are not known from the sample before on.
    """

    records: tuple[Record, ...]
    steps: tuple[Step, ...]
    rises: tuple[Rise, ...]
    samples: tuple[Sample | None, ...]


def replay(curve: Iterable[Reading], rule: GradingRule, states: Mapping[str, str] | None = None) -> Replay:
    """Run a curve through the state machine of a channel.

    Args:
        curve: raw readings of one channel by role, in any order.
        rule: how packs are graded.
        states: see `Channel`.
    """
    channel = Channel(rule, states or {})
    records: list[Record] = []
    steps: list[Step] = []
    rises: list[Rise] = []
    samples: list[Sample | None] = []
    seen: Sample | None = None

    def told(events: Iterable[Step | Record | Rise]) -> None:
        for one in events:
            match one:
                case Record():
                    records.append(one)
                case Step():
                    steps.append(one)
                case Rise():
                    rises.append(one)

    for reading in sorted(curve, key=lambda one: (one.time_ns, one.role)):
        told(channel.take(reading))
        if channel.seen is not seen:
            seen = channel.seen
            samples.append(seen)
    told(channel.until(channel.time_ns + 1))
    if channel.seen is not seen:
        samples.append(channel.seen)
    return Replay(tuple(records), tuple(steps), tuple(rises), tuple(samples))


def regrade(curve: Iterable[Reading], rule: GradingRule, states: Mapping[str, str] | None = None) -> list[Record]:
    """The records of a stored curve by a rule: the same ones as live, by the same rule and readings.

    Args:
        curve: raw readings of one channel by role, in any order.
        rule: how packs are graded.
        states: see `Channel`.
    """
    return list(replay(curve, rule, states).records)
