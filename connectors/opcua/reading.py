"""Cyclic reads: each period on its own schedule, repeated readings held back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from connectors.base import LinkContext
from connectors.missed import Missed, cause_of
from connectors.opcua import plan
from connectors.opcua.columnar.columns import Columns, oldest_first, scan_of_columns
from connectors.opcua.columnar.skip import Skipper
from connectors.opcua.identity import GONE, Identity
from connectors.opcua.library import ua
from connectors.opcua.limits import LEAST, TOO_MUCH, Limits
from connectors.opcua.messages import read_body
from connectors.opcua.outbox import Outbox
from connectors.opcua.session import OpcUaSession, link_errors
from connectors.opcua.values.readings import Values
from connectors.ticker import ticks
from pipelines.errors import LinkError
from pipelines.point import VALUE_DTYPES, Delivery, Gap, Scan, scan_of

_KIND: Final = {name: number for number, name in enumerate(VALUE_DTYPES)}
_BAD: Final = 0x8000_0000
_CARRY_NS: Final = 10_000_000_000
"""Reads that say nothing new are told of this often, so that a later link knows until when there were any."""
_CODE: Final = 0xFFFF_0000


class Unchanged:
    """The last reading of each row, to hold back one that says the same again.

    Args:
        tags: number of tags in the connector's table; parts behind them are taken in as they come.
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
        if len(tag) and (rows := int(tag.max()) + 1) > len(self._kind):
            self._grow(2 * rows - len(self._kind))
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

    def _grow(self, new: int) -> None:
        self._kind = np.append(self._kind, np.full(new, -1, np.int8))
        self._time = np.append(self._time, np.zeros(new, np.int64))
        self._status = np.append(self._status, np.zeros(new, np.uint32))
        self._value = {name: np.append(old, np.zeros(new, name)) for name, old in self._value.items()}


