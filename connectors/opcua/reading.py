"""Cyclic reads: each period on its own schedule, repeated readings held back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from connectors.base import LinkContext
from connectors.opcua import plan
from connectors.opcua.decode import Columns, oldest_first
from connectors.opcua.items import BAD_NODE_ID_UNKNOWN
from connectors.opcua.library import NodeId
from connectors.opcua.messages import read_body
from connectors.opcua.outbox import Outbox
from connectors.opcua.session import OpcUaSession, link_errors
from connectors.ticker import ticks
from pipelines.point import VALUE_DTYPES, Delivery, Scan, scan_of

_KIND: Final = {name: number for number, name in enumerate(VALUE_DTYPES)}
_BAD: Final = 0x8000_0000


class Unchanged:
    """The last reading of each tag, to hold back one that says the same again.

    Args:
        tags: number of tags in the connector's table.
    """

    def __init__(self, tags: int) -> None:
        self._kind = np.full(tags, -1, np.int8)
        self._time = np.zeros(tags, np.int64)
        self._status = np.zeros(tags, np.uint32)
        self._value: dict[str, NDArray[Any]] = {name: np.zeros(tags, name) for name in VALUE_DTYPES}

    def filter(self, scan: Scan, timed: NDArray[np.bool_]) -> Scan:
        """The readings whose (time, value, status) differ from the tag's last one; they become the last ones.

        Args:
            scan: readings, each tag at most once.
            timed: whether the device gave the time, shape (n,); a bad reading without one repeats whatever its time.
        """
        tag = scan.tag
        kind = _KIND[scan.value.dtype.name]
        old = self._value[scan.value.dtype.name][tag]
        new = scan.value
        if new.dtype.kind == "f":  # NaN equals itself here, and -0.0 differs from 0.0
            old, new = old.view(np.int64), new.view(np.int64)
        bad = scan.status & _BAD != 0
        same_time = (self._time[tag] == scan.time_ns) | (bad & ~timed)
        same = (self._kind[tag] == kind) & (self._status[tag] == scan.status) & same_time & ((old == new) | bad)
        keep = ~same
        kept = scan.take(keep)
        self._kind[kept.tag] = kind
        self._time[kept.tag] = kept.time_ns
        self._status[kept.tag] = kept.status
        self._value[scan.value.dtype.name][kept.tag] = kept.value
        return kept


class Reader:
    """Reads every tag with `mode: read` on multiples of its period.

    Args:
        session: an open session.
        context: what the link was opened with.
        outbox: where deliveries go.
        state: makes the resume state to commit with a delivery.
    """

    def __init__(
        self, session: OpcUaSession, context: LinkContext, outbox: Outbox, state: Callable[[], bytes | None]
    ) -> None:
        self._session = session
        self._context = context
        self._outbox = outbox
        self._state = state
        self._unchanged = Unchanged(len(session.settings.tags))

    async def run(self) -> None:
        """Read until the link ends.

        Raises:
            LinkError: it ended.
        """
        cycles = plan.reads(self._session.settings)
        if not cycles:
            return
        nodes = self._session.nodes()
        bodies = [self._bodies(tags, nodes) for tags in cycles.values()]
        unknown = [[tag for tag in tags if tag not in nodes] for tags in cycles.values()]
        async for due, missed in ticks(list(cycles), self._context.clock):
            self._context.stats.overruns += missed
            for index in due:
                scans = self._refused(unknown[index])
                for tags, body in bodies[index]:
                    scans += await self._read(tags, body)
                if scans:
                    clock_ns = self._session.wire.device_time_ns
                    await self._outbox.put(Delivery(tuple(scans), self._state(), device_time_ns=clock_ns))

    def _bodies(self, tags: list[int], nodes: dict[int, NodeId]) -> list[tuple[NDArray[np.int32], bytes]]:
        pieces = plan.batches([tag for tag in tags if tag in nodes], self._session.reads_per_call)
        return [(np.array(piece, np.int32), read_body([nodes[tag] for tag in piece])) for piece in pieces]

    async def _read(self, tags: NDArray[np.int32], body: bytes) -> list[Scan]:
        settings = self._session.settings
        self._context.stats.requests += 1
        with link_errors(settings.endpoint):
            found = await self._session.wire.read(body, settings.timeout_s, self._context.clock.now_ns())
            if sum(len(columns.handle) for columns in found) != len(tags):
                raise ValueError("a read answers for another number of nodes")
        scans = [self._scan(tags, columns) for columns in found]
        return [scan for scan in scans if len(scan)]

    def _scan(self, tags: NDArray[np.int32], columns: Columns) -> Scan:
        scan = Scan(tags[columns.handle], columns.time_ns, columns.value, columns.status)
        return oldest_first(self._unchanged.filter(scan, columns.timed))

    def _refused(self, tags: list[int]) -> list[Scan]:
        if not tags:
            return []
        scan = scan_of(tags, self._context.clock.now_ns(), np.full(len(tags), np.nan), BAD_NODE_ID_UNKNOWN)
        scan = self._unchanged.filter(scan, np.zeros(len(tags), np.bool_))
        return [scan] if len(scan) else []
