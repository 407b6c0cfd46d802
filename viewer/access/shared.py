"""What of a store a supplier's share level lets through: the way of an ordering company, beside `ScopedStore`.

`kpi`: nothing, since figures are computed elsewhere (`viewer.cluster.figures`) and come without readings. `aggregate`:
means of whole minutes that are over, of tags that name nothing. `raw`: readings too. Nothing of a time before the
agreement, nothing of another company, nothing that people entered, and whatever `Store` gets later stays behind.

Buckets lie at whole minutes and are over: of buckets that could be moved by a moment, or were still growing, two that
differ by one reading would tell it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipelines.share.settings import LEVELS, Level
from viewer.catalog import MachineInfo
from viewer.stores.base import Latest, Points, Store, Trend, empty_trend, no_points

MINUTE_NS: Final = 60 * 10**9
AGGREGATE: Final = "aggregate"
"""Measurement of what an edge shares by the minute in place of readings."""
_ONE_MINUTE: Final = ("min", "mean", "max", "count")
_NAMING: Final = re.compile(
    r"(?:.*[_.\-])?"
    r"(?:lot|batch|product|part|item|sku|model|order|job|customer|pack|serial|barcode|program|recipe|operator|worker|user"
    r"|로트|배치|제품|부품|품번|품목|품명|모델|주문|수주|작업지시|고객|거래처|팩|시리얼|바코드|프로그램|레시피|작업자)"
    r"(?:[_.\-]?(?:id|code|no|nr|name|number|번호|코드|명|이름))?[_.\-]?\d*"
)
"""Such a word at the end, with what numbers are called: `lot_id`, `work_order`, `주문번호`; not `product_temp`."""
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Share:
    """What is shared now.

    Attributes:
        company: that shares.
        level: how much.
        since_ns: nothing before it, ns since 1970 UTC.
    """

    company: str
    level: Level
    since_ns: int

    def gives(self, level: Level) -> bool:
        """Whether so much is shared."""
        return level != "none" and LEVELS.index(self.level) >= LEVELS.index(level)


def names_something(tag: str) -> bool:
    """Whether a tag says which lot, product, order or pack it is, of which a mean would tell the number too."""
    return _NAMING.fullmatch(_HUMP.sub("_", tag).casefold()) is not None


class SharedStore:
    """A store behind a share level; what is not shared is answered as what is not there.

    Args:
        store: what is really there.
        share: how much of it is shared.
        now_ns: ns since 1970 UTC.
    """

    def __init__(self, store: Store, share: Share, now_ns: int) -> None:
        self._store, self._share, self._now_ns = store, share, now_ns

    def minutes(self, machine: MachineInfo, tag: str, length_ns: int, width_ns: int) -> Trend:
        """Least, mean and greatest of a tag, of whole buckets that are over.

        What the edge shared by the minute is taken where there are no readings.

        Args:
            machine: of the supplier.
            tag: of the machine's.
            length_ns: of the picture, which ends now.
            width_ns: of a bucket, in whole minutes.

        Raises:
            DependencyError: the store cannot be reached.
            ValueError: buckets of no whole minutes.
        """
        if width_ns <= 0 or width_ns % MINUTE_NS:
            msg = f"buckets of {width_ns} ns are no whole minutes"
            raise ValueError(msg)
        end_ns = self._now_ns // width_ns * width_ns
        start_ns = max(end_ns - length_ns, self._share.since_ns)
        start_ns = -(-start_ns // width_ns) * width_ns
        if not self._share.gives("aggregate") or not self._is_of(machine, tag) or start_ns >= end_ns:
            return empty_trend(width_ns)
        if names_something(tag) and not self._share.gives("raw"):
            return empty_trend(width_ns)
        buckets = (end_ns - start_ns) // width_ns
        found = self._store.trend(machine.place(), tag, start_ns, end_ns, buckets)
        if len(found.count):
            return found
        names = {kind: f"{tag}_{kind}" for kind in _ONE_MINUTE}
        place = machine.place(AGGREGATE)
        parts = self._store.trends(place, list(names.values()), start_ns, end_ns, buckets)
        return _together({kind: parts[name] for kind, name in names.items()}, width_ns)

    def latest(self, machine: MachineInfo) -> list[Latest]:
        """The newest reading of each tag of a machine; nothing below `raw`.

        Raises:
            DependencyError: the store cannot be reached.
        """
        if not self._share.gives("raw") or machine.company != self._share.company:
            return []
        found = self._store.latest(machine.place())
        return [one for one in found if one.field in machine.tags and one.status_time_ns >= self._share.since_ns]

    def readings(self, machine: MachineInfo, tag: str, length_ns: int, most: int) -> Points:
        """The newest readings of a tag, oldest first; nothing below `raw`.

        Args:
            machine: of the supplier.
            tag: of the machine's.
            length_ns: so far back, at most.
            most: readings at most.

        Raises:
            DependencyError: the store cannot be reached.
        """
        start_ns = max(self._now_ns - length_ns, self._share.since_ns)
        if not self._share.gives("raw") or not self._is_of(machine, tag) or start_ns > self._now_ns:
            return no_points()
        found = self._store.points(machine.place(), tag, start_ns, self._now_ns + 1)
        return Points(found.time_ns[-most:], found.value[-most:])

    def _is_of(self, machine: MachineInfo, tag: str) -> bool:
        return machine.company == self._share.company and tag in machine.tags


def _together(parts: dict[str, Trend], width_ns: int) -> Trend:
    """Buckets of lines that an edge told by the minute: their means weighted alike, as each is of one minute."""
    mean = parts["mean"]
    low, high = (_at(parts[kind], mean, kind) for kind in ("min", "max"))
    told = parts["count"]
    counts = dict(zip(told.time_ns.tolist(), (told.mean * told.count).tolist(), strict=True))
    count = np.array([round(counts.get(at, 0)) for at in mean.time_ns.tolist()], dtype=np.int64)
    return Trend(mean.time_ns, low, mean.mean, high, count, width_ns)


def _at(part: Trend, mean: Trend, kind: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The least or the greatest of each bucket that has a mean; where there is none, the mean."""
    values = part.low if kind == "min" else part.high
    known = dict(zip(part.time_ns.tolist(), values.tolist(), strict=True))
    pairs = zip(mean.time_ns.tolist(), mean.mean.tolist(), strict=True)
    return np.array([known.get(at, value) for at, value in pairs], dtype=np.float64)
