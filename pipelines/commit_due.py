"""When a commit has to begin, so that what waits for it is durable in time. Pure."""

from __future__ import annotations

from typing import Final

_KEPT: Final = 0.05
"""Part of the time that is kept for the commit itself. A disk that needs longer is not asked sooner: it would only wear
out sooner."""


class CommitDue:
    """Begins a commit so early that it is over `within_s` after the first that waits for it came.

    Args:
        within_s: longest time until what came is durable, seconds above 0, on a disk that commits in a twentieth of it.
    """

    def __init__(self, within_s: float) -> None:
        self._wait_s = within_s * (1 - _KEPT)
        self._oldest_s: float | None = None

    def came(self, now_s: float) -> None:
        """Something that is to be durable came at `now_s`, monotonic seconds."""
        if self._oldest_s is None:
            self._oldest_s = now_s

    def taken(self) -> None:
        """A commit takes along everything that came; what comes now waits for the next one."""
        self._oldest_s = None

    def begin_s(self, now_s: float) -> float:
        """When the next commit has to begin, monotonic seconds; at once where nothing is known to wait."""
        return now_s if self._oldest_s is None else self._oldest_s + self._wait_s
