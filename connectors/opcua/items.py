"""Monitored items: which data types they have, and their creation in pieces the server takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from connectors.opcua.library import MonitoredItemCreateRequest, NodeId, ua
from connectors.opcua.plan import Item, batches
from connectors.opcua.session import OpcUaSession
from pipelines.errors import LinkError

BAD_NODE_ID_UNKNOWN: Final = 0x8034_0000


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
    session: OpcUaSession, subscription: int, wanted: Sequence[Item], nodes: Mapping[int, NodeId]
) -> dict[int, int]:
    """Create monitored items with the tag index as client handle, dropping the oldest sample when a queue is full.

    Returns:
        StatusCode by tag index of those the server refused.

    Raises:
        TimeoutError, OSError, ua.UaStatusCodeError, ValueError: no usable answer.
    """
    refused = {item.tag: BAD_NODE_ID_UNKNOWN for item in wanted if item.tag not in nodes}
    for piece in batches([item for item in wanted if item.tag in nodes], session.items_per_call):
        request = ua.CreateMonitoredItemsRequest()
        request.Parameters.SubscriptionId = subscription
        request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
        request.Parameters.ItemsToCreate = [_request(item, nodes[item.tag]) for item in piece]
        answer = await session.call(request, ua.CreateMonitoredItemsResponse)
        for item, result in zip(piece, answer.Results, strict=True):
            if not result.StatusCode.is_good():
                refused[item.tag] = result.StatusCode.value
    return refused


def _request(item: Item, node: NodeId) -> MonitoredItemCreateRequest:
    return ua.MonitoredItemCreateRequest(
        ItemToMonitor=ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value),
        MonitoringMode=ua.MonitoringMode.Reporting,
        RequestedParameters=ua.MonitoringParameters(
            ClientHandle=item.tag,
            SamplingInterval=item.sampling_ms,
            Filter=ua.DataChangeFilter(
                Trigger=ua.DataChangeTrigger.StatusValueTimestamp, DeadbandType=0, DeadbandValue=0.0
            ),
            QueueSize=item.queue_size,
            DiscardOldest=True,
        ),
    )
