"""The contract of everything that derives points from readings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

Value = bool | int | float | str
"""Value of a reading, or of a field of a derived point."""


class Ref(NamedTuple):
    """A tag of a machine."""

    machine: str
    tag: str

    @classmethod
    def of(cls, machine: str, text: str) -> Ref:
        """What `text` names in the settings of `machine`: `tag`, or `OTHER-MACHINE/tag`."""
        other, slash, tag = text.rpartition("/")
        return cls(other if slash else machine, tag)


@dataclass(frozen=True, slots=True)
class Derived:
    """A derived point.

    Attributes:
        measurement: one of `pipelines.place.OWN_MEASUREMENTS`.
        machine: it is about.
        time_ns: of the reading that caused it, or of the tick for time-outs, ns since 1970 UTC.
        fields: bool, int, finite float or str, by name; at least one.
        tags: tags of the series beside its place, such as the name of the alarm.
        once: two of them would count twice: nobody may see it before it is durable with the state of its rule.
    """

    measurement: str
    machine: str
    time_ns: int
    fields: Mapping[str, Value]
    tags: tuple[tuple[str, str], ...] = ()
    once: bool = False


class Rule(Protocol):
    """A state machine over time: readings and ticks in, points out. It reads no clock and no file.

    All that it gives follows from what it was restored from and told since; points and state go into one record, so
    that a process that is killed goes on from exactly what is in the store. Times of readings are by the agent's clock,
    as ticks are (`pipelines.derive.own_time`), never to come; those of connections may be behind each other.
    """

    @property
    def name(self) -> str:
        """Unique in the site and the same after a restart, such as `state/PRS-01`: its state is kept under it."""
        ...

    @property
    def reads(self) -> frozenset[Ref]:
        """Tags it is told of."""
        ...

    def take(self, ref: Ref, time_ns: int, value: Value, status: int) -> None:
        """One reading of one of its tags; within a delivery they come oldest first.

        Args:
            ref: the tag.
            time_ns: when the source took it, by the agent's clock, ns since 1970 UTC.
            value: scaled; meaningless where `status` is bad.
            status: OPC UA StatusCode; BadNoCommunication for every tag of a link that is gone.
        """
        ...

    def tick(self, now_ns: int) -> None:
        """The agent's time, ns since 1970 UTC, about once a second: for what ends without a reading."""
        ...

    def moved(self, by_ns: int) -> None:
        """The agent's clock was set: from now on times are so much later, or earlier where it is below 0, ns.

        No time passed by it: what it waits for, and what it measures, goes on as if nothing had happened.
        """
        ...

    def lines(self) -> Sequence[Derived]:
        """The points since it was last asked: it is, behind the last reading of a delivery and behind each tick."""
        ...

    def state(self) -> bytes:
        """All that another process needs to go on."""
        ...

    def restore(self, state: bytes) -> None:
        """Go on from what `state` gave in an earlier process, maybe with other settings.

        Raises:
            ValueError: it is none of this rule's.
        """
        ...
