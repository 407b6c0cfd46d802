"""Gaps filled from the server's own history, beside the live data and never in its way.

One request at a time, as many values a second as the connection allows, and none while the consumer lags behind. A
server that has no history, or refuses it, is asked once for each tag and link.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from connectors.base import LinkContext
from connectors.opcua import plan
from connectors.opcua.history import request as history_read
from connectors.opcua.history.missing import Missing, Stretch
from connectors.opcua.library import NodeId, ua
from connectors.opcua.messages import checked
from connectors.opcua.outbox import Outbox
from connectors.opcua.session import OpcUaSession, link_errors
from connectors.opcua.values.readings import Values
from connectors.ticker import ticks
from pipelines.errors import LinkClosed, LinkError
from pipelines.point import BAD, SEVERITY_MASK, Delivery, Scan

TICK_S: Final = 0.2
"""How often it is looked whether something can be asked for."""
NODES: Final = 10
"""Most nodes in one request: servers keep few continuation points."""
MOST_VALUES: Final = 1000
"""Most values of one node in one answer."""
LAG: Final = 8
"""Deliveries the consumer may lag behind while history is read."""
_REST_S: Final = (10.0, 300.0)
"""Pause after a request that failed, seconds: the first one, and what it doubles up to."""
_UNANSWERED: Final = "history_unanswered"
_MOST_UNANSWERED: Final = 3
"""Links in a row that ended over a history read: a server that cannot bear it is left alone."""
_HISTORY_READ: Final = 0x04
"""Bit of AccessLevel: the history of the node can be read (OPC 10000-3 §8.57)."""
_CODES: Final = ua.StatusCodes
_TOO_MUCH: Final = {_CODES.BadNoContinuationPoints, _CODES.BadTooManyOperations, _CODES.BadResponseTooLarge}
_AGAIN: Final = {_CODES.BadContinuationPointInvalid, *_TOO_MUCH}
_EMPTY: Final = {_CODES.BadNoData, _CODES.BadBoundNotFound}
_MOST_TRIES: Final = 3
"""Requests in a row that bring a stretch no further."""
_NO_HISTORY: Final = {
    _CODES.BadServiceUnsupported,
    _CODES.BadHistoryOperationUnsupported,
    _CODES.BadHistoryOperationInvalid,
    _CODES.BadNotImplemented,
    _CODES.BadNotSupported,
}
_INFO: Final = 0x0FE0
_DATA_VALUE: Final = 0x0400
_HISTORIAN_BITS: Final = 0x041F
"""InfoType DataValue and the bits that say how a value came into the history (OPC 10000-4 §7.39.1)."""


@dataclass(slots=True)
class _Batch:
    """Stretches asked for together, until each has ended."""

    start_ns: int
    end_ns: int
    open: list[Stretch] = field(default_factory=list)


class Backfill:
    """The history of one link.

    Args:
        session: the link's session.
        context: what the link was opened with.
    """

    def __init__(self, session: OpcUaSession, context: LinkContext) -> None:
        settings = session.settings
        slowest_s = max([settings.sampling_interval_s, *plan.reads(settings)])
        settle_s = 2 * (settings.publishing_interval_s + slowest_s) + 1
        self.missing = Missing(len(settings.tags), settle_s, [f"{one.node} {one.path}" for one in settings.tags])
        head, _, past = (context.resume or b"").partition(b"\n")
        if past:
            self.missing.restore(past, context.clock.monotonic_s())
        self._session = session
        self._context = context
        self._nodes: Mapping[int, NodeId] = {}
        self._wanted = settings.history == "auto"
        self._per_s = settings.history_values_per_s
        self._max_age_ns = int(settings.history_max_age_s * 1e9)
        self._has: dict[int, bool] = {}
        self._values: Values | None = None
        self._head: bytes | None = head or None
        self._batch: _Batch | None = None
        self._further: list[tuple[Stretch, Stretch, bool]] = []
        self._most = NODES
        self._not_before_s = 0.0
        self._rest_s = 0.0

    def pass_on(self, delivery: Delivery) -> Delivery:
        """Look at a delivery on its way out; what is missing is committed with it."""
        if not self._wanted:
            return delivery
        if delivery.historical:
            self._get_further()
        else:
            clock = self._context.clock
            self.missing.observe(delivery, clock.now_ns(), clock.monotonic_s())
        self._head = delivery.resume or self._head
        return (
            delivery
            if delivery.resume is None
            else replace(delivery, resume=joined(delivery.resume, self.missing.state()))
        )

    def last_words(self) -> Delivery | None:
        """The delivery that ends a link: the last reading of each tag, by which the next one knows what it missed."""
        if not self._wanted or self._head is None:
            return None
        return Delivery((), joined(self._head, self.missing.last_words()))

    async def run(self, outbox: Outbox, nodes: Mapping[int, NodeId], values: Values) -> None:
        """Ask for what is missing until the link ends.

        Args:
            outbox: where deliveries go.
            nodes: the nodes of the tags, by tag index, kept up to date by whoever looks them up.
            values: turns columns into readings; of its own, since what it remembers is of the live stream otherwise.

        Raises:
            LinkError: the connection ended.
        """
        if not self._wanted or self._context.stats.rejected[_UNANSWERED] >= _MOST_UNANSWERED:
            return
        self._nodes, self._values = nodes, values
        async for _ in ticks([TICK_S], self._context.clock):
            now_s = self._context.clock.monotonic_s()
            if now_s < self._not_before_s or outbox.held > LAG:
                continue
            try:
                with link_errors(self._session.settings.endpoint):
                    await self._step(outbox)
                    self._rest_s = 0.0
            except LinkError as error:
                if isinstance(error, LinkClosed) and isinstance(error.__cause__, (OSError, ua.UaStatusCodeError)):
                    raise
                self._failed(error)

    async def _step(self, outbox: Outbox) -> None:
        """One request at most."""
        if self._batch is None:
            self._batch = await self._next(outbox)
        batch = self._batch
        if batch is None:
            return
        per_node = max(1, min(MOST_VALUES, self._per_s // len(batch.open)))
        answers = await self._ask(batch, per_node)
        scans: list[Scan] = []
        total = 0
        for stretch, answer in zip(list(batch.open), answers, strict=True):
            further = replace(stretch)
            received = await self._take(further, answer, scans)
            total += received
            goes_on = self._goes_on(further, answer)
            again = not goes_on and self._again(further, answer, full=received >= per_node)
            self._further.append((stretch, further, goes_on or again))
            if not goes_on:
                batch.open.remove(stretch)
        self._not_before_s = self._context.clock.monotonic_s() + total / self._per_s
        if not batch.open:
            self._batch = None
        await self._tell(outbox, scans)

    async def _tell(self, outbox: Outbox, scans: Sequence[Scan]) -> None:
        """Hand over what came, and with it how far each stretch got: neither is committed without the other."""
        gaps = tuple(further.filled() for _, further, more in self._further if not more and further.covered)
        if scans or gaps:
            await outbox.put(Delivery(tuple(scans), self._head, gaps, historical=True))
        else:
            self._get_further()

    def _get_further(self) -> None:
        for stretch, further, more in self._further:
            stretch.become(further)
            if not more:
                self.missing.close(stretch)
        self._further = []
        self.missing.changed()

    async def _next(self, outbox: Outbox) -> _Batch | None:
        """What to ask for next; what has no history stays a gap, what lies between two equal times is filled."""
        clock = self._context.clock
        due = self.missing.due(clock.monotonic_s())
        await self._look_at(sorted({one.gap.tag for one in due}))
        for one in due:
            if not self._has.get(one.gap.tag) or one.gap.tag not in self._nodes:
                self.missing.close(one)
        found = self.missing.ready(clock.monotonic_s(), self._most, clock.now_ns() - self._max_age_ns)
        if not found:
            return None
        wanted = []
        for one in found:
            if one.before_ns is not None and one.before_ns <= one.after_ns + 1 and one.whole:
                # the reading before is the reading after
                self._further.append((one, replace(one, began=True, covered=True), False))
            else:
                wanted.append(one)
        if self._further:
            await self._tell(outbox, ())
        if not wanted:
            return None
        for one in wanted:
            one.began = one.began or (not one.from_ns and self.missing.start_ns(one) > one.after_ns)
        ends = [one.before_ns or 0 for one in wanted]
        return _Batch(
            min(self.missing.start_ns(one) for one in wanted) // 1_000_000 * 1_000_000, max(ends) + 100, wanted
        )

    async def _look_at(self, tags: Sequence[int]) -> None:
        """Which of `tags` have a history that may be read, by their AccessLevel."""
        nodes = self._nodes
        new = [tag for tag in tags if tag not in self._has and tag in nodes]
        self._has |= dict.fromkeys((tag for tag in tags if tag not in nodes), False)
        if not new:
            return
        self._context.stats.requests += 1
        levels = await self._session.read_attribute([nodes[tag] for tag in new], ua.AttributeIds.UserAccessLevel)
        for tag, level in zip(new, levels, strict=True):
            value: Any = level.Value.Value if level.Value is not None else None
            self._has[tag] = isinstance(value, int) and bool(value & _HISTORY_READ)
        self.missing.without |= {tag for tag in new if not self._has[tag]}

    async def _ask(self, batch: _Batch, per_node: int) -> list[history_read.Result]:
        nodes = self._nodes
        batch.open = [one for one in batch.open if one.gap.tag in nodes]
        asked = [(nodes[one.gap.tag], one.continuation) for one in batch.open]
        body = history_read.raw_body(asked, batch.start_ns, batch.end_ns, per_node)
        self._context.stats.requests += 1
        self._context.stats.rejected[_UNANSWERED] += 1
        timeout_s = self._session.settings.timeout_s
        async with asyncio.timeout(timeout_s):
            data = await self._session.wire.send(history_read.REQUEST, body, timeout_s)
        del self._context.stats.rejected[_UNANSWERED]
        raw, at = checked(data)
        answers = history_read.results(raw, at, self._context.clock.now_ns())
        if len(answers) != len(asked):
            raise ValueError("a history read answers for another number of nodes")
        return answers

    async def _take(self, stretch: Stretch, answer: history_read.Result, scans: list[Scan]) -> int:
        """Readings strictly between the ones that came live.

        Returns:
            Values in the answer.
        """
        received, newest_ns = 0, stretch.from_ns
        before_ns = stretch.before_ns or 0
        for columns in answer.columns:
            received += len(columns.handle)
            time_ns = columns.time_ns
            first, last = _same(time_ns, stretch.after_ns), _same(time_ns, before_ns)
            stretch.began = stretch.began or bool(first.any())
            stretch.covered = stretch.covered or bool(columns.timed.any())
            later = time_ns > max(stretch.after_ns, stretch.from_ns)
            inside = columns.timed & later & (time_ns < before_ns) & ~first & ~last
            if inside.any():
                some = columns.take(inside)
                raw = some.status & _INFO == _DATA_VALUE
                some.status[raw] &= ~np.uint32(_HISTORIAN_BITS)
                tags = np.full(len(some.handle), stretch.gap.tag, np.int32)
                assert self._values is not None
                rows = await self._values.rows(tags, some)
                scans += [Scan(r.handle.astype(np.int32), r.time_ns, r.value, r.status) for r in rows]
                stretch.count += len(tags)
            newest_ns = max(newest_ns, int(time_ns[columns.timed].max(initial=0)))
        stretch.tries = 0 if newest_ns > stretch.from_ns else stretch.tries + 1
        stretch.from_ns = newest_ns
        return received

    def _goes_on(self, stretch: Stretch, answer: history_read.Result) -> bool:
        """Whether the server keeps more of it; what it refuses is noted."""
        stretch.continuation = answer.continuation
        bad = answer.status & SEVERITY_MASK == BAD
        if answer.status in _TOO_MUCH:
            self._most = max(1, self._most // 2)
        elif bad and answer.status not in _AGAIN and answer.status not in _EMPTY:
            self._has[stretch.gap.tag] = False
            self.missing.without.add(stretch.gap.tag)
            self._context.stats.rejected["history"] += 1
        return bool(answer.continuation) and not bad

    def _again(self, stretch: Stretch, answer: history_read.Result, *, full: bool) -> bool:
        """Whether to ask anew for what follows: some servers end a full answer without a continuation point."""
        more = full and stretch.from_ns + 1 < (stretch.before_ns or 0)
        stretch.whole = stretch.whole and (not more or stretch.tries < _MOST_TRIES)
        return (more or answer.status in _AGAIN) and stretch.tries < _MOST_TRIES

    def _failed(self, error: LinkError) -> None:
        """The request as a whole was refused, or nobody answered: rest; a server without the service is left alone."""
        code = getattr(error.__cause__, "code", 0)
        del self._context.stats.rejected[_UNANSWERED]
        self._batch, self._further = None, []
        if code in _NO_HISTORY:
            self._wanted = False
            self._context.note("history_refused", reason=ua.StatusCode(code).name)
            return
        self._most = max(1, self._most // 2)
        self._rest_s = min(max(2 * self._rest_s, _REST_S[0]), _REST_S[1])
        self._not_before_s = self._context.clock.monotonic_s() + self._rest_s
        self._context.note("history_failed", reason=error.reason, wait_s=self._rest_s)


def joined(head: bytes, tail: bytes) -> bytes:
    """The resume state of the link in the first line, what is missing in the second."""
    return head + b"\n" + tail if tail else head


def _same(time_ns: Any, bound_ns: int) -> Any:
    """Which times are `bound_ns`, also in a history that keeps only microseconds or milliseconds of any."""
    same = time_ns == bound_ns
    for unit_ns in (1_000, 1_000_000):
        if (time_ns % unit_ns == 0).all():
            same |= time_ns == bound_ns // unit_ns * unit_ns
    return same
