"""The fields of one event as an `AlarmEvent`, without a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connectors.opcua.events.filter import CONDITION_ID
from connectors.opcua.library import ua

_SHELVED: Final = {
    ua.ObjectIds.ShelvedStateMachineType_Unshelved: False,
    ua.ObjectIds.ShelvedStateMachineType_TimedShelved: True,
    ua.ObjectIds.ShelvedStateMachineType_OneShotShelved: True,
}
_STATES: Final = (
    ("active", "ActiveState/Id"),
    ("acknowledged", "AckedState/Id"),
    ("confirmed", "ConfirmedState/Id"),
    ("enabled", "EnabledState/Id"),
    ("suppressed", "SuppressedState/Id"),
    ("retain", "Retain"),
)
_OF_NOW: Final = ("active", "enabled", "suppressed", "retain")
"""What a branch does not say of the condition as it is now (OPC 10000-9 §5.5.2)."""


def alarm_name(values: Mapping[str, Any], kind: str, begins: str | None) -> str:
    """Name of the condition behind that of its source, `Boiler1.HighTemperature`; of a plain event that of its type.

    Args:
        values: field values by name.
        kind: name of the event's type.
        begins: what the name begins with; None = the event's SourceName.
    """
    source = begins or text_of(values.get("SourceName"))
    name = text_of(values.get("ConditionName")) or kind
    return name if not source or name.startswith(source) else f"{source}.{name}"


def alarm_fields(values: Mapping[str, Any], kind: str) -> dict[str, bool | int | float | str]:
    """The fields of an `AlarmEvent`; what the event does not say is left out.

    Args:
        values: field values by name (`event_filter.FULL`).
        kind: name of the event's type.
    """
    out: dict[str, bool | int | float | str] = {"event": kind}
    severity = values.get("Severity")
    if isinstance(severity, int):
        out["severity"] = int(severity)
    for name, field in _STATES:
        if isinstance(values.get(field), bool):
            out[name] = values[field]
    out |= _shelved(values)
    for name, field in (("message", "Message"), ("comment", "Comment")):
        text = text_of(values.get(field))
        if text:
            out[name] = text
    if isinstance(values.get("EventId"), bytes):
        out["event_id"] = values["EventId"].hex()
    if getattr(values.get("Quality"), "value", 0):
        out["quality"] = values["Quality"].value
    if isinstance(values.get(CONDITION_ID), ua.NodeId):
        out["condition"] = values[CONDITION_ID].to_string()
    return _without_branch(values, out)


def _without_branch(values: Mapping[str, Any], out: dict[str, Any]) -> dict[str, Any]:
    """Of an earlier occurrence that still waits for its acknowledgement, only what is about that occurrence."""
    branch = values.get("BranchId")
    if isinstance(branch, ua.NodeId) and not branch.is_null():
        out["branch"] = branch.to_string()
        for name in _OF_NOW:
            out.pop(name, None)
    return out


def text_of(value: Any) -> str:
    """A String or the text of a LocalizedText; empty when it is neither."""
    value = getattr(value, "Text", value)
    return value if isinstance(value, str) else ""


def _shelved(values: Mapping[str, Any]) -> dict[str, bool]:
    node = values.get("ShelvingState/CurrentState/Id")
    if isinstance(node, ua.NodeId) and node.NamespaceIndex == 0 and node.Identifier in _SHELVED:
        return {"shelved": _SHELVED[node.Identifier]}
    text = text_of(values.get("ShelvingState/CurrentState"))
    return {"shelved": text != "Unshelved"} if text else {}
