"""What is missing of which tag, between which readings: worked out from the deliveries alone, without a server.

A stretch lies between the last reading before the gap and the first one after it, both known by their source time and
both excluded. So what comes back from the history is exactly what did not come live.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from connectors.missed import BACKPRESSURE, OVERRUN
from pipelines.point import Delivery, Gap, Scan

MOST_EXACT: Final = 256
"""Stretches whose bounds are committed with every delivery; of more, only which gaps are open."""
MOST_OPEN: Final = 50_000
"""Stretches kept; beyond, the oldest stays a gap."""
OVERLAP_NS: Final = 60_000_000_000
"""How long before the gap a reading may have been taken that never came."""
_LOOKED_AT: Final = 512
"""Stretches among which those for one request are looked for."""
_OWN_BOUNDS: Final = "queue_overflow"
"""A gap whose start and end are the source times of the readings around it."""


@dataclass(slots=True)
class Stretch:
    """What is missing of one tag.

    Attributes:
        gap: as it was told.
        after_ns: source time of the last reading before it, excluded; ns since 1970 UTC.
        before_ns: source time of the first reading after it, excluded; None = not known yet.
        ready_s: monotonic time, seconds, at which a first reading after it would have come.
        count: readings that came back.
        began: whether the history still had the reading at `after_ns`, or was not asked that far back.
        covered: whether the history had anything here.
        whole: whether all of it was asked for.
        from_ns: time of the newest value the history gave, 0 = none yet.
        tries: requests in a row that brought it no further.
        continuation: where the server goes on.
    """

    gap: Gap
    after_ns: int
    before_ns: int | None
    ready_s: float
    count: int = 0
    began: bool = False
    covered: bool = False
    whole: bool = True
    from_ns: int = 0
    tries: int = 0
    continuation: bytes = b""

    def become(self, other: Stretch) -> None:
        """Take over how far `other`, a copy of this one, got."""
        self.count, self.began, self.covered, self.whole = other.count, other.began, other.covered, other.whole
        self.from_ns, self.tries, self.continuation = other.from_ns, other.tries, other.continuation

    def backwards(self) -> bool:
        """Whether the device's clock was set back, as without a battery: its times bound nothing then.

        A first reading before a bound that was only worked out is of a value that has not changed since.
        """
        return not self.began and self.before_ns is not None and self.before_ns < self.after_ns

    def filled(self) -> Gap:
        """The gap as it is now that its history was read."""
        return replace(self.gap, count=self.count, filled=self.whole and self.began and self.covered)


class Missing:
    """Every stretch of a connection that is missing.

    Args:
        tags: number of tags in the connector's table.
        settle_s: seconds after which every tag has had its first reading.
        table: what each tag is at the server, in table order: what is noted holds as long as this stays, though tags
            may be added at the end.

    Attributes:
        skew_ns: the device's clock minus ours, ns.
        without: tags without a history, of which nothing is noted.
    """

    def __init__(self, tags: int, settle_s: float, table: Sequence[str] = ()) -> None:
        self._table = table
        self._settle_s = settle_s
        self._seen: NDArray[np.int64] = np.zeros(tags, np.int64)
        self._waiting: NDArray[np.bool_] = np.zeros(tags, np.bool_)
        self._open: dict[tuple[int, str, int], Stretch] = {}
        self._unbound: dict[int, list[Stretch]] = {}
        self._state: bytes | None = None
        self._crcs: dict[int, int] = {}
        self.skew_ns = 0
        self.without: set[int] = set()

    def __len__(self) -> int:
        """Number of open stretches."""
        return len(self._open)

    def observe(self, delivery: Delivery, now_ns: int, now_s: float) -> None:
        """Learn from a delivery on its way to the consumer: its gaps come before its readings."""
        if delivery.device_time_ns is not None:
            self.skew_ns = delivery.device_time_ns - now_ns
        for gap in delivery.gaps:
            known = 0 <= gap.tag < len(self._seen) and gap.tag not in self.without
            if known and not gap.filled and gap.end_ns is not None:
                self._lose(gap, now_s)
        for scan in delivery.scans:
            self._live(scan)

    def _lose(self, gap: Gap, now_s: float) -> None:
        if gap.cause in {OVERRUN, BACKPRESSURE}:
            return  # a cycle that is too long: reading more would make it longer
        seen = int(self._seen[gap.tag])
        if gap.cause == _OWN_BOUNDS:
            if gap.end_ns is None or gap.start_ns >= gap.end_ns:
                return  # the reading before is not known by the device's clock: no history can show that it is whole
            stretch = Stretch(gap, gap.start_ns, gap.end_ns, now_s, began=seen != gap.start_ns)
        else:
            stretch = Stretch(gap, seen or gap.start_ns + self.skew_ns, None, now_s + self._settle_s, began=not seen)
        self._add(stretch)

    def _live(self, scan: Scan) -> None:
        if len(scan) and scan.tag.max() >= len(self._seen):  # parts of structured values
            scan = scan.take(scan.tag < len(self._seen))
        if self._unbound:
            for at in np.flatnonzero(self._waiting[scan.tag]):
                self._first(int(scan.tag[at]), int(scan.time_ns[at]))
        self._seen[scan.tag] = scan.time_ns

    def _first(self, tag: int, time_ns: int) -> None:
        """The reading that ends every stretch of `tag` that has no end yet."""
        for stretch in self._unbound.pop(tag, ()):
            stretch.before_ns = time_ns
            if stretch.backwards():
                self.close(stretch)
        self._waiting[tag] = False
        self._state = None

    def due(self, now_s: float) -> list[Stretch]:
        """The first few hundred stretches whose end is known or long overdue, oldest first."""
        known = (one for one in self._open.values() if one.before_ns is not None or one.ready_s <= now_s)
        return list(islice(known, _LOOKED_AT))

    def ready(self, now_s: float, most: int, oldest_ns: int) -> list[Stretch]:
        """Up to `most` stretches that can be asked for in one request: bounds within seconds of each other.

        Args:
            now_s: monotonic time, seconds.
            most: stretches.
            oldest_ns: how far back may be asked, ns since 1970 UTC.
        """
        due = self.due(now_s)
        for one in due:
            if one.before_ns is None:
                self._first(one.gap.tag, (one.gap.end_ns or 0) + self.skew_ns)
            if one.after_ns < oldest_ns and not one.count:
                one.after_ns, one.whole = oldest_ns, False
        due = [one for one in due if not one.backwards()]
        due.sort(key=self.start_ns)
        if not due or due[0].from_ns:
            return due[:1]  # a page of its own: others would fill it with what they have had already
        first = self.start_ns(due[0])
        return [one for one in due[:most] if not one.from_ns and self.start_ns(one) - first < OVERLAP_NS // 10]

    def start_ns(self, stretch: Stretch) -> int:
        """From where to ask: the reading before the gap, or a minute before the gap where that one is older.

        A history may keep only milliseconds of the times that came live.
        """
        if stretch.from_ns:
            return stretch.from_ns
        return max(stretch.after_ns, stretch.gap.start_ns + self.skew_ns - OVERLAP_NS) // 1_000_000 * 1_000_000

    def close(self, stretch: Stretch) -> None:
        """Nothing more will come of it."""
        unbound = self._unbound.get(stretch.gap.tag, [])
        if stretch.before_ns is None and stretch in unbound:
            unbound.remove(stretch)
        self._open.pop((stretch.gap.tag, stretch.gap.cause, stretch.gap.start_ns), None)
        self._state = None

    def changed(self) -> None:
        """A stretch got further."""
        self._state = None

    def state(self) -> bytes:
        """What a later link needs to go on, as JSON without line breaks; empty = nothing is missing."""
        if self._state is None:
            self._state = orjson.dumps(self._document(exact=len(self._open) <= MOST_EXACT)) if self._open else b""
        return self._state

    def last_words(self) -> bytes:
        """`state` at the end of a link: exact, with the last reading of every tag."""
        seen = base64.b64encode(zlib.compress(self._seen.tobytes(), 1)).decode()
        return orjson.dumps(self._document(exact=True) | {"seen": seen})

    def restore(self, raw: bytes, now_s: float) -> None:
        """Go on from `state` or `last_words` of an earlier link; what this version does not understand is left."""
        try:
            document = orjson.loads(raw)
            if document["table"] != self._crc(int(document["tags"])):
                return  # the same numbers are other tags now
            self.skew_ns = int(document["skew_ns"])
            if seen := document.get("seen"):
                found = np.frombuffer(zlib.decompress(base64.b64decode(seen)), np.int64)
                if len(found) <= len(self._seen):
                    self._seen[: len(found)] = found
            for tag, cause, start_ns, end_ns, after_ns, before_ns, *rest in document["exact"]:
                gap = Gap(tag, cause, start_ns, end_ns)
                self._restore(Stretch(gap, after_ns, before_ns, now_s + self._settle_s, *rest))
            for cause, start_ns, end_ns, tags in document["coarse"]:
                for tag in _numbers(tags):
                    gap, after_ns = Gap(tag, cause, start_ns, end_ns), start_ns + self.skew_ns
                    before_ns = end_ns + self.skew_ns
                    self._restore(Stretch(gap, after_ns, before_ns, now_s, began=True))
        except (ValueError, KeyError, TypeError, zlib.error):
            return

    def _crc(self, tags: int) -> int:
        """What the first `tags` tags are, in one number."""
        if tags not in self._crcs:
            self._crcs[tags] = zlib.crc32("\n".join(self._table[:tags]).encode())
        return self._crcs[tags]

    def _restore(self, stretch: Stretch) -> None:
        if 0 <= stretch.gap.tag < len(self._seen):
            self._add(stretch)

    def _add(self, stretch: Stretch) -> None:
        gap = stretch.gap
        self._open[gap.tag, gap.cause, gap.start_ns] = stretch
        if stretch.before_ns is None:
            self._unbound.setdefault(gap.tag, []).append(stretch)
            self._waiting[gap.tag] = True
        while len(self._open) > MOST_OPEN:
            self.close(next(iter(self._open.values())))
        self._state = None

    def _document(self, *, exact: bool) -> dict[str, Any]:
        tags = len(self._seen)
        document: dict[str, Any] = {"tags": tags, "table": self._crc(tags), "skew_ns": self.skew_ns}
        document |= {"exact": [], "coarse": []}
        groups: dict[tuple[str, int, int | None], list[int]] = {}
        for one in self._open.values():
            gap = one.gap
            if exact:
                bounds = (one.after_ns, one.before_ns, one.count, one.began, one.covered, one.whole, one.from_ns)
                document["exact"].append([gap.tag, gap.cause, gap.start_ns, gap.end_ns, *bounds])
            else:
                groups.setdefault((gap.cause, gap.start_ns, gap.end_ns), []).append(gap.tag)
        document["coarse"] = [[*key, _ranges(tags)] for key, tags in groups.items()]
        return document


def _ranges(numbers: Iterable[int]) -> str:
    """Numbers as text, `0-41,43`."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(f"{first}-{last}" for first, last in runs)


def _numbers(text: str) -> Sequence[int]:
    out: list[int] = []
    for run in text.split(","):
        first, _, last = run.partition("-")
        out += range(int(first), int(last) + 1)
    return out