class Reader:
    """Reads every tag with `mode: read` on multiples of its period.

    Args:
        session: an open session.
        context: what the link was opened with.
        limits: what the server takes.
        identity: nodes of the tags, resolved.
        outbox: where deliveries go.
        state: makes the resume state to commit with a delivery.
        values: turns columns into readings.

    Attributes:
        last_ns: time of the last complete cycle, or of the opening, ns since 1970 UTC.
    """

    def __init__(
        self,
        session: OpcUaSession,
        context: LinkContext,
        limits: Limits,
        identity: Identity,
        outbox: Outbox,
        state: Callable[[], bytes | None],
        values: Values,
    ) -> None:
        self._values = values
        self.last_ns = context.clock.now_ns()
        self._said_ns = self.last_ns
        self._worked = 0
        self._session = session
        self._context = context
        self._limits = limits
        self._identity = identity
        self._outbox = outbox
        self._state = state
        self._cycles = plan.reads(session.settings)
        self._bodies: dict[float, list[tuple[NDArray[np.int32], bytes]]] = {}
        self._unchanged = Unchanged(len(session.settings.tags))
        self._retest = plan.Retest()

    async def run(self) -> None:
        """Read until the link ends.

        Raises:
            LinkError: it ended.
        """
        periods_s = list(self._cycles)
        for tag in (tag for tags in self._cycles.values() for tag in tags):
            if tag in self._identity.unknown:
                self._gone(tag, self._identity.unknown[tag])
        clock = self._context.clock
        left_out, last_ns = [Missed() for _ in periods_s], [0] * len(periods_s)
        began_s = done_s = clock.monotonic_s()
        waited_s = 0.0
        async for due, missed in ticks(periods_s, clock, self._context.stats):
            self._context.stats.overruns += sum(missed.values())
            for index, count in missed.items():
                left_out[index].add(count, cause_of(done_s - began_s - waited_s, waited_s))
            began_s, waited_s = clock.monotonic_s(), 0.0
            await self._look_up()
            for index in due:
                asked_ns = clock.now_ns()
                scans = await self._cycle(periods_s[index])
                gaps = left_out[index].read(self._cycles[periods_s[index]], last_ns[index], asked_ns)
                last_ns[index] = asked_ns
                if scans or gaps:
                    put_s = clock.monotonic_s()
                    await self._put(tuple(scans), tuple(gaps))
                    waited_s += clock.monotonic_s() - put_s
            done_s, self.last_ns = clock.monotonic_s(), clock.now_ns()
            if self.last_ns - self._said_ns > _CARRY_NS:
                await self._put(())

    async def _put(self, scans: tuple[Scan, ...], gaps: tuple[Gap, ...] = ()) -> None:
        self._said_ns = self._context.clock.now_ns()
        clock_ns = self._session.wire.device_time_ns
        await self._outbox.put(Delivery(scans, self._state(), gaps, device_time_ns=clock_ns))

    async def _cycle(self, period_s: float) -> list[Scan]:
        """One reading of every tag of a period that says something new; smaller requests when the server says so."""
        tags = self._cycles[period_s]
        scans = self._refused([tag for tag in tags if tag in self._identity.unknown])
        for piece, body in self._requests(period_s):
            try:
                with link_errors(self._session.settings.endpoint):
                    scans += await self._read(piece, body)
            except LinkError as error:
                code = getattr(error.__cause__, "code", 0)
                too_much = code in TOO_MUCH and len(piece) > 1
                if too_much or len(piece) > max(self._worked, LEAST):
                    self._limits.refused("reads", len(piece), ua.StatusCode(code).name if code else "no answer")
                if not too_much:
                    raise
                self._session.reads_per_call = self._limits.most("reads")
                self._bodies.clear()
                return scans + await self._cycle(period_s)  # what was read already is held back as unchanged
            self._worked = max(self._worked, len(piece))
        return scans

    def _requests(self, period_s: float) -> list[tuple[NDArray[np.int32], bytes]]:
        found = self._bodies.get(period_s)
        if found is None:
            nodes = self._identity.nodes
            known = [tag for tag in self._cycles[period_s] if tag in nodes]
            pieces = plan.batches(known, self._limits.most("reads"))
            found = [(np.array(piece, np.int32), read_body([nodes[tag] for tag in piece])) for piece in pieces]
            self._bodies[period_s] = found
        return found

    async def _read(self, tags: NDArray[np.int32], body: bytes) -> list[Scan]:
        self._context.stats.requests += 1
        heard, now_ns = self._context.heard, self._context.clock.now_ns()

        def hear(raw: bytes, at: int) -> None:
            assert heard is not None
            values = Skipper(raw, at, len(raw)).items(handles=False)
            heard("opcua", via="read", items=[(int(tags[position]), value) for position, value in values])

        deadline_s = self._session.settings.timeout_s
        found = await self._session.wire.read(body, deadline_s, now_ns, hear if heard is not None else None)
        if sum(len(columns.handle) for columns in found) != len(tags):
            raise ValueError("a read answers for another number of nodes")
        rows = [one for columns in found for one in await self._rows(tags[columns.handle], columns)]
        scans = [oldest_first(self._unchanged.filter(scan_of_columns(one), one.timed)) for one in rows]
        return [scan for scan in scans if len(scan)]

    async def _rows(self, tag: NDArray[np.int32], columns: Columns) -> list[Columns]:
        """The readings that columns stand for; nodes that vanished or came back are noted."""
        if columns.status.any():
            for at in np.flatnonzero(columns.status >= _BAD):
                code = int(columns.status[at]) & _CODE
                if code in GONE:
                    self._gone(int(tag[at]), code)
        if self._retest.due:
            self._back(tag, columns.status)
        return await self._values.rows(tag, columns)

    async def _look_up(self) -> None:
        """Where the nodes of refused tags are now; a node that is back where it was answers by itself."""
        if not self._retest.due:
            return
        now_s = self._context.clock.monotonic_s()
        due = self._retest.ready(now_s)
        if not due:
            return
        before = {tag: self._identity.nodes.get(tag) for tag in due}
        await self._identity.again(due)
        for tag in due:
            self._retest.failed(tag, now_s)
        if any(self._identity.nodes.get(tag) != before[tag] for tag in due):
            self._bodies.clear()

    def _gone(self, tag: int, code: int) -> None:
        if tag not in self._retest.due:
            self._retest.failed(tag, self._context.clock.monotonic_s())
        self._context.stats.refused[tag] = code

    def _back(self, tags: NDArray[np.int32], status: NDArray[np.uint32]) -> None:
        hits = np.flatnonzero(np.isin(tags, np.fromiter(self._retest.due, np.int32, len(self._retest.due))))
        for tag, code in zip(tags[hits].tolist(), status[hits].tolist(), strict=True):
            if code & _CODE not in GONE:
                self._retest.worked(tag)
                self._context.stats.refused.pop(tag, None)

    def _refused(self, tags: list[int]) -> list[Scan]:
        """A bad reading of tags without a node; it is held back when it repeats the last one."""
        if not tags:
            return []
        codes = [self._identity.unknown[tag] for tag in tags]
        scan = scan_of(tags, self._context.clock.now_ns(), np.full(len(tags), np.nan), codes)
        scan = self._unchanged.filter(scan, np.zeros(len(tags), np.bool_))
        return [scan] if len(scan) else []
