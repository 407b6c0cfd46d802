"""What one destination gets: a rule that is told of shared tags only, and hands over what has become durable.

What it makes of readings and derived points waits in its state, which is committed with them, until the destination's
own journal has it. Batches are numbered, so that a restart on either side neither repeats nor skips one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any, Final

from pipelines.derive.minute import MINUTE_NS, Figures, Minute
from pipelines.derive.packed import pack, unpack
from pipelines.derive.rule import Derived, Ref, Value
from pipelines.encode.line import line
from pipelines.place import Place
from pipelines.point import BAD, GOOD, SEVERITY_MASK
from pipelines.share.settings import LEVELS, Level

_GRACE_NS: Final = 5 * 10**9
"""A minute is told this long after its end, so that all tags of a machine share a line."""
_MOST_BYTES: Final = 1 << 20
"""Most that waits for a destination's journal; the oldest is given up beyond, which only a sick disk can cause."""
AWAY_NS: Final = 60 * 10**9
"""After a restart that took longer, values reported by exception are not taken for still in force."""
_HEADER: Final = 8
_NEEDS: Final[Mapping[str, Level]] = {
    "state": "kpi",
    "count": "kpi",
    "energy": "kpi",
    "battery": "aggregate",
    "alarm": "aggregate",
    "alarm_action": "aggregate",
    "event_log": "aggregate",
    "exposure": "aggregate",
    "cycle": "raw",
}
"""Least level of all tags that a derived point was made from: alarms say the value, tests on batteries and energy by
lot (`_BY_LOT`) say what was made, cycles hold readings."""
_BY_LOT: Final = ("per", "lot")


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines on their way to a destination.

    Attributes:
        number: consecutive.
        body: line protocol.
        points: in it.
        first_ns: oldest time.
        last_ns: newest time.
    """

    number: int
    body: str
    points: int
    first_ns: int
    last_ns: int


class Share:
    """The share of one destination.

    Args:
        destination: its name.
        origin: of the numbering: random, the same for the life of the state.
        levels: how much is shared of each tag; those that are missing are not.
        periods: how often tags are polled, seconds; None = reported by exception.
        places: where each machine stands.

    Attributes:
        name: of the rule.
        reads: tags whose readings it is told of.
        origin: of the numbering.
        pending: batches that the destination's journal is not known to have.
        lost: points given up since the state began.
        touched: whether the state is another one than when it was last asked for.
    """

    def __init__(
        self,
        destination: str,
        origin: str,
        levels: Mapping[Ref, Level],
        periods: Mapping[Ref, float | None],
        places: Mapping[str, Place],
    ) -> None:
        self.name = f"share/{destination}"
        self.reads = frozenset(ref for ref, level in levels.items() if level in {"aggregate", "raw"})
        self.origin = origin
        self.pending: list[Batch] = []
        self.lost = 0
        self.touched = False
        self._destination = destination
        self._levels = {ref: LEVELS.index(level) for ref, level in levels.items()}
        self._raw = frozenset(ref for ref, level in levels.items() if level == "raw")
        self._places = places
        self._minutes = {ref: Minute(periods.get(ref)) for ref in sorted(self.reads - self._raw)}
        self._said: dict[Ref, int] = {}
        self._ended: dict[tuple[int, str], dict[str, Figures]] = {}
        self._open: list[tuple[int, bytes]] = []
        self._number = 0
        self._counts: Counter[str] = Counter()
        self._told: list[Derived] = []
        self._told_ns = 0
        self._restored = False

    def take(self, ref: Ref, time_ns: int, value: Value, status: int) -> None:
        """A reading of a tag that is shared as it is, or by the minute."""
        self.touched = True
        if ref in self._raw:
            self._reading(ref, time_ns, value, status)
        elif ended := self._minutes[ref].take(time_ns, value, status):
            self._ended.setdefault((ended.start_ns, ref.machine), {})[ref.tag] = ended

    def as_stored(self, ref: Ref) -> bool:
        """Whether readings of this tag are handed on as they are, with the time they are stored with."""
        return ref in self._raw

    def see(self, reads: frozenset[Ref], points: Sequence[tuple[Derived, bytes]]) -> None:
        """Points of another rule, derived from tags it reads, as lines; kept are those that all of these may tell."""
        least = min((self._levels.get(ref, 0) for ref in reads), default=0)
        for one, text in points if least else ():
            if least >= _needed(one):
                self._add(one.machine, one.time_ns, text)

    def tick(self, now_ns: int) -> None:
        """Tell the minutes that are over."""
        if self._restored:
            self._restored = False
            heard_ns = max((one.held_ns for one in self._minutes.values()), default=now_ns)
            for minute in self._minutes.values() if now_ns - heard_ns > AWAY_NS else ():
                minute.forget()
        for ref, minute in self._minutes.items():
            if over := minute.over(now_ns - _GRACE_NS):
                self._ended.setdefault((over.start_ns, ref.machine), {})[ref.tag] = over
        self._tell_ended(now_ns - _GRACE_NS)
        if self._counts and (self._open or now_ns - self._told_ns >= MINUTE_NS):
            self._told_ns, self.touched = now_ns, True
            whom = (("destination", self._destination),)
            self._told = [
                Derived("shared", machine, now_ns, {"points": points}, whom, once=True)
                for machine, points in sorted(self._counts.items())
            ]
            self._counts.clear()

    def moved(self, by_ns: int) -> None:
        """The agent's clock was set: minutes that it is before again are told as they are."""
        self.touched = True
        self._told_ns += by_ns
        for ref, minute in self._minutes.items():
            if over := minute.moved(by_ns):
                self._ended.setdefault((over.start_ns, ref.machine), {})[ref.tag] = over
        if by_ns < 0:
            self._tell_ended(max((start_ns for start_ns, _ in self._ended), default=0) + MINUTE_NS)

    def lines(self) -> Sequence[Derived]:
        """How much left the edge, now and then, for the own store: the account of what was shared."""
        if self._open:
            self._number += 1
            times = [time_ns for time_ns, _ in self._open]
            body = b"".join(one for _, one in self._open).decode()
            self.pending.append(Batch(self._number, body, len(times), min(times), max(times)))
            self._open = []
            while len(self.pending) > 1 and sum(len(one.body) for one in self.pending) > _MOST_BYTES:
                self.lost += self.pending.pop(0).points
        told, self._told = self._told, []
        return told

    def given(self, number: int) -> None:
        """The destination's journal has everything up to this batch."""
        left = [one for one in self.pending if one.number > number]
        self.touched |= len(left) < len(self.pending)
        self.pending = left

    def state(self) -> bytes:
        """The number of the newest batch, 8 bytes, and everything else, packed."""
        self.touched = False
        ended = [[*key, {tag: astuple(one) for tag, one in tags.items()}] for key, tags in self._ended.items()]
        known = {
            "origin": self.origin,
            "minutes": [[*ref, *one.state()] for ref, one in self._minutes.items() if one.start_ns >= 0],
            "said": [[*ref, status] for ref, status in self._said.items()],
            "ended": ended,
            "pending": [astuple(one) for one in self.pending],
            "counts": self._counts,
            "told_ns": self._told_ns,
            "lost": self.lost,
        }
        return self._number.to_bytes(_HEADER, "big") + pack(known)

    def restore(self, state: bytes) -> None:
        """Go on from there; minutes of tags that are not shared any more are forgotten.

        Raises:
            ValueError: it is none of this rule's.
        """
        known: dict[str, Any] = unpack(state[_HEADER:])
        try:
            self._restore(known)
        except (KeyError, TypeError, IndexError) as error:
            msg = f"not the state of {self.name}: {error!r}"
            raise ValueError(msg) from error
        self._number = newest(state)
        self._restored = True

    def _restore(self, known: dict[str, Any]) -> None:
        for machine, tag, *kept in known["minutes"]:
            ref = Ref(machine, tag)
            if ref in self._minutes:
                self._minutes[ref] = Minute.restored(self._minutes[ref].period_s, kept)
        self._said = {Ref(machine, tag): status for machine, tag, status in known["said"]}
        self._ended = {
            (start_ns, machine): {tag: Figures(*one) for tag, one in tags.items() if Ref(machine, tag) in self._minutes}
            for start_ns, machine, tags in known["ended"]
        }
        self._ended = {key: tags for key, tags in self._ended.items() if tags}
        self.pending = [Batch(*one) for one in known["pending"]]
        self._counts = Counter(known["counts"])
        self.origin, self._told_ns, self.lost = known["origin"], known["told_ns"], known["lost"]

    def _reading(self, ref: Ref, time_ns: int, value: Value, status: int) -> None:
        """As the own store gets it: the value unless it is bad, and the StatusCode where it is not simply good."""
        fields: dict[str, object] = {}
        if status & SEVERITY_MASK != BAD:
            fields[ref.tag] = value
        if status != GOOD or self._said.get(ref, GOOD) != GOOD or ref not in self._said:
            fields[f"{ref.tag}_quality"] = status
        self._said[ref] = status
        self._add(ref.machine, time_ns, line(self._places[ref.machine].series(), fields, time_ns))

    def _tell_ended(self, by_ns: int) -> None:
        """The minutes that ended by this time."""
        for start_ns, machine in sorted(self._ended):
            if start_ns + MINUTE_NS <= by_ns:
                tags = self._ended.pop((start_ns, machine))
                fields = {key: one for tag, figures in sorted(tags.items()) for key, one in _fields(tag, figures)}
                self._add(machine, start_ns, line(self._places[machine].series("aggregate"), fields, start_ns))

    def _add(self, machine: str, time_ns: int, text: bytes) -> None:
        self.touched = True
        self._open.append((time_ns, text))
        self._counts[machine] += 1


