"""Events and alarms of one link: notifiers monitored in its subscription, events named and handed on.

Nothing is called at the server: no ConditionRefresh, Acknowledge or Confirm.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from connectors.base import LinkContext
from connectors.opcua import plan
from connectors.opcua.events.fields import EventFields
from connectors.opcua.events.filter import BASE, FULL, event_filter, item
from connectors.opcua.events.rows import alarm_fields, alarm_name
from connectors.opcua.events.tree import TypeTree
from connectors.opcua.events.types import CONTROL_TYPES, EVENT_TYPES, OVERFLOW_TYPE
from connectors.opcua.library import NodeId, ua
from connectors.opcua.session import OpcUaSession, node_id
from pipelines.point import BAD_NODE_ID_UNKNOWN, AlarmEvent, Gap, status_name

FIRST_HANDLE: Final = 0x8000_0000
"""Client handle of the first notifier; those below are tags."""
_CODES: Final = ua.StatusCodes
_FILTER_REFUSED: Final = {
    _CODES.BadEventFilterInvalid,
    _CODES.BadContentFilterInvalid,
    _CODES.BadFilterNotAllowed,
    _CODES.BadMonitoredItemFilterInvalid,
    _CODES.BadMonitoredItemFilterUnsupported,
    _CODES.BadFilterOperatorInvalid,
    _CODES.BadFilterOperatorUnsupported,
    _CODES.BadFilterOperandInvalid,
    _CODES.BadNodeIdUnknown,
    _CODES.BadTypeDefinitionInvalid,
}
"""Answers after which a simpler filter is tried."""


def gap_row(source: int) -> int:
    """What stands for the event source `source` in `Gap.tag`, and the other way round."""
    return -1 - source


class Events:
    """The notifiers of one connection.

    Args:
        session: an open session.
        context: what the link was opened with.
    """

    def __init__(self, session: OpcUaSession, context: LinkContext) -> None:
        self._session = session
        self._entries = session.settings.events
        self._stats = context.stats
        self._clock = context.clock
        self._types = TypeTree(session)
        self._retest = plan.Retest()
        self.last_ns = context.clock.now_ns()

    def __bool__(self) -> bool:
        """Whether any is configured."""
        return bool(self._entries)

    def fingerprint(self) -> str:
        """What the subscription must have been made with to be taken over."""
        return "".join(f"\n{entry!r}" for entry in self._entries)

    def refused(self) -> list[int]:
        """Notifiers the server refuses, as `gap_row` has them."""
        return sorted(gap_row(index) for index in self._retest.due)

    def refused_before(self, rows: Iterable[int]) -> None:
        """The subscription is one of an earlier link, which was refused these: they are asked for soon."""
        for row in rows:
            if 0 <= (index := gap_row(row)) < len(self._entries):
                self._retest.soon(index)

    async def create(self, subscription: int) -> None:
        """Monitor every notifier; a refused one is a notice and is asked for again by `retest`.

        Raises:
            TimeoutError, OSError, ua.UaStatusCodeError, ValueError: no usable answer.
        """
        for index in range(len(self._entries)):
            await self._create_one(subscription, index)

    async def retest(self, subscription: int) -> None:
        """Ask again for the notifiers that were refused, when it is time.

        Raises:
            TimeoutError, OSError, ua.UaStatusCodeError, ValueError: no usable answer.
        """
        for index in self._retest.ready(self._clock.monotonic_s()):
            await self._create_one(subscription, index)

    async def prepare(self, found: Sequence[EventFields]) -> None:
        """Ask for the names of new types now, so that `take` waits for nothing.

        Raises:
            LinkError: the link ended.
        """
        for one in found:
            source = one.handle - FIRST_HANDLE
            values = dict(zip(FULL, one.values, strict=False))
            kind = values.get("EventType")
            if kind is not None and 0 <= source < len(self._entries) and await self._wanted(source, kind, values):
                await self._types.name(kind)

    async def take(self, found: Sequence[EventFields], publish_ns: int) -> tuple[tuple[AlarmEvent, ...], list[Gap]]:
        """Events of one message, in order, and what the server threw away before them.

        Raises:
            LinkError: the link ended while the name of a type was asked for.
        """
        events, gaps = [], []
        for one in found:
            source = one.handle - FIRST_HANDLE
            if not 0 <= source < len(self._entries):
                self._stats.rejected["unknown_handle"] += 1
                continue
            values = dict(zip(FULL, one.values, strict=False))
            kind = values.get("EventType")
            times = [value for name in ("Time", "ReceiveTime") if type(value := values.get(name)) is int]
            time_ns = next(iter(times), publish_ns)
            if kind == NodeId(OVERFLOW_TYPE):
                gaps.append(Gap(gap_row(source), "queue_overflow", min(self.last_ns, time_ns), time_ns))
            elif kind is not None and await self._wanted(source, kind, values):
                name = await self._types.name(kind)
                alarm = alarm_name(values, name, self._entries[source].name)
                events.append(AlarmEvent(source, alarm, time_ns, alarm_fields(values, name)))
        self.last_ns = publish_ns
        return tuple(events), gaps

    def missed(self, cause: str, start_ns: int, end_ns: int) -> list[Gap]:
        """A gap of every notifier."""
        return [Gap(gap_row(index), cause, start_ns, end_ns) for index in range(len(self._entries))]

    async def _wanted(self, source: int, kind: NodeId, values: dict[str, Any]) -> bool:
        """Not every server evaluates a where clause: what it let through is looked at again."""
        entry = self._entries[source]
        too_low = (values.get("Severity") or 1) < entry.severity_min and values.get("ActiveState/Id") is not False
        if too_low or kind in [NodeId(one) for one in CONTROL_TYPES]:
            return False
        types = self._type_nodes(source)
        return not types or await self._types.is_a(kind, types)

    def _type_nodes(self, source: int) -> list[NodeId]:
        found = [
            ua.NodeId(EVENT_TYPES[text]) if text in EVENT_TYPES else node_id(text, self._session.namespaces)
            for text in self._entries[source].types
        ]
        return [node for node in found if node is not None]

    async def _create_one(self, subscription: int, index: int) -> None:
        entry = self._entries[index]
        node = node_id(entry.node, self._session.namespaces)
        code = BAD_NODE_ID_UNKNOWN
        if node is not None:
            types = await self._types.with_subtypes(self._type_nodes(index))
            for fields, least, of in ((FULL, entry.severity_min, types), (FULL, 1, []), (BASE, 1, [])):
                request = ua.CreateMonitoredItemsRequest()
                request.Parameters.SubscriptionId = subscription
                request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
                wanted = item(node, FIRST_HANDLE + index, entry.queue_size, event_filter(fields, least, of))
                request.Parameters.ItemsToCreate = [wanted]
                (result,) = (await self._session.call(request, ua.CreateMonitoredItemsResponse)).Results
                code = result.StatusCode.value
                if code not in _FILTER_REFUSED:
                    break
        key = f"events_{index}"
        if ua.StatusCode(code).is_good():
            self._retest.worked(index)
            self._stats.notices.pop(key, None)
        else:
            self._retest.failed(index, self._clock.monotonic_s())
            self._stats.notices[key] = f"the server refuses events of {entry.node} ({status_name(code)})"
