"""What one destination gets: a rule that is told of shared tags only, and hands over what has become durable.

What it makes of readings and derived points waits in its state, which is committed with them, until the destination's
own journal has it. Batches are numbered, so that a restart on either side neither repeats nor skips one.
"""

from __future__ import annotations

import struct
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
_MOST_BYTES: Final = 32 << 20
"""Most that waits for a destination's journal, the oldest is given up beyond: 3,000 readings a second for 120 s, the
longest that `journal.commit_s` and a busy card together may take."""
_STUCK_BYTES: Final = 1 << 20
"""The same once that journal has taken nothing for `STUCK_NS`: its disk is sick, and each record carries what waits."""
STUCK_NS: Final = 120 * 10**9
_GAP: Final = (("tag", "*"), ("cause", "dropped_at_cap"))
AWAY_NS: Final = 60 * 10**9
"""After a restart that took longer, values reported by exception are not taken for still in force."""
_HEADER: Final = struct.Struct(">QI")
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
        shared: values and derived points among them, by machine.
        lost: those that were given up, by machine, of which this batch tells.
    """

    number: int
    body: str
    points: int
    first_ns: int
    last_ns: int
    shared: dict[str, int]
    lost: dict[str, int]


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
        underway: number of the newest batch that the destination took, for good or not yet; it is not given up.
        began: number of the newest batch when this rule went on from a state.
        unsaved: whether it has made a batch since it was last asked for its state.
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
        self.touched = self.unsaved = False
        self.underway = self.began = 0
        self._destination = destination
        self._levels = {ref: LEVELS.index(level) for ref, level in levels.items()}
        self._raw = frozenset(ref for ref, level in levels.items() if level == "raw")
        self._places = places
        self._minutes = {ref: Minute(periods.get(ref)) for ref in sorted(self.reads - self._raw)}
        self._said: dict[Ref, int] = {}
        self._ended: dict[tuple[int, str], dict[str, Figures]] = {}
        self._open: list[tuple[int, str, bytes]] = []
        self._packed: dict[int, bytes] = {}
        self._number = 0
        self._counts: Counter[str] = Counter()
        self._told: list[Derived] = []
        self._told_ns = self._now_ns = 0
        self._took_ns: int | None = None
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
        self._now_ns = now_ns
        if self._took_ns is None or not self.pending:
            self._took_ns = now_ns
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
        self._now_ns += by_ns
        self._took_ns = None
        for ref, minute in self._minutes.items():
            if over := minute.moved(by_ns):
                self._ended.setdefault((over.start_ns, ref.machine), {})[ref.tag] = over
        if by_ns < 0:
            self._tell_ended(max((start_ns for start_ns, _ in self._ended), default=0) + MINUTE_NS)

    def lines(self) -> Sequence[Derived]:
        """How much left the edge, now and then, for the own store: the account of what was shared."""
        if self._open:
            times = [time_ns for time_ns, _, _ in self._open]
            body = b"".join(text for _, _, text in self._open).decode()
            shared = dict(Counter(machine for _, machine, _ in self._open))
            self._append(body, len(times), min(times), max(times), shared)
            self._open = []
            self._give_up()
        told, self._told = self._told, []
        return told

    def given(self, number: int) -> None:
        """The destination's journal has everything up to this batch."""
        for one in self.pending:
            if one.number <= number:
                self._counts.update(one.shared)
                self.touched, self._took_ns = True, self._now_ns or None
        self._leave([one for one in self.pending if one.number > number])

    def begin_anew(self, origin: str) -> None:
        """Number what waits anew: other batches of these numbers were taken, which this state knows nothing of."""
        self.origin, self.underway, self.touched = origin, 0, True
        waiting, self.pending = self.pending, []
        for one in waiting:
            self._append(one.body, one.points, one.first_ns, one.last_ns, one.shared, one.lost)
        self._leave(self.pending)

    def _append(
        self,
        body: str,
        points: int,
        first_ns: int,
        last_ns: int,
        shared: dict[str, int] | None = None,
        lost: dict[str, int] | None = None,
    ) -> None:
        self._number += 1
        self.touched = self.unsaved = True
        self.pending.append(Batch(self._number, body, points, first_ns, last_ns, shared or {}, lost or {}))

    def _leave(self, pending: list[Batch]) -> None:
        self.pending = pending
        numbers = {one.number for one in pending}
        self._packed = {number: one for number, one in self._packed.items() if number in numbers}

    def _give_up(self) -> None:
        """The oldest batches that wait, beyond what may; a gap of each machine takes their place, behind the others."""
        stuck = self._took_ns is not None and self._now_ns - self._took_ns > STUCK_NS
        most = _STUCK_BYTES if stuck else _MOST_BYTES
        size, gone, told = sum(len(one.body) for one in self.pending), [], []
        for one in self.pending[:-1]:
            if one.number > self.underway and one.lost:
                told.append(one)
            elif one.number > self.underway and size > most:
                gone.append(one)
                size -= len(one.body)
        if not gone:
            return
        self.lost += sum(one.points for one in gone)
        lost = sum((Counter(one.shared) + Counter(one.lost) for one in (*gone, *told)), Counter[str]())
        first_ns, last_ns = min(one.first_ns for one in (*gone, *told)), max(one.last_ns for one in (*gone, *told))
        left = {one.number for one in (*gone, *told)}
        self._leave([one for one in self.pending if one.number not in left])
        gaps = [
            line(self._places[machine].series("gap", _GAP), {"filled": False, "end": last_ns, "count": count}, first_ns)
            for machine, count in sorted(lost.items())
            if machine in self._places
        ]
        self._append(b"".join(gaps).decode(), len(gaps), first_ns, last_ns, lost=dict(lost))

    def state(self) -> bytes:
        """Number of the newest batch, length of what is no batch, that, packed, and what waits, each packed."""
        self.touched = self.unsaved = False
        for one in self.pending:
            if one.number not in self._packed:  # once: while a disk is slow, each record carries all of them
                self._packed[one.number] = pack(astuple(one))
        packed = [self._packed[one.number] for one in self.pending]
        ended = [[*key, {tag: astuple(one) for tag, one in tags.items()}] for key, tags in self._ended.items()]
        known = {
            "origin": self.origin,
            "minutes": [[*ref, *one.state()] for ref, one in self._minutes.items() if one.start_ns >= 0],
            "said": [[*ref, status] for ref, status in self._said.items()],
            "ended": ended,
            "pending": [len(one) for one in packed],
            "counts": self._counts,
            "told_ns": self._told_ns,
            "lost": self.lost,
        }
        first = pack(known)
        return b"".join((_HEADER.pack(self._number, len(first)), first, *packed))

    def restore(self, state: bytes) -> None:
        """Go on from there; minutes of tags that are not shared any more are forgotten.

        Raises:
            ValueError: it is none of this rule's.
        """
        try:
            self._restore(state)
        except (KeyError, TypeError, IndexError, struct.error) as error:
            msg = f"not the state of {self.name}: {error!r}"
            raise ValueError(msg) from error
        self._number = self.began = newest(state)
        self._restored = True

    def _restore(self, state: bytes) -> None:
        at = _HEADER.size + _HEADER.unpack_from(state)[1]
        known: dict[str, Any] = unpack(state[_HEADER.size : at])
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
        self.pending = []
        for size in known["pending"]:
            self.pending.append(Batch(*unpack(state[at : at + size])))
            at += size
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
        self._open.append((time_ns, machine, text))


def _needed(one: Derived) -> int:
    """Least level of all tags that a point was made from, as a position in `LEVELS`; beyond them: it stays here."""
    level = "aggregate" if one.measurement == "energy" and _BY_LOT in one.tags else _NEEDS.get(one.measurement)
    return LEVELS.index(level) if level else len(LEVELS)


def newest(state: bytes) -> int:
    """The number of the newest batch in a state."""
    number: int = _HEADER.unpack_from(state)[0] if state else 0
    return number


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
