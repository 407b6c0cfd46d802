"""Times that identify a reading: no two readings of a tag share one, none runs backwards, none is made up.

Different readings of one tag with the same source time are moved by +1 ns each. A source time that runs backwards
against the last accepted one of its tag, or is off by more than the tag's `max_skew_s`, is replaced by the agent's time
of the read, marked Uncertain, and kept beside the value as `<field>_source_time`. A time in the past is not off when
the device's own clock is known to be right: the value simply has not changed since. When a clock that was ahead is set
right, stamps follow it at once; what it had stamped stays where it is.

While the agent does not believe its own clock, a source's is not measured by it: times stay that can be right by
themselves. The newest time of a device's clock is kept over a restart: when the device comes back with less, no tag may
say less than the newest that was accepted from this device, though what each tag said last is not kept.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from pipelines.point import BAD, SEVERITY_MASK, UNCERTAIN, Scan
from pipelines.watched import PLAUSIBLE_NS, RELEASED_NS

BLOCK: Final = 256
"""Rows whose moved times are kept together: where a device's clock is off, every row's are, and one row that changes
must not write those of thousands."""
_STEPPED_NS: Final = 10 * 10**9
"""A last time this far ahead of now was stamped by a clock that was wrong then."""
_BACK_NS: Final = 10 * 10**9
"""A device's clock that shows less than in the process before, by more than this, was set back; that of a redundant
server may be a little behind."""
_NEVER_NS: Final = np.iinfo(np.int64).max
_NEWEST: Final = struct.Struct("<qq")


@dataclass(frozen=True, slots=True)
class Stamped:
    """Readings with final times.

    Attributes:
        scan: the readings.
        source_ns: source time of readings whose time was replaced, 0 elsewhere; None when none was, int64, shape (n,).
    """

    scan: Scan
    source_ns: NDArray[np.int64] | None


class Stamper:
    """Final times for one connection.

    Args:
        max_skew_ns: per tag, int64.
        state: what `changed_blocks` gave in an earlier process, in any order.
        keys: name of each tag, the same after a restart; default: its position.
        newest: what `newest` gave in an earlier process, or None.
    """

    def __init__(
        self,
        max_skew_ns: Sequence[int],
        state: Iterable[bytes] = (),
        keys: Sequence[str] | None = None,
        newest: bytes | None = None,
    ) -> None:
        known = newest is not None and len(newest) == _NEWEST.size
        self._before = _NEWEST.unpack(newest) if known and newest else None
        self._device_ns, self._newest_ns = self._before or (0, 0)
        self._bound_ns = 0
        self._max_skew = np.empty(0, dtype=np.int64)
        self._last = np.empty(0, dtype=np.int64)
        self._source = np.empty(0, dtype=np.int64)
        self._value: NDArray[Any] = np.empty(0, dtype=object)
        self._status = np.empty(0, dtype=np.uint32)
        self._shifted: dict[int, tuple[int, int, object, int]] = {}
        self._keys: list[str | int] = []
        self._changed: set[int] = set()
        self._known = {entry[0]: entry[1:] for block in state for entry in orjson.loads(block)}
        self.extend(max_skew_ns, keys or range(len(max_skew_ns)))

    def extend(self, max_skew_ns: Sequence[int], keys: Sequence[str | int]) -> None:
        """More rows behind the known ones: their largest skews in ns, and their names."""
        new, first = len(max_skew_ns), len(self._keys)
        self._keys += keys
        self._max_skew = np.append(self._max_skew, np.array(max_skew_ns, dtype=np.int64))
        self._least_skew_ns = int(self._max_skew.min(initial=_NEVER_NS))
        self._last = np.append(self._last, np.full(new, self._bound_ns, dtype=np.int64))
        self._source = np.append(self._source, np.full(new, self._bound_ns, dtype=np.int64))
        self._value = np.append(self._value, np.full(new, None, dtype=object))
        self._status = np.append(self._status, np.zeros(new, dtype=np.uint32))
        for tag, key in enumerate(keys, first):
            if key in self._known:
                source_ns, last_ns, value, code = self._known.pop(key)
                self._shifted[tag] = (source_ns, last_ns, value, code)
                self._source[tag], self._last[tag] = source_ns, last_ns
                self._value[tag], self._status[tag] = value, code

    def changed_blocks(self, *, everything: bool = False) -> dict[int, bytes]:
        """Tags whose last time was moved, for the next process, by block of rows that may have changed since last time.

        Args:
            everything: also blocks that did not change.

        Returns:
            JSON of [key, source time, time, value, status] of each such tag of a block; `[]` where there is none.
        """
        changed, self._changed = self._changed, set()
        if everything:
            changed |= {tag // BLOCK for tag in self._shifted}
        return {block: self._block(block) for block in sorted(changed)}

    def _block(self, block: int) -> bytes:
        rows = [tag for tag in range(block * BLOCK, (block + 1) * BLOCK) if tag in self._shifted]
        return orjson.dumps([[self._keys[tag], *self._shifted[tag]] for tag in rows])

    def newest(self) -> bytes | None:
        """Newest time of the device's clock and newest accepted one, for the next process; None = it has no clock."""
        return _NEWEST.pack(self._device_ns, self._newest_ns) if self._device_ns else None

    def stamp(self, scan: Scan, now_ns: int, device_time_ns: int | None = None, *, believed: bool = True) -> Stamped:
        """The same readings with final times, in the same order; `believed` = whether `now_ns` is no estimate."""
        skewed = self.skewed(scan, now_ns, device_time_ns, believed=believed)
        if device_time_ns is not None:
            self._device(device_time_ns, scan.time_ns[~skewed] if skewed.any() else scan.time_ns)
        last = self._last[scan.tag]
        once = len(scan) == 1 or len(np.unique(scan.tag)) == len(scan)
        if once and not skewed.any() and (scan.time_ns > last).all():
            self._remember(scan)
            return Stamped(scan, None)
        if not skewed.any() and not once and self._increasing(scan):
            self._remember(scan)
            return Stamped(scan, None)
        return self._one_by_one(scan, skewed, now_ns, believed=believed)

    def skewed(self, scan: Scan, now_ns: int, device_time_ns: int | None, *, believed: bool) -> NDArray[np.bool_]:
        """Which source times cannot be right, whatever came before them: bool, shape (n,)."""
        if not believed:
            return (scan.time_ns < RELEASED_NS) | (scan.time_ns > PLAUSIBLE_NS)
        ahead_ns = scan.time_ns - now_ns
        if device_time_ns is None or abs(device_time_ns - now_ns) > self._least_skew_ns:
            ahead_ns = np.abs(ahead_ns)
        skewed: NDArray[np.bool_] = ahead_ns > self._max_skew[scan.tag]
        return skewed

    def newest_sound(self, scan: Scan, now_ns: int, device_time_ns: int | None, *, believed: bool) -> int:
        """The newest of the times that are not `skewed`; 0 = none."""
        newest_ns = int(scan.time_ns.max(initial=0))
        if believed and abs(newest_ns - now_ns) <= self._least_skew_ns:
            return newest_ns
        return int(scan.time_ns[~self.skewed(scan, now_ns, device_time_ns, believed=believed)].max(initial=0))

    def _device(self, device_time_ns: int, time_ns: NDArray[np.int64]) -> None:
        """Keep the newest times; a clock that lost time since the process before bounds tags not heard since."""
        if self._before is not None:
            if device_time_ns < self._before[0] - _BACK_NS:
                unheard, self._bound_ns = self._last == 0, self._before[1]
                self._last[unheard] = self._source[unheard] = self._bound_ns
            self._before = None
        self._device_ns = device_time_ns
        if len(time_ns):
            self._newest_ns = max(self._newest_ns, int(time_ns.max()))

    def _increasing(self, scan: Scan) -> bool:
        order = np.argsort(scan.tag, kind="stable")
        tag, time = scan.tag[order], scan.time_ns[order]
        same = tag[1:] == tag[:-1]
        first = np.concatenate(([True], ~same))
        return bool((time[1:][same] > time[:-1][same]).all() and (time[first] > self._last[tag[first]]).all())

    def _remember(self, scan: Scan) -> None:
        self._last[scan.tag] = scan.time_ns
        self._source[scan.tag] = scan.time_ns
        self._value[scan.tag] = scan.value
        self._status[scan.tag] = scan.status
        if self._shifted:
            for tag in scan.tag.tolist():
                if self._shifted.pop(tag, None):
                    self._changed.add(tag // BLOCK)

    def _one_by_one(self, scan: Scan, skewed: NDArray[np.bool_], now_ns: int, *, believed: bool) -> Stamped:
        time, status = scan.time_ns.copy(), scan.status.copy()
        source_ns = np.zeros(len(scan), dtype=np.int64)
        values = scan.value.tolist()
        codes = scan.status.tolist()
        for index, tag in enumerate(scan.tag.tolist()):
            source, last, code = int(scan.time_ns[index]), int(self._last[tag]), codes[index]
            value = None if code & SEVERITY_MASK == BAD else values[index]
            if believed and last - now_ns > _STEPPED_NS and not skewed[index]:
                # A clock that was ahead has been set right: what it stamped lies in the future, this reading is right.
                self._source[tag], last = min(source, int(self._source[tag])), min(source - 1, last)
            if skewed[index] or source < self._source[tag]:
                time[index] = max(now_ns, last + 1)
                source_ns[index] = source
                if status[index] & SEVERITY_MASK == 0:
                    status[index] = UNCERTAIN
            elif source == self._source[tag] and self._repeats(tag, value, code):
                time[index] = last
            elif source <= last:
                time[index] = last + 1
            if not skewed[index]:
                self._source[tag] = max(source, int(self._source[tag]))
            self._last[tag] = time[index]
            self._value[tag], self._status[tag] = value, code
            if time[index] != source:
                self._shifted[tag] = (source, int(time[index]), value, code)
                self._changed.add(tag // BLOCK)
            elif self._shifted.pop(tag, None):
                self._changed.add(tag // BLOCK)
        stamped = Scan(scan.tag, time, scan.value, status)
        return Stamped(stamped, source_ns if source_ns.any() else None)

    def _repeats(self, tag: int, value: object, code: int) -> bool:
        """Whether a reading says what the last one of its tag said; -0.0 is not 0.0, and a bad one has no value."""
        if code != self._status[tag]:
            return False
        return code & SEVERITY_MASK == BAD or repr(value) == repr(self._value[tag])