def _needed(one: Derived) -> int:
    """Least level of all tags that a point was made from, as a position in `LEVELS`; beyond them: it stays here."""
    level = "aggregate" if one.measurement == "energy" and _BY_LOT in one.tags else _NEEDS.get(one.measurement)
    return LEVELS.index(level) if level else len(LEVELS)


def newest(state: bytes) -> int:
    """The number of the newest batch in a state."""
    return int.from_bytes(state[:_HEADER], "big")


def _fields(tag: str, one: Figures) -> list[tuple[str, object]]:
    """Fields of a tag's minute; quality and cover are left out where the minute is good and whole."""
    found: list[tuple[str, object]] = []
    if one.low is not None and one.mean is not None and one.high is not None:
        mean = float(f"{one.mean:.9g}")
        found += [(f"{tag}_min", one.low), (f"{tag}_mean", mean), (f"{tag}_max", one.high)]
    if one.last is not None:
        found.append((f"{tag}_text" if isinstance(one.last, str) else f"{tag}_last", one.last))
    found.append((f"{tag}_count", one.count))
    if one.quality != GOOD:
        found.append((f"{tag}_quality", one.quality))
    if one.cover < 100:  # noqa: PLR2004 - percent
        found.append((f"{tag}_cover", one.cover))
    return found
