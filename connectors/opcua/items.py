"""Monitored items: which data types they have, and their creation in pieces and with the filters the server takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from connectors.opcua.library import MonitoredItemCreateRequest, NodeId, ua
from connectors.opcua.limits import Limits
from connectors.opcua.plan import Item
from connectors.opcua.session import OpcUaSession
from pipelines.errors import LinkError
from pipelines.point import BAD_NODE_ID_UNKNOWN

_CODES: Final = ua.StatusCodes
TOO_MANY: Final = _CODES.BadTooManyMonitoredItems
_FILTER_REFUSED: Final = frozenset(
    {
        _CODES.BadMonitoredItemFilterInvalid,
        _CODES.BadMonitoredItemFilterUnsupported,
        _CODES.BadFilterNotAllowed,
        _CODES.BadDeadbandFilterInvalid,
    }
)


@dataclass(slots=True)
class Created:
    """What came of asking for monitored items.

    Attributes:
        ids: id at the server by tag index.
        refused: StatusCode by tag index.
        unfiltered: StatusCode by tag index of those that exist without the deadband they were to have.
        shortened: tags whose queue the server made smaller, by what it has now.
        slower: tags that the server looks at less often than asked, by its interval in milliseconds.
    """

    ids: dict[int, int] = field(default_factory=dict)
    refused: dict[int, int] = field(default_factory=dict)
    unfiltered: dict[int, int] = field(default_factory=dict)
    shortened: dict[int, int] = field(default_factory=dict)
    slower: dict[int, float] = field(default_factory=dict)


async def datatypes(session: OpcUaSession, nodes: Mapping[int, NodeId]) -> dict[int, str]:
    """Data type of each tag's node as text, by tag index; empty when the server does not say."""
    try:
        found = await session.read_attribute(list(nodes.values()), ua.AttributeIds.DataType)
    except LinkError:
        return {}
    return {
        tag: value.Value.Value.to_string()
        for tag, value in zip(nodes, found, strict=False)
        if value.Value is not None and hasattr(value.Value.Value, "NamespaceIndex")
    }


async def create_items(
    session: OpcUaSession,
    limits: Limits,
    subscription: int,
    wanted: Sequence[Item],
    nodes: Mapping[int, NodeId],
    handles: Mapping[int, int],
) -> Created:
    """Create monitored items, dropping the oldest sample when a queue is full.

    A server that refuses a filter is asked without the deadband, then without any filter: every change is then
    reported, and the agent's own deadband is left.

    Args:
        session: an open session.
        limits: what the server takes at once.
        subscription: subscription id.
        wanted: items to create; those without a node are refused here.
        nodes: node id by tag index.
        handles: client handle by tag index where it is not the tag index.

    Raises:
        TimeoutError, OSError, ua.UaStatusCodeError, ValueError: no usable answer.
    """
    made = Created(refused={item.tag: BAD_NODE_ID_UNKNOWN for item in wanted if item.tag not in nodes})

    async def send(piece: Sequence[Item]) -> Any:
        request = ua.CreateMonitoredItemsRequest()
        request.Parameters.SubscriptionId = subscription
        request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
        request.Parameters.ItemsToCreate = [
            _request(item, nodes[item.tag], handles.get(item.tag, item.tag), filtered=filtered) for item in piece
        ]
        return await session.call(request, ua.CreateMonitoredItemsResponse)

    left = [item for item in wanted if item.tag in nodes]
    for filtered in (True, True, False):
        again: list[Item] = []
        async for piece, answer in limits.in_pieces(session, "items", left, send):
            for item, result in zip(piece, answer.Results, strict=True):
                code = result.StatusCode.value
                if result.StatusCode.is_good():
                    made.ids[item.tag] = result.MonitoredItemId
                    made.refused.pop(item.tag, None)
                    if 0 < result.RevisedQueueSize < item.queue_size:
                        made.shortened[item.tag] = result.RevisedQueueSize
                    if result.RevisedSamplingInterval > item.sampling_ms > 0:
                        made.slower[item.tag] = result.RevisedSamplingInterval
                    continue
                made.refused[item.tag] = code
                if filtered and code in _FILTER_REFUSED:
                    made.unfiltered.setdefault(item.tag, code)
                    again.append(replace(item, deadband_type=0, deadband=0.0))
        if not again:
            break
        left = again
    made.unfiltered = {tag: code for tag, code in made.unfiltered.items() if tag not in made.refused}
    return made


async def drop_items(session: OpcUaSession, subscription: int, ids: Sequence[int]) -> None:
    """Delete monitored items; one that is not there any more is no fault.

    Raises:
        TimeoutError, OSError, ua.UaStatusCodeError, ValueError: no usable answer.
    """
    request = ua.DeleteMonitoredItemsRequest()
    request.Parameters.SubscriptionId = subscription
    request.Parameters.MonitoredItemIds = list(ids)
    await session.call(request, ua.DeleteMonitoredItemsResponse)


def _request(item: Item, node: NodeId, handle: int, *, filtered: bool) -> MonitoredItemCreateRequest:
    parameters = ua.MonitoringParameters(
        ClientHandle=handle, SamplingInterval=item.sampling_ms, QueueSize=item.queue_size, DiscardOldest=True
    )
    if filtered:
        parameters.Filter = ua.DataChangeFilter(
            Trigger=ua.DataChangeTrigger(item.trigger), DeadbandType=item.deadband_type, DeadbandValue=item.deadband
        )
    return ua.MonitoredItemCreateRequest(
        ItemToMonitor=ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value),
        MonitoringMode=ua.MonitoringMode.Reporting,
        RequestedParameters=parameters,
    )
