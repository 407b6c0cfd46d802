"""What rules hear of one connection: a mask picks the rows they read, so that the others cost next to nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipelines.derive.engine import Engine
from pipelines.derive.rule import Ref
from pipelines.lines import Lines
from pipelines.point import Scan


class Ear:
    """Hands the readings of one connection to an engine.

    Args:
        engine: has the rules.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._refs: list[Ref] = []
        self._mask = np.empty(0, dtype=bool)
        self._any = False

    def follow(self, refs: Sequence[Ref]) -> None:
        """The rows of the connection's tag table, as they are now, and the engine's rules, as they are now."""
        self._refs = list(refs)
        self._mask = np.array([self._engine.listens(ref) for ref in refs], dtype=bool)
        self._any = bool(self._mask.any())

    def wanted(self, scan: Scan) -> Scan | None:
        """The readings that rules read; None = none of them."""
        if not self._any:
            return None
        wanted = self._mask[scan.tag]
        return scan.take(wanted) if wanted.any() else None

    def hear(self, scan: Scan, time_ns: NDArray[np.int64]) -> None:
        """Wanted readings, normalized, before a deadband, at these times: int64, shape (n,), ns since 1970 UTC."""
        refs = [self._refs[tag] for tag in scan.tag.tolist()]
        columns = (time_ns.tolist(), refs, scan.value.tolist(), scan.status.tolist())
        self._engine.hear(list(zip(*columns, strict=True)))

    def lost(self, status: int, now_ns: int) -> None:
        """Every row is bad now."""
        self._engine.hear([(now_ns, self._refs[row], 0, status) for row in np.flatnonzero(self._mask).tolist()])

    def gather(self, now_ns: int) -> Lines | None:
        """What all that causes; None = nothing."""
        return self._engine.gather(now_ns) if self._any else None
