"""The fields of one event as an `AlarmEvent`, without a server."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from connectors.opcua.library import ua

MOST_RECENT: Final = 16
"""Newest events by which two at one instant are told apart."""
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
    shelved = _shelved(values)
    if shelved is not None:
        out["shelved"] = shelved
    for name, field in (("message", "Message"), ("comment", "Comment")):
        text = text_of(values.get(field))
        if text:
            out[name] = text
    event_id = values.get("EventId")
    if isinstance(event_id, bytes):
        out["event_id"] = event_id.hex()
    quality = getattr(values.get("Quality"), "value", None)
    if quality:
        out["quality"] = int(quality)
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


def _shelved(values: Mapping[str, Any]) -> bool | None:
    node = values.get("ShelvingState/CurrentState/Id")
    if isinstance(node, ua.NodeId) and node.NamespaceIndex == 0 and node.Identifier in _SHELVED:
        return _SHELVED[node.Identifier]
    text = text_of(values.get("ShelvingState/CurrentState"))
    return text != "Unshelved" if text else None


class Recent:
    """The newest events, so that two of one alarm at one instant get two times and a repeated one gets none.

    Args:
        known: (source and alarm, time, event id) of earlier ones, oldest first.
    """

    def __init__(self, known: Iterable[tuple[str, int, str]] = ()) -> None:
        self._known: OrderedDict[tuple[str, str], int] = OrderedDict()
        for alarm, time_ns, event_id in known:
            self._add(alarm, time_ns, event_id)

    def stamp(self, alarm: str, time_ns: int, event_id: str) -> int | None:
        """The time to store, later by 1 ns than an earlier event at the same instant; None for one that is known."""
        if event_id and (alarm, event_id) in self._known:
            return None
        taken = {known for (name, _), known in self._known.items() if name == alarm}
        while time_ns in taken:
            time_ns += 1
        self._add(alarm, time_ns, event_id)
        return time_ns

    def state(self) -> tuple[tuple[str, int, str], ...]:
        """What a later link needs to know."""
        return tuple((alarm, time_ns, event_id) for (alarm, event_id), time_ns in self._known.items())

    def _add(self, alarm: str, time_ns: int, event_id: str) -> None:
        self._known[alarm, event_id or str(time_ns)] = time_ns
        while len(self._known) > MOST_RECENT:
            self._known.popitem(last=False)
