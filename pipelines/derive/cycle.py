"""One record for each cycle of a machine: when it ended, how long it took, what was measured."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from pipelines.derive.count import Counter
from pipelines.derive.counter import USUAL, Total
from pipelines.derive.rule import Derived, Ref, Value
from pipelines.derive.usable import field_of, whole
from pipelines.point import BAD, SEVERITY_MASK


class CycleRule:
    """A counter that goes up at the end of a cycle, and the newest values of other tags then.

    A point has `number` (what the counter counted in all), `counts` (cycles since the record before: more than one
    where readings are farther apart than cycles, or were missed), `duration_s` (of one of them, on the average) and, by
    their tags, the values that are not bad (`field_of`). What comes with a reset, or first, has no known duration and
    no record.

    Args:
        machine: whose cycles they are.
        at: the counter.
        values: tags whose values are kept.
        ideal_s: ideal time of a cycle, seconds; None = no rate is implausible.
        modulus: number of states of the counter; None = not known.
    """

    def __init__(
        self, machine: str, at: Ref, values: Sequence[Ref], ideal_s: float | None = None, modulus: int | None = None
    ) -> None:
        self.name = f"cycle/{machine}"
        self.reads = frozenset({at, *values})
        self._machine = machine
        self._at = at
        self._fields = {ref: ref.tag if ref.machine == machine else f"{ref.machine}_{ref.tag}" for ref in values}
        self._counter = Counter(Total(USUAL if modulus is None else (modulus,)), ideal_s)
        self._values: dict[Ref, Value] = {}
        self._ended: tuple[int, int, float] | None = None
        self._last_ns = 0
        self._points: list[Derived] = []

    def take(self, ref: Ref, time_ns: int, value: Value, status: int) -> None:
        """See `Rule`."""
        if self._ended is not None and time_ns > self._ended[0]:
            self._tell()
        if ref in self._fields:
            if status & SEVERITY_MASK == BAD:
                self._values.pop(ref, None)
            else:
                self._values[ref] = value
        raw = whole(value, status) if ref == self._at else None
        if raw is None:
            return
        before_ns = self._counter.changed_ns
        counts, found = self._counter.take(time_ns, raw)
        if counts and found != "reset":
            duration_s = max(0, time_ns - before_ns) / counts / 1e9
            self._tell()
            self._ended = time_ns, counts, duration_s

    def tick(self, now_ns: int) -> None:
        """See `Rule`: a cycle ends with a reading."""

    def moved(self, by_ns: int) -> None:
        """See `Rule`."""
        self._last_ns += by_ns
        self._counter.moved(by_ns)

    def lines(self) -> Sequence[Derived]:
        """See `Rule`."""
        self._tell()
        points, self._points = self._points, []
        return points

    def state(self) -> bytes:
        """See `Rule`."""
        return orjson.dumps([self._counter.state(), self._last_ns, self._known()])

    def restore(self, state: bytes) -> None:
        """See `Rule`."""
        match orjson.loads(state):
            case [[*counter], int(last_ns), dict(known)]:
                self._counter.restore(counter)
                self._last_ns = last_ns
                self._values = {ref: known[name] for ref, name in self._fields.items() if name in known}
            case _:
                msg = "not the cycles of a machine"
                raise ValueError(msg)

    def _tell(self) -> None:
        """The record of the cycle that ended last, with what is known now: values of its time came in any order."""
        if self._ended is None:
            return
        (time_ns, counts, duration_s), self._ended = self._ended, None
        self._last_ns = max(time_ns, self._last_ns + 1)
        own: dict[str, Value] = {"number": self._counter.total.total, "counts": counts, "duration_s": duration_s}
        fields = dict(field_of(name, value) for name, value in self._known().items()) | own
        self._points.append(Derived("cycle", self._machine, self._last_ns, fields, once=True))

    def _known(self) -> dict[str, Value]:
        return {name: self._values[ref] for ref, name in self._fields.items() if ref in self._values}
