"""Columns of a notification to readings by tag: handles looked up, overflows named, vanished nodes noticed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from connectors.base import LinkContext
from connectors.opcua.columnar.columns import Columns, oldest_first, scan_of_columns
from connectors.opcua.columnar.skip import Skipper
from connectors.opcua.identity import GONE
from connectors.opcua.messages import Notification
from connectors.opcua.values.readings import VALUE_FAULTS, Values
from pipelines.point import Gap, Scan

_OVERFLOW_MASK: Final = 0x0C80
_OVERFLOW: Final = 0x0480
"""InfoType DataValue with the Overflow bit (OPC 10000-4 §7.39.1)."""
_BAD: Final = 0x8000_0000
_CODE: Final = 0xFFFF_0000


_TAG_BITS: Final = 20
_TAG: Final = (1 << _TAG_BITS) - 1
_ROUNDS: Final = (1 << (31 - _TAG_BITS)) - 1
"""Handles from 0x8000_0000 are notifiers'."""


class Handles:
    """Client handles of one subscription: the tag index, and above its 20 bits how often the item was made again.

    An item of before may still exist at the server (its id is not known after a take-over, nor when the answer to its
    creation was lost): what comes under its old handle belongs to nobody, and no handle ever means another tag.

    Args:
        tags: number of tags in the connector's table, at most 1,048,576.
        again: handle by tag index of the items made again by earlier links.
    """

    def __init__(self, tags: int, again: Iterable[tuple[int, int]] = ()) -> None:
        self.again: dict[int, int] = {}
        self._round: NDArray[np.int64] = np.zeros(tags, np.int64)
        self._offered: NDArray[np.int64] = np.zeros(tags, np.int64)
        self._plain = True
        for tag, handle in ((tag, handle) for tag, handle in again if 0 <= tag < tags):
            self.settle(tag, handle, taken=True)

    @staticmethod
    def fit(again: Iterable[tuple[int, int]]) -> bool:
        """Whether these (tag index, handle) can have been given by `offer`."""
        return all(handle & _TAG == tag and 0 < handle >> _TAG_BITS <= _ROUNDS for tag, handle in again)

    def offer(self, tag: int) -> int:
        """A handle that no item of the last two thousand has had; until `settle` the tag is known under both."""
        self._plain = False
        self._offered[tag] = self._round[tag] % _ROUNDS + 1
        return int(self._offered[tag]) << _TAG_BITS | tag

    def settle(self, tag: int, handle: int, *, taken: bool) -> None:
        """The server took the item with the offered `handle`, or refused it."""
        if taken:
            self._plain = False
            self.again[tag] = handle
            self._round[tag] = handle >> _TAG_BITS
        self._offered[tag] = self._round[tag]

    def tags(self, handles: NDArray[Any]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """(tag by handle, whether the handle is in use), both of shape (n,)."""
        if self._plain:
            return handles.astype(np.int32), handles < len(self._round)
        tags = handles & _TAG
        known = tags < len(self._round)
        tags = np.where(known, tags, 0)
        rounds = handles >> _TAG_BITS
        return tags.astype(np.int32), known & ((rounds == self._round[tags]) | (rounds == self._offered[tags]))


class Intake:
    """What every subscription of a link shares when it takes readings.

    Args:
        context: what the link was opened with.
        tags: number of tags in the connector's table.
        values: turns columns into readings.

    Attributes:
        gaps: gaps found and not yet handed over.
        gone: StatusCode by tag index of nodes that vanished, not yet looked after.
        back: tags that had been refused and give readings again, not yet looked after.
    """

    def __init__(self, context: LinkContext, tags: int, values: Values) -> None:
        self._values = values
        self.gaps: list[Gap] = []
        self.gone: dict[int, int] = {}
        self.back: set[int] = set()
        self._stats = context.stats
        self._tag_ns = np.full(tags, context.clock.now_ns(), np.int64)
        self._heard = context.heard

    def since(self, tags: Iterable[int], time_ns: int) -> None:
        """What is said of `tags` next follows what was known at `time_ns`, ns since 1970 UTC."""
        self._tag_ns[list(tags)] = time_ns

    def hear(self, message: Notification, handles: Handles) -> None:
        """Tell a recording of the values in a message as they came."""
        if self._heard is None:
            return
        for raw, start, end in message.bodies:
            found = list(Skipper(raw, start, end).items(handles=True))
            tags, known = handles.tags(np.array([handle for handle, _ in found], np.int64))
            items = [
                (tag, value) for tag, good, (_, value) in zip(tags.tolist(), known.tolist(), found, strict=True) if good
            ]
            self._heard("opcua", via="subscription", items=items)

    async def scans(self, columns: Columns, handles: Handles) -> list[Scan]:
        """Columns by tag; overflows of the server's queue become gaps.

        Raises:
            LinkError: the link ended while a data type was asked for.
        """
        tags, known = handles.tags(columns.handle)
        if not known.all():
            self._stats.rejected["unknown_handle"] += int((~known).sum())
            columns = columns.take(known)
            tags = tags[known]
        if columns.status.any():
            self._look_at(tags, columns)
        if self._stats.refused:
            self.back.update(self._working(tags, columns.status, self._stats.refused))
        self._tag_ns[tags] = columns.time_ns
        rows = await self._values.rows(tags, columns)
        return [oldest_first(scan_of_columns(one)) for one in rows if len(one.handle)]

    def _look_at(self, tags: NDArray[np.int32], columns: Columns) -> None:
        for at in np.flatnonzero(columns.status & _OVERFLOW_MASK == _OVERFLOW):
            end_ns = int(columns.time_ns[at])
            self.gaps.append(Gap(int(tags[at]), "queue_overflow", min(int(self._tag_ns[tags[at]]), end_ns), end_ns))
        for at in np.flatnonzero(columns.status >= _BAD):
            code = int(columns.status[at]) & _CODE
            if code in GONE:
                self.gone[int(tags[at])] = code

    @staticmethod
    def _working(tags: NDArray[np.int32], status: NDArray[np.uint32], refused: Mapping[int, int]) -> set[int]:
        hits = np.flatnonzero(np.isin(tags, np.fromiter(refused, np.int32, len(refused))))
        return {
            tag
            for tag, code in zip(tags[hits].tolist(), status[hits].tolist(), strict=True)
            if refused[tag] not in VALUE_FAULTS and code & _CODE not in GONE
        }
