"""Figures of suppliers that were computed a moment ago: a page of thirty of them asks for each."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from viewer.kpi.result import Result

KEPT_S: Final = 600.0
"""A figure is computed anew after this time: late readings and entries still come."""
AT_ONCE: Final = 12
"""Sites whose figures one page computes; the others follow when it is drawn again."""
_MOST: Final = 4000


class Allowance:
    """How many sites one answer may compute figures of, so that it comes in seconds.

    Args:
        left: sites.
    """

    def __init__(self, left: int = AT_ONCE) -> None:
        self._left = left

    def take(self) -> bool:
        """Whether one more may be computed."""
        self._left -= 1
        return self._left >= 0


@dataclass(frozen=True, slots=True)
class _Kept:
    at_ns: int
    results: list[Result]


class Kept:
    """What was computed in the last ten minutes. What of it somebody may see is asked each time, elsewhere."""

    def __init__(self) -> None:
        self._found: OrderedDict[object, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def get(
        self, key: object, now_ns: int, make: Callable[[], list[Result]], allowance: Allowance
    ) -> list[Result] | None:
        """What was computed under a key, or is now; None = not yet, the allowance is used up.

        Raises:
            DependencyError: the store cannot be reached.
        """
        with self._lock:
            found = self._found.get(key)
        if found is not None and 0 <= now_ns - found.at_ns <= KEPT_S * 1e9:
            return found.results
        if not allowance.take():
            return None
        results = make()
        with self._lock:
            self._found[key] = _Kept(now_ns, results)
            self._found.move_to_end(key)
            while len(self._found) > _MOST:
                self._found.popitem(last=False)
        return results
