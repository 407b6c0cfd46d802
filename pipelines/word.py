"""The agent's own word on a tag's quality, at its own time, until readings are newer than it.

A lost link is a bad quality now. A value that has not changed since comes back with a source time before that: alone,
it would leave the bad quality the newest one in the store for as long as the value stays the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import orjson
from numpy.typing import NDArray

from pipelines.point import Scan


class Words:
    """What the agent said last of each tag of one connection.

    Args:
        keys: name of each tag, unique and the same after a restart.

    Attributes:
        pending: whether some tag's word is newer than its readings.
        changed: whether something was said, or everything outlived, since `state` was last asked.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self.pending = False
        self.changed = False
        self._keys: list[str] = []
        self._time = np.empty(0, dtype=np.int64)
        self._status = np.empty(0, dtype=np.uint32)
        self._said: dict[str, tuple[int, int]] = {}
        self.extend(keys)

    def extend(self, keys: Sequence[str]) -> None:
        """More tags behind the known ones; what an earlier process said of them holds."""
        first = len(self._keys)
        self._keys += keys
        self._time = np.append(self._time, np.zeros(len(keys), dtype=np.int64))
        self._status = np.append(self._status, np.zeros(len(keys), dtype=np.uint32))
        self._recall(first)

    def say(self, tag: NDArray[np.int32], now_ns: int, status: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Remember a word on each of these tags; its times, which never run backwards, int64, shape (n,)."""
        time_ns: NDArray[np.int64] = np.maximum(now_ns, self._time[tag] + 1)
        self._time[tag] = time_ns
        self._status[tag] = status
        self.pending = self.changed = True
        return time_ns

    def outdated(self, scan: Scan) -> tuple[NDArray[np.int32], NDArray[np.uint32]]:
        """(tags, statuses) of the last reading of each tag that says something else than the newer word on it."""
        tag, position = np.unique(scan.tag[::-1], return_index=True)
        last = len(scan) - 1 - position
        spoken = self._time[tag] != 0
        older = spoken & (scan.time_ns[last] <= self._time[tag])
        outlived = tag[spoken & ~older]
        if len(outlived):
            self._time[outlived] = 0
            self.pending = bool(self._time.any())
            # Readings outlive a word again after a restart, so that only the last of many has to be kept off the disk.
            self.changed |= not self.pending
        other = older & (scan.status[last] != self._status[tag])
        return tag[other], scan.status[last][other]

    def state(self) -> bytes:
        """For the next process: JSON of tag name → [time, status]."""
        self.changed = False
        spoken = np.flatnonzero(self._time).tolist()
        return orjson.dumps({self._keys[tag]: [int(self._time[tag]), int(self._status[tag])] for tag in spoken})

    def restore(self, state: bytes | None) -> None:
        """What `state` returned in an earlier process; tags that are gone are passed over."""
        self._said = orjson.loads(state) if state else {}
        self._recall(0)

    def _recall(self, first: int) -> None:
        for tag, key in enumerate(self._keys[first:], first):
            if key in self._said:
                self._time[tag], self._status[tag] = self._said.pop(key)
        self.pending = bool(self._time.any())
