# mypy: disable-error-code="attr-defined, arg-type, union-attr, unused-ignore"
# (asyncua re-exports by star import and declares its integers as classes that nobody makes instances of)
"""Monitored items over the plant's nodes; those of other nodes, and events, are asyncua's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asyncua import ua
from asyncua.server.monitored_item_service import MonitoredItemData, MonitoredItemService, MonitoredItemValues
from asyncua.ua.uaprotocol_auto import DataChangeFilter  # what is decoded; the one of `ua` derives from it

from simulators.points import Gate, Point
from simulators.witness import Witness

if TYPE_CHECKING:
    from simulators.subscriptions import Subscription


class Items(MonitoredItemService):
    """The monitored items of one subscription."""

    def __init__(self, isub: Subscription, aspace: Any, witness: Witness) -> None:
        super().__init__(isub, aspace)
        self._witness = witness
        self._points: dict[int, Point] = {}

    def points(self) -> dict[int | None, Point]:
        """What its items watch, by the client's handle."""
        return {self._monitored_items[mid].client_handle: point for mid, point in self._points.items()}

    def _log(self, event: str, item: MonitoredItemData, point: Point) -> None:
        mid = item.monitored_item_id
        self._witness.item(event, self.isub.data.SubscriptionId, mid, point, item.queue_size)

    async def _create_data_change_monitored_item(
        self, params: ua.MonitoredItemCreateRequest
    ) -> ua.MonitoredItemCreateResult:
        asked = params.ItemToMonitor
        point = self._witness.points.get(asked.NodeId) if asked.AttributeId == ua.AttributeIds.Value else None
        if point is None:
            return await super()._create_data_change_monitored_item(params)
        result, item = self._make_monitored_item_common(params)
        item.filter, result.StatusCode = _gate(params.RequestedParameters.Filter, point)
        if asked.IndexRange:
            result.StatusCode = ua.StatusCode(ua.StatusCodes.BadIndexRangeNoData)
        if result.StatusCode.is_good():
            self._commit_monitored_item(result, item)
            self._points[result.MonitoredItemId] = point
            point.watchers[item] = self.isub
            self._tell(item, point)
            self._log("created", item, point)
        return result

    def _modify_monitored_item(self, params: ua.MonitoredItemModifyRequest) -> ua.MonitoredItemModifyResult:
        point = self._points.get(params.MonitoredItemId)
        if point is None:
            return super()._modify_monitored_item(params)
        result, wanted = ua.MonitoredItemModifyResult(), params.RequestedParameters
        gate, result.StatusCode = _gate(wanted.Filter, point)
        if result.StatusCode.is_good():
            item = self._monitored_items[params.MonitoredItemId]
            item.filter, item.client_handle = gate, wanted.ClientHandle
            item.queue_size = result.RevisedQueueSize = self._revise_queue_size(wanted.QueueSize)
            result.RevisedSamplingInterval = self.isub.data.RevisedPublishingInterval
        return result

    async def _set_monitoring_mode(self, mode: ua.MonitoringMode, mid: int) -> ua.StatusCode:
        point = self._points.get(mid)
        if point is None:
            return await super()._set_monitoring_mode(mode, mid)
        item = self._monitored_items[mid]
        before, item.mode = item.mode, mode
        self.isub.sort(item)
        if before == ua.MonitoringMode.Disabled:
            self._tell(item, point)
        return ua.StatusCode()

    def _delete_monitored_items(self, mid: int) -> ua.StatusCode:
        self.isub.forget(mid)
        point = self._points.pop(mid, None)
        if point is None:
            return super()._delete_monitored_items(mid)
        item = self._monitored_items.pop(mid)
        del point.watchers[item]
        self._log("deleted", item, point)
        return ua.StatusCode()

    def _tell(self, item: MonitoredItemData, point: Point) -> None:
        """Queue the current value, whatever the filter let through before."""
        if item.filter is not None:
            item.filter.begin()
        self.isub.offer(item, point)

    async def offer_all(self) -> None:
        """Queue the current value of every item."""
        for mid, point in self._points.items():
            self._tell(self._monitored_items[mid], point)
        for handle, mid in self._monitored_datachange.items():
            item = self._monitored_items[mid]
            item.mvalue = MonitoredItemValues()  # what was told before is told again
            asked = item.read_value_id
            await self.trigger_datachange(handle, asked.NodeId, asked.AttributeId)


def _gate(asked: Any, point: Point) -> tuple[Gate | None, ua.StatusCode]:
    """What lets values through; None where any change does.

    A deadband needs a number (OPC 10000-4 §7.22.2), a percentage an EURange, and no node has one.
    """
    if not asked:
        return None, ua.StatusCode()
    if not isinstance(asked, DataChangeFilter) or asked.DeadbandType == ua.DeadbandType.Percent:
        return None, ua.StatusCode(ua.StatusCodes.BadMonitoredItemFilterUnsupported)
    if asked.DeadbandType and not point.numeric:
        return None, ua.StatusCode(ua.StatusCodes.BadFilterNotAllowed)
    return Gate(asked.Trigger, asked.DeadbandValue if asked.DeadbandType else 0.0), ua.StatusCode()
