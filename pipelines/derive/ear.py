"""What rules hear of one connection: a mask picks the rows they read, so that the others cost next to nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipelines.derive.engine import Engine, Heard
from pipelines.derive.rule import Ref, Value
from pipelines.lines import Lines
from pipelines.point import Scan

SETTLED_NS: Final = 5 * 10**9
"""After a link came back, what its device has to say anew has been said by then."""


class Ear:
    """Hands the readings of one connection to an engine.

    Args:
        engine: has the rules.

    Attributes:
        listens: whether rules read any row.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._refs: list[Ref] = []
        self._mask = np.empty(0, dtype=bool)
        self.listens = False
        self._holds: list[bool] = []
        self._last: dict[int, tuple[Value, int]] = {}
        self._away: dict[int, tuple[Value, int]] = {}
        self._back_ns: int | None = None

    def follow(self, refs: Sequence[Ref], holds: Sequence[bool]) -> None:
        """The connection's tag table and the engine's rules, as they are now.

        Args:
            refs: tag of each row.
            holds: whether what it says holds until it says otherwise: the device tells changes alone.
        """
        self._refs, self._holds = list(refs), list(holds)
        self._mask = np.array([self._engine.listens(ref) for ref in refs], dtype=bool)
        self.listens = bool(self._mask.any())

    def wanted(self, scan: Scan) -> Scan | None:
        """The readings that rules read; None = none of them."""
        if not self.listens:
            return None
        wanted = self._mask[scan.tag]
        return scan.take(wanted) if wanted.any() else None

    def hear(self, scan: Scan, own_ns: NDArray[np.int64], time_ns: NDArray[np.int64]) -> None:
        """Wanted readings, normalized, before a deadband.

        Args:
            scan: they.
            own_ns: their times by the agent's clock, shape (n,), ns since 1970 UTC.
            time_ns: their times as they are stored.
        """
        rows, values, codes = scan.tag.tolist(), scan.value.tolist(), scan.status.tolist()
        refs = [self._refs[row] for row in rows]
        self._engine.hear(list(map(Heard, own_ns.tolist(), refs, values, codes, time_ns.tolist())))
        for row, value, code in zip(rows, values, codes, strict=True):
            if self._holds[row]:
                self._last[row] = value, code
                self._away.pop(row, None)

    def lost(self, status: int, now_ns: int) -> None:
        """Every row is bad now."""
        self._away, self._back_ns = self._away | self._last, None
        self._last = {}
        self.doubt(np.flatnonzero(self._mask), status, now_ns)

    def doubt(self, rows: NDArray[Any], status: int, now_ns: int) -> None:
        """Nothing is known of these rows now; `status` is bad."""
        heard = rows[self._mask[rows]].tolist()
        self._engine.hear([Heard(now_ns, self._refs[row], 0, status) for row in heard])

    def recall(self, now_ns: int, steady_ns: int) -> None:
        """The link is up: what says nothing for `SETTLED_NS` says what it said before it was lost.

        A subscription that outlived the link tells what changed meanwhile, and one that is new tells everything.

        Args:
            now_ns: the agent's time, ns since 1970 UTC.
            steady_ns: the same on a scale that leaves out the jumps of its clock.
        """
        if not self._away:
            return
        self._back_ns = steady_ns if self._back_ns is None else self._back_ns
        if steady_ns - self._back_ns >= SETTLED_NS:
            self._engine.hear(
                [Heard(now_ns, self._refs[row], value, code) for row, (value, code) in self._away.items()]
            )
            self._last |= self._away
            self._away = {}

    def gather(self, now_ns: int) -> Lines | None:
        """What all that causes; None = nothing."""
        return self._engine.gather(now_ns) if self.listens else None
