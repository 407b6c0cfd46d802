# mypy: disable-error-code="attr-defined, arg-type, union-attr, unused-ignore"
# (asyncua re-exports by star import and declares its integers as classes that nobody makes instances of)
"""asyncua's server classes, extended where a real server does more, and with the truth log in the places that know.

What asyncua 2.1.0 lacks and these add: a transferred subscription takes its publish requests from the new connection
(asyncua keeps asking the dead one); a republished notification stays until it is acknowledged (Part 4 §5.14.5), a
missing one is answered `BadMessageNotAvailable`; an unknown acknowledgement is answered
`BadSequenceNumberUnknown`; a session timeout leaves subscriptions to their own lifetime (Part 4 §5.7.2); transfer
honours SendInitialValues; a queue that overflows says so in the oldest value that remains (Part 4 §5.13.1.5); writes
and calls are refused and logged.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server.internal_server import InternalServer
from asyncua.server.internal_session import InternalSession
from asyncua.server.internal_subscription import InternalSubscription
from asyncua.server.monitored_item_service import MonitoredItemService
from asyncua.server.subscription_service import SubscriptionService

from simulators.panel import Panel
from simulators.truth import TruthLog

OVERFLOW: Final = 0x480
"""StatusCode info bits: InfoType DataValue and Overflow (OPC 10000-4 §7.39)."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def datetime_of(time_ns: int) -> datetime:
    """UTC datetime of ns since 1970, whole microseconds."""
    return _EPOCH + timedelta(microseconds=time_ns // 1000)


def ns_of(when: datetime) -> int:
    """Ns since 1970 UTC."""
    return (when.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1) * 1000


@dataclass
class Witness:
    """What the server classes need to bear witness: the panel, the log, the clock and the known nodes.

    Attributes:
        ids: node id → signal id in the truth log.
    """

    panel: Panel
    truth: TruthLog
    now_ns: Callable[[], int]
    ids: dict[ua.NodeId, int] = field(default_factory=dict)

    def item(self, event: str, sub: int, item: int, node: ua.NodeId, value: ua.DataValue, queue: int) -> None:
        """Log a monitored item that came or went."""
        if node in self.ids:
            shown = {"value": value.Value.Value, "time": ns_of(value.SourceTimestamp), "status": value.StatusCode.value}
            self.truth.write("item", event=event, id=self.ids[node], sub=sub, item=item, queue=queue, **shown)

    def overflow(self, sub: int, node: ua.NodeId, lost: ua.DataValue, oldest: ua.DataValue) -> None:
        """Log a value that fell out of a full queue, and the one that says so."""
        if node in self.ids:
            times = {"lost": ns_of(lost.SourceTimestamp), "marked": ns_of(oldest.SourceTimestamp)}
            self.truth.write("overflow", id=self.ids[node], sub=sub, **times)

    def read(self, params: ua.ReadParameters, results: list[ua.DataValue], t0: int) -> None:
        """Log a Read of values."""
        pairs = [
            (self.ids[asked.NodeId], value)
            for asked, value in zip(params.NodesToRead, results, strict=True)
            if asked.AttributeId == ua.AttributeIds.Value and asked.NodeId in self.ids
        ]
        if pairs:
            self.truth.write(
                "read",
                device=self.panel.device.name,
                t0=t0,
                t1=self.now_ns(),
                ids=[signal for signal, _ in pairs],
                values=[value.Value.Value for _, value in pairs],
                times=[ns_of(value.SourceTimestamp) for _, value in pairs],
                status=[value.StatusCode.value for _, value in pairs],
            )


class _Items(MonitoredItemService):
    def __init__(self, isub: InternalSubscription, aspace: Any, witness: Witness) -> None:
        super().__init__(isub, aspace)
        self._witness = witness

    def _log(self, event: str, mid: int) -> None:
        data = self._monitored_items[mid]
        asked = data.read_value_id
        if asked.AttributeId == ua.AttributeIds.Value:
            value = self.aspace.read_attribute_value(asked.NodeId, asked.AttributeId)
            self._witness.item(event, self.isub.data.SubscriptionId, mid, asked.NodeId, value, data.queue_size)

    async def _create_data_change_monitored_item(
        self, params: ua.MonitoredItemCreateRequest
    ) -> ua.MonitoredItemCreateResult:
        result = await super()._create_data_change_monitored_item(params)
        if result.StatusCode.is_good():
            self._log("created", result.MonitoredItemId)
        return result

    def _delete_monitored_items(self, mid: int) -> ua.StatusCode:
        if mid in self._monitored_items:
            self._log("deleted", mid)
        return super()._delete_monitored_items(mid)


class _Subscription(InternalSubscription):
    def __init__(self, *args: Any, witness: Witness, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.monitored_item_srv = _Items(self, self.monitored_item_srv.aspace, witness)
        self._witness = witness

    async def _enqueue_event(self, mid: int, eventdata: Any, size: int, queue: dict[int, list[Any]]) -> None:
        size = min(size, self._witness.panel.queue) or size
        waiting = queue.get(mid, [])
        if 1 < size <= len(waiting) and isinstance(eventdata, ua.MonitoredItemNotification):
            lost, oldest = waiting[0].Value, waiting[1].Value
            flagged = ua.StatusCode(oldest.StatusCode.value | OVERFLOW)
            waiting[1].Value = dataclasses.replace(oldest, StatusCode=flagged)  # the node's own value stays as it is
            node = self.monitored_item_srv._monitored_items[mid].read_value_id.NodeId  # noqa: SLF001
            self._witness.overflow(self.data.SubscriptionId, node, lost, oldest)
        await super()._enqueue_event(mid, eventdata, size, queue)

    async def publish_results(self, requestdata: Any = None) -> bool:
        return not self._witness.panel.queue and await super().publish_results(requestdata)

    def republish(self, nb: int) -> ua.NotificationMessage:
        result = self._not_acknowledged_results.get(nb)
        if result is None:
            raise ServiceError(ua.StatusCodes.BadMessageNotAvailable)
        message: ua.NotificationMessage = result.NotificationMessage
        return message

    def knows(self, nb: int) -> bool:
        """Whether notification `nb` waits for its acknowledgement."""
        return nb in self._not_acknowledged_results

    async def send_again(self) -> None:
        """Queue the current value of every item (SendInitialValues)."""
        items = self.monitored_item_srv
        for mid in list(items._monitored_datachange.values()):  # noqa: SLF001 — the subclass is the extension point
            data = items._monitored_items[mid]  # noqa: SLF001
            event = ua.MonitoredItemNotification()
            event.ClientHandle = data.client_handle
            event.Value = items.aspace.read_attribute_value(data.read_value_id.NodeId, data.read_value_id.AttributeId)
            await self.enqueue_datachange_event(mid, event, data.queue_size)


class _Subscriptions(SubscriptionService):
    def __init__(self, aspace: Any, iserver: InternalServer, witness: Witness) -> None:
        super().__init__(aspace, iserver)
        self._witness = witness

    async def create_subscription(
        self,
        params: ua.CreateSubscriptionParameters,
        callback: Callable[..., Any],
        session_id: ua.NodeId,
        request_callback: Callable[..., Any] | None = None,
    ) -> ua.CreateSubscriptionResult:
        result = ua.CreateSubscriptionResult()
        result.RevisedPublishingInterval = max(params.RequestedPublishingInterval, 10.0)
        result.RevisedLifetimeCount = self._clamp_lifetime_count(params.RequestedLifetimeCount)
        result.RevisedMaxKeepAliveCount = self._clamp_keep_alive_count(params.RequestedMaxKeepAliveCount)
        self._sub_id_counter += 1
        result.SubscriptionId = self._sub_id_counter
        subscription = _Subscription(
            result,
            self.aspace,
            callback,
            session_id,
            request_callback=request_callback,
            delete_callback=lambda: self.subscriptions.pop(result.SubscriptionId, None),
            no_acks_limit=self.iserver.max_unacked_messages_per_subscription,
            max_queue_size=self.iserver.max_monitored_item_queue_size,
            publishing_enabled=params.PublishingEnabled,
            witness=self._witness,
        )
        await subscription.start()
        self.subscriptions[result.SubscriptionId] = subscription
        return result

    def publish(self, acks: Iterable[ua.SubscriptionAcknowledgement]) -> tuple[int, list[ua.StatusCode]]:
        acks = list(acks)
        unknown = [
            (sub := self.subscriptions.get(ack.SubscriptionId)) is not None and not sub.knows(ack.SequenceNumber)
            for ack in acks
        ]
        count, results = super().publish(acks)
        bad = ua.StatusCode(ua.StatusCodes.BadSequenceNumberUnknown)
        return count, [bad if missing else result for missing, result in zip(unknown, results, strict=True)]

    def republish(self, params: ua.RepublishParameters) -> ua.NotificationMessage:
        if params.SubscriptionId not in self.subscriptions:
            raise ServiceError(ua.StatusCodes.BadSubscriptionIdInvalid)
        return super().republish(params)

    async def transfer_subscriptions(
        self, params: ua.TransferSubscriptionsParameters, session_id: ua.NodeId, callback: Callable[..., Any]
    ) -> list[ua.TransferResult]:
        results: list[ua.TransferResult] = await super().transfer_subscriptions(params, session_id, callback)
        for number in params.SubscriptionIds:
            sub = self.subscriptions.get(int(number))
            if sub is not None:
                sub.pub_request_callback = callback.__self__.get_publish_request
                if params.SendInitialValues:
                    await sub.send_again()
        return results


class _Session(InternalSession):
    def __init__(self, *args: Any, witness: Witness, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._witness = witness

    async def close_session(self, delete_subs: bool = True) -> None:
        timed_out = self._timeout_task is not None and asyncio.current_task() is self._timeout_task
        await super().close_session(delete_subs and not timed_out)

    async def read(self, params: ua.ReadParameters) -> list[ua.DataValue]:
        t0 = self._witness.now_ns()
        results: list[ua.DataValue] = await super().read(params)
        self._witness.read(params, results, t0)
        return results

    async def write(self, params: ua.WriteParameters) -> list[ua.StatusCode]:
        self._refused("Write", [str(asked.NodeId) for asked in params.NodesToWrite])
        return [ua.StatusCode(ua.StatusCodes.BadNotWritable) for _ in params.NodesToWrite]

    async def call(self, params: list[ua.CallMethodRequest]) -> list[ua.CallMethodResult]:
        self._refused("Call", [str(asked.MethodId) for asked in params])
        raise ServiceError(ua.StatusCodes.BadServiceUnsupported)

    def _refused(self, service: str, nodes: list[str]) -> None:
        witness = self._witness
        witness.truth.write(
            "write", device=witness.panel.device.name, service=service, nodes=nodes, time=witness.now_ns()
        )


class WitnessServer(InternalServer):
    """asyncua's internal server with lasting subscriptions and the truth log."""

    def __init__(self, witness: Witness) -> None:
        super().__init__()
        self._witness = witness
        self.subscription_service = _Subscriptions(self.aspace, self, witness)
        self.isession.subscription_service = self.subscription_service

    def create_session(self, name: str, user: Any = None, external: bool = False) -> InternalSession:
        """A session whose reads, writes and calls are witnessed."""
        given: Mapping[str, Any] = {} if user is None else {"user": user}
        return _Session(
            self, self.aspace, self.subscription_service, name, external=external, witness=self._witness, **given
        )

    async def stop(self) -> None:
        """End at once: asyncua waits for its clock, which sleeps for a second."""
        if self.time_task is not None:
            self.time_task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.time_task
            self.time_task = None
        await super().stop()
