"""When a commit has to begin, so that what waits for it is durable in time. Pure."""

from __future__ import annotations

from typing import Final

_FIRST_S: Final = 0.05
"""A commit is thought to take so long before there was one, seconds."""
_MOST: Final = 0.05
"""Part of the time that is kept for the commit itself, at most."""
_CALMER: Final = 0.9
"""What is left of a slow commit in the estimate after each quicker one."""


class CommitDue:
    """Begins a commit so early that it is over `within_s` after the first that waits for it came.

    How long it takes is learned from those before. Never more than a twentieth of the time is kept for it: a disk
    that needs longer would only wear out sooner by being asked more often.

    Args:
        within_s: longest time that anything waits to be durable, seconds above 0.
    """

    def __init__(self, within_s: float) -> None:
        self._within_s = within_s
        self._oldest_s: float | None = None
        self._takes_s = _FIRST_S

    def came(self, now_s: float) -> None:
        """Something that is to be durable came at `now_s`, monotonic seconds."""
        if self._oldest_s is None:
            self._oldest_s = now_s

    def taken(self) -> None:
        """A commit takes along everything that came; what comes now waits for the next one."""
        self._oldest_s = None

    def took(self, seconds: float) -> None:
        """So long a commit took."""
        self._takes_s = max(seconds, _CALMER * self._takes_s)

    def begin_s(self, now_s: float) -> float:
        """When the next commit has to begin, monotonic seconds; at once where nothing is known to wait."""
        if self._oldest_s is None:
            return now_s
        return self._oldest_s + self._within_s - min(self._takes_s, self._within_s * _MOST)
