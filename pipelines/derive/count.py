"""What a machine made, as totals that go on over rollovers and resets of its counters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from pipelines.derive.counter import USUAL, Total, within
from pipelines.derive.rule import Derived, Ref, Value
from pipelines.derive.usable import whole

_FASTER: Final = 3.0
"""So many times the ideal rate is implausible."""
_SOME: Final = 2.0
"""So many counts may come together, however short the time."""


@dataclass(slots=True)
class Counter:
    """One counter of a machine.

    Attributes:
        total: what it counted.
        ideal_s: ideal time of one count, seconds; None = not known.
        changed_ns: when it last counted, ns since 1970 UTC; kept, unlike the time of its last reading, since it changes
            only when something is counted.
    """

    total: Total
    ideal_s: float | None = None
    changed_ns: int = 0

    def take(self, time_ns: int, raw: int) -> tuple[int, str]:
        """The next reading; how many counts came with it, and what was found: see `Total.take`."""
        first, before = self.total.raw is None, self.total.total
        if raw == self.total.raw:
            return 0, ""
        most = None
        if self.ideal_s is not None and not first:
            most = _FASTER * max(0, time_ns - self.changed_ns) / 1e9 / self.ideal_s + _SOME
        _, found = self.total.take(raw, most)
        self.changed_ns = time_ns
        return (0 if first else within(self.total.total - before)), found

    def moved(self, by_ns: int) -> None:
        """The agent's clock was set."""
        if self.total.raw is not None:
            self.changed_ns += by_ns

    def state(self) -> list[int | None]:
        """For the next process."""
        return [self.total.raw, self.total.total, self.changed_ns]

    def restore(self, state: object) -> None:
        """Go on from what `state` gave.

        Raises:
            ValueError: it did not give this.
        """
        match state:
            case [int(raw), int(total), int(changed_ns)]:
                self.total.raw, self.total.total, self.changed_ns = raw, total, changed_ns
            case [None, 0, 0]:
                pass
            case _:
                msg = f"not the state of a counter: {state!r}"
                raise ValueError(msg)


class CountRule:
    """Counters of one machine to its totals: `total`, `good` and `ng`, as far as they are known.

    What is not counted follows from the others: good = total − ng. Nothing is clamped: counters that are read one after
    the other may disagree for a moment. A point comes with each change; its `epoch` goes up when a counter was reset,
    and `found` says when that, or an implausible rate, was seen.

    Args:
        machine: whose counters they are.
        tags: counter of each of `total`, `good` and `ng`.
        ideal_s: ideal time of one count, seconds; None = no rate is implausible.
        moduli: number of states of the counters of which it is known.
    """

    def __init__(
        self,
        machine: str,
        tags: Mapping[str, Ref],
        ideal_s: float | None = None,
        moduli: Mapping[Ref, int] | None = None,
    ) -> None:
        self.name = f"count/{machine}"
        self.reads = frozenset(tags.values())
        self._machine = machine
        self._tags = dict(tags)
        known = moduli or {}
        self._counters = {
            ref: Counter(Total((known[ref],) if ref in known else USUAL), ideal_s) for ref in sorted(self.reads)
        }
        self._epoch = 0
        self._last_ns = 0
        self._found = ""
        self._said: dict[str, Value] = {}
        self._changed_ns: int | None = None
        self._points: list[Derived] = []

    def take(self, ref: Ref, time_ns: int, value: Value, status: int) -> None:
        """See `Rule`."""
        raw = whole(value, status)
        if raw is None:
            return
        if self._changed_ns is not None and time_ns > self._changed_ns:
            self._tell()
        _, found = self._counters[ref].take(time_ns, raw)
        if found == "reset":
            self._epoch += 1
        self._found = found or self._found
        self._changed_ns = time_ns

    def tick(self, now_ns: int) -> None:
        """See `Rule`: totals hold until they change."""

    def moved(self, by_ns: int) -> None:
        """See `Rule`."""
        self._last_ns += by_ns
        for one in self._counters.values():
            one.moved(by_ns)

    def lines(self) -> Sequence[Derived]:
        """See `Rule`."""
        self._tell()
        points, self._points = self._points, []
        return points

    def state(self) -> bytes:
        """See `Rule`."""
        counters = {f"{ref.machine}/{ref.tag}": one.state() for ref, one in self._counters.items()}
        return orjson.dumps({"epoch": self._epoch, "last": self._last_ns, "said": self._said, "counters": counters})

    def restore(self, state: bytes) -> None:
        """See `Rule`; a counter that was not there begins."""
        match orjson.loads(state):
            case {"epoch": int(epoch), "last": int(last_ns), "said": dict(said), "counters": {**counters}}:
                self._epoch, self._last_ns, self._said = epoch, last_ns, said
                for ref, one in self._counters.items():
                    if kept := counters.get(f"{ref.machine}/{ref.tag}"):
                        one.restore(kept)
            case _:
                msg = "not what a machine counted"
                raise ValueError(msg)

    def _tell(self) -> None:
        """A point of what is counted up to the last reading, if that is another than before."""
        time_ns, self._changed_ns = self._changed_ns, None
        totals = self._totals()
        if time_ns is None or totals == self._said:
            return
        self._said, self._last_ns = totals, max(time_ns, self._last_ns + 1)
        fields = totals | ({"found": self._found} if self._found else {})
        self._found = ""
        self._points.append(Derived("count", self._machine, self._last_ns, fields))

    def _totals(self) -> dict[str, Value]:
        known: dict[str, int] = {
            name: self._counters[ref].total.total
            for name, ref in self._tags.items()
            if self._counters[ref].total.raw is not None
        }
        rest = {"total": ("good", "ng", 1), "good": ("total", "ng", -1), "ng": ("total", "good", -1)}
        for name, (one, other, sign) in rest.items():
            if name not in self._tags and one in known and other in known:
                known[name] = within(known[one] + sign * known[other])
        return {"epoch": self._epoch, **known}
