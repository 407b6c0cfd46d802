"""Edges of segments that are counted already, by which a reading that comes again is known."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.ledger.tally import EDGE, Rows, Tally, without

_NEWEST: Final = 3
"""Newest readings kept of a series: of the last segments that were counted."""
_FIRSTS: Final = 2
"""First readings kept of a series: of the last processes, whose predecessors' segments may be counted after theirs."""
_SLOTS: Final = _NEWEST + _FIRSTS


class Known:
    """The last few edges of each series."""

    def __init__(self) -> None:
        self._edges = np.zeros((0, _SLOTS), EDGE)
        self._epoch = np.zeros(0, np.uint32)
        self._sequence = np.zeros(0, np.int64)

    def counted(self, tally: Tally, epoch: int, sequence: int) -> Tally:
        """What of a segment is not counted yet; its edges are known from now on.

        Args:
            tally: of the segment.
            epoch: number of its epoch.
            sequence: of the segment.
        """
        tally = self.fresh(tally)
        edges = tally.edges
        newest = edges[edges["newest"]]
        self._put(newest, 0, _NEWEST)
        series = edges["series"]
        fresh = (self._epoch[series] != epoch) & (sequence > self._sequence[series])
        firsts = edges[fresh & ~edges["newest"]]
        self._put(firsts, _NEWEST, _SLOTS)
        self._epoch[series[fresh]] = epoch
        self._sequence[series[fresh]] = sequence
        return tally

    def fresh(self, tally: Tally) -> Tally:
        """What of a segment is not counted yet."""
        self._make_room(tally.edges)
        return without(tally, self._has(tally.edges))

    def edges(self) -> Rows:
        """Everything that is known, dtype `EDGE`, for `restore`."""
        known: Rows = self._edges[self._edges["mix"] != 0]
        return known

    def restore(self, edges: Rows) -> None:
        """Take in what `edges` gave, in its order."""
        self._make_room(edges)
        for newest, start, end in ((True, 0, _NEWEST), (False, _NEWEST, _SLOTS)):
            some = edges[edges["newest"] == newest][::-1]
            for _ in range(end - start):
                at = np.unique(some["series"], return_index=True)[1]
                self._put(some[at], start, end)
                some = np.delete(some, at)

    def _make_room(self, edges: Rows) -> None:
        missing = int(edges["series"].max(initial=0)) + 1 - len(self._edges)
        if missing > 0:
            self._edges = np.concatenate((self._edges, np.zeros((missing, _SLOTS), EDGE)))
            self._epoch = np.append(self._epoch, np.zeros(missing, np.uint32))
            self._sequence = np.append(self._sequence, np.full(missing, -1))

    def _has(self, edges: Rows) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = (self._edges["mix"][edges["series"]] == edges["mix"][:, None]).any(axis=1)
        return found

    def _put(self, edges: Rows, start: int, end: int) -> None:
        """In front of the others; each series at most once."""
        series = edges["series"]
        self._edges[series, start + 1 : end] = self._edges[series, start : end - 1]
        self._edges[series, start] = edges
