"""What is selected of an event, and the filter that leaves the others out at the server (OPC 10000-4 §7.22.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from connectors.opcua.library import MonitoredItemCreateRequest, NodeId, ua

BASE: Final = (
    "EventId",
    "EventType",
    "SourceNode",
    "SourceName",
    "Time",
    "ReceiveTime",
    "Message",
    "Severity",
)
"""Fields of BaseEventType (OPC 10000-5 §6.4.2): every server has them."""
CONDITION: Final = (
    "ConditionName",
    "BranchId",
    "Retain",
    "EnabledState/Id",
    "ActiveState/Id",
    "AckedState/Id",
    "ConfirmedState/Id",
    "ShelvingState/CurrentState",
    "ShelvingState/CurrentState/Id",
    "SuppressedState/Id",
    "Comment",
    "Quality",
)
"""Fields of conditions and alarms (OPC 10000-9 §5.5 to §5.8); null in events that are none."""
CONDITION_ID: Final = "ConditionId"
"""Node id of the condition: the NodeId attribute of ConditionType (OPC 10000-9 §5.5.2)."""
FULL: Final = (*BASE, *CONDITION, CONDITION_ID)


def event_filter(fields: Sequence[str], severity_min: int, types: Sequence[NodeId]) -> Any:
    """An EventFilter that selects `fields`, at least this severe, of any of `types` or their subtypes; none = all.

    The end of an alarm passes whatever its severity, which many servers lower with it: an alarm that came has to go.
    A browse path is evaluated on any type when it is given for BaseEventType (OPC 10000-4 §7.7.4.5).
    """
    chosen = ua.EventFilter()
    chosen.SelectClauses = [_select(name) for name in fields]
    leaves: list[tuple[Any, list[Any]]] = []
    of_type = [(ua.FilterOperator.OfType, [_literal(ua.Variant(one, ua.VariantType.NodeId))]) for one in types]
    if severity_min > 1:
        least = _literal(ua.Variant(severity_min, ua.VariantType.UInt16))
        over = _literal(ua.Variant(False, ua.VariantType.Boolean))  # noqa: FBT003 (a value on the wire)
        leaves.append((ua.FilterOperator.GreaterThanOrEqual, [_select("Severity"), least]))
        leaves.append((ua.FilterOperator.Equals, [_select("ActiveState/Id"), over]))
    elements: list[Any] = []
    if leaves and of_type:
        root = _element(ua.FilterOperator.And, [])
        elements.append(root)
        first, second = _joined(elements, leaves), _joined(elements, of_type)
        root.FilterOperands = [_refer(first), _refer(second)]
    elif leaves or of_type:
        _joined(elements, leaves or of_type)
    chosen.WhereClause.Elements = elements
    return chosen


def item(node: NodeId, handle: int, queue_size: int, chosen: Any) -> Any:
    """The monitored item of a notifier; a full queue drops the oldest event."""
    return MonitoredItemCreateRequest(
        ItemToMonitor=ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.EventNotifier),
        MonitoringMode=ua.MonitoringMode.Reporting,
        RequestedParameters=ua.MonitoringParameters(
            ClientHandle=handle, SamplingInterval=0.0, Filter=chosen, QueueSize=queue_size, DiscardOldest=True
        ),
    )


def _joined(elements: list[Any], leaves: list[tuple[Any, list[Any]]]) -> int:
    """Add the leaves, joined by Or; operands refer to elements behind their own (OPC 10000-4 §7.7.1).

    Returns:
        Index of the element that stands for all of them.
    """
    at = len(elements)
    if len(leaves) == 1:
        elements.append(_element(*leaves[0]))
        return at
    root = _element(ua.FilterOperator.Or, [])
    elements.append(root)
    first = _joined(elements, leaves[:1])
    root.FilterOperands = [_refer(first), _refer(_joined(elements, leaves[1:]))]
    return at


def _element(operator: Any, operands: list[Any]) -> Any:
    element = ua.ContentFilterElement()
    element.FilterOperator = operator
    element.FilterOperands = operands
    return element


def _refer(index: int) -> Any:
    operand = ua.ElementOperand()
    operand.Index = index
    return operand


def _literal(value: Any) -> Any:
    operand = ua.LiteralOperand()
    operand.Value = value
    return operand


def _select(name: str) -> Any:
    operand = ua.SimpleAttributeOperand()
    condition_id = name == CONDITION_ID
    operand.TypeDefinitionId = ua.NodeId(ua.ObjectIds.ConditionType if condition_id else ua.ObjectIds.BaseEventType)
    operand.AttributeId = ua.AttributeIds.NodeId if condition_id else ua.AttributeIds.Value
    operand.BrowsePath = [] if condition_id else [ua.QualifiedName(part, 0) for part in name.split("/")]
    return operand
