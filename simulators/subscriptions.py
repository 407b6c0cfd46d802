# mypy: disable-error-code="attr-defined, arg-type, union-attr, unused-ignore"
# (asyncua re-exports by star import and declares its integers as classes that nobody makes instances of)
"""asyncua's server classes, extended where a real server does more, and with the truth log in the places that know.

Values of the plant go their own way: encoded once per change (`simulators.points`), queued as bytes, and put together
as the body of a DataChangeNotification when there is something to publish. asyncua's way, a deep copy and a new object
per change and item, is left to other nodes and to events.

What asyncua 2.1.0 lacks and these add: a transferred subscription takes its publish requests from the new connection
(asyncua keeps asking the dead one); a republished notification stays until it is acknowledged (Part 4 §5.14.5), a
missing one is answered `BadMessageNotAvailable`; an unknown acknowledgement is answered
`BadSequenceNumberUnknown`; a session timeout leaves subscriptions to their own lifetime (Part 4 §5.7.2); transfer
honours SendInitialValues; a queue that overflows says so in the oldest value that remains (Part 4 §5.13.1.5); a message
carries as many notifications as the client takes (MaxNotificationsPerPublish, also a modified one); an item that only
samples reports nothing; a subscription lives through three keep-alives (Part 4 §5.14.2); a deadband is counted from the
last value that was queued; writes and calls are refused and logged.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from asyncua import ua
from asyncua.common.utils import Buffer, ServiceError
from asyncua.server.internal_server import InternalServer
from asyncua.server.internal_session import InternalSession
from asyncua.server.internal_subscription import InternalSubscription
from asyncua.server.monitored_item_service import MonitoredItemData
from asyncua.server.subscription_service import SubscriptionService
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary

from simulators.items import Items
from simulators.points import Point, flagged, source_ns
from simulators.space import standard_nodes
from simulators.witness import Witness, ns_of

_ANY: Final = 2**32
_DATA_CHANGE: Final = ua.NodeId(ua.ObjectIds.DataChangeNotification_Encoding_DefaultBinary)
_KEEP_ALIVES: Final = 3
"""Of them a subscription lives through at least (Part 4 §5.14.2)."""
_NO_DIAGNOSTICS: Final = struct.pack("<i", -1)


class Subscription(InternalSubscription):
    """One subscription.

    Args:
        most: notifications of one message that the client takes; 0 = any number.
    """

    _triggered_datachanges: dict[Any, list[Any]]

    def __init__(self, *args: Any, witness: Witness, most: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.monitored_item_srv = Items(self, self.monitored_item_srv.aspace, witness)
        self._witness = witness
        self._sampled: dict[int, list[bytes]] = {}
        self.carry(most)

    def carry(self, most: int) -> None:
        """Put at most so many notifications into a message from now on; 0 = any number."""
        self._most = most or _ANY

    def offer(self, item: MonitoredItemData, point: Point) -> None:
        """Queue the value of a point for one of its items, unless the item or its filter wants none."""
        if item.mode == ua.MonitoringMode.Disabled or not (item.filter is None or item.filter.passes(point.found)):
            return
        queues = self._queues(item)
        waiting = queues.get(item.monitored_item_id)
        if waiting is None:
            queues[item.monitored_item_id] = [point.data]
            return
        size = min(item.queue_size, self._witness.panel.queue) or item.queue_size
        if len(waiting) >= size:
            lost = waiting.pop(0)
            if size > 1:
                waiting[0] = flagged(waiting[0])
                self._witness.overflow(self.data.SubscriptionId, point, lost, waiting[0])
        waiting.append(point.data)

    def forget(self, mid: int) -> None:
        """Drop what waits for an item."""
        self._triggered_datachanges.pop(mid, None)
        self._sampled.pop(mid, None)

    def sort(self, item: MonitoredItemData) -> None:
        """Report what waits for an item, keep it unreported, or drop it, as its mode says from now on."""
        mid = item.monitored_item_id
        waiting = self._triggered_datachanges.get(mid) or self._sampled.get(mid)
        self.forget(mid)
        if waiting and item.mode != ua.MonitoringMode.Disabled:
            self._queues(item)[mid] = waiting

    def _queues(self, item: MonitoredItemData) -> dict[Any, list[Any]]:
        return self._triggered_datachanges if item.mode == ua.MonitoringMode.Reporting else self._sampled

    def _pop_publish_result(self) -> ua.PublishResult:
        result = super()._pop_publish_result()
        result.MoreNotifications = self._publishing_enabled and bool(self._triggered_datachanges)
        return result

    def _pop_triggered_datachanges(self, result: ua.PublishResult) -> None:
        """One DataChangeNotification (OPC 10000-4 §7.25.2) of what waits, items in the order of their oldest value."""
        parts: list[bytes] = []
        sent: list[int] = []
        room = self._most
        for mid, waiting in self._triggered_datachanges.items():
            handle = struct.pack("<I", self.monitored_item_srv._monitored_items[mid].client_handle)  # noqa: SLF001
            for value in waiting[:room]:
                parts += (handle, value if isinstance(value, bytes) else struct_to_binary(value.Value))
            if len(waiting) > room:
                self._triggered_datachanges[mid] = waiting[room:]
                break
            room -= len(waiting)
            sent.append(mid)
        for mid in sent:
            del self._triggered_datachanges[mid]
        if parts:
            body = struct.pack("<i", len(parts) // 2) + b"".join(parts) + _NO_DIAGNOSTICS
            result.NotificationMessage.NotificationData.append(ua.ExtensionObject(_DATA_CHANGE, body))

    async def publish_results(self, requestdata: Any = None) -> bool:
        """Answer publish requests until nothing waits or none is left; False where not even the first was answered."""
        if self._witness.panel.queue or not await super().publish_results(requestdata):
            return False
        while self._publishing_enabled and self._triggered_datachanges and await super().publish_results():
            pass
        return True

    def republish(self, nb: int) -> ua.NotificationMessage:
        """A message that is not acknowledged yet."""
        result = self._not_acknowledged_results.get(nb)
        if result is None:
            raise ServiceError(ua.StatusCodes.BadMessageNotAvailable)
        message: ua.NotificationMessage = result.NotificationMessage
        return message

    def unconfirmed(self) -> dict[int, set[int]]:
        """By signal the source times that wait to be sent, or for their acknowledgement; empty where all is done."""
        points = self.monitored_item_srv.points()
        found: dict[int, set[int]] = {point.number: set() for point in points.values()}
        for mid, waiting in self._triggered_datachanges.items():
            point = points.get(self.monitored_item_srv._monitored_items[mid].client_handle)  # noqa: SLF001
            if point is not None:
                found[point.number] |= {source_ns(data) for data in waiting}
        for result in self._not_acknowledged_results.values():
            for told in result.NotificationMessage.NotificationData:
                if isinstance(told, ua.ExtensionObject):
                    for one in struct_from_binary(ua.DataChangeNotification, Buffer(told.Body)).MonitoredItems:
                        if one.ClientHandle in points:
                            found[points[one.ClientHandle].number].add(ns_of(one.Value.SourceTimestamp))
        return found

    def knows(self, nb: int) -> bool:
        """Whether notification `nb` waits for its acknowledgement."""
        return nb in self._not_acknowledged_results


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
        result.RevisedMaxKeepAliveCount = self._clamp_keep_alive_count(params.RequestedMaxKeepAliveCount)
        lifetime = self._clamp_lifetime_count(params.RequestedLifetimeCount)
        result.RevisedLifetimeCount = max(lifetime, _KEEP_ALIVES * result.RevisedMaxKeepAliveCount)
        self._sub_id_counter += 1
        result.SubscriptionId = self._sub_id_counter
        subscription = Subscription(
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
            most=params.MaxNotificationsPerPublish,
        )
        await subscription.start()
        self.subscriptions[result.SubscriptionId] = subscription
        return result

    def modify_subscription(self, params: ua.ModifySubscriptionParameters) -> ua.ModifySubscriptionResult:
        result: ua.ModifySubscriptionResult = super().modify_subscription(params)
        self.subscriptions[params.SubscriptionId].carry(params.MaxNotificationsPerPublish)
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
                    await sub.monitored_item_srv.offer_all()
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

    async def load_standard_address_space(self, shelf_file: Path | None = None) -> None:
        """Namespace 0, which is made once per process."""
        del shelf_file
        # as asyncua's own load_aspace_shelf does
        self.aspace._nodes = await standard_nodes()  # type: ignore[assignment]  # noqa: SLF001

    async def stop(self) -> None:
        """End at once: asyncua waits for its clock, which sleeps for a second."""
        if self.time_task is not None:
            self.time_task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.time_task
            self.time_task = None
        await super().stop()
