"""Fields of events without a server: what is decoded, named, left out; bytes that are not what they should be."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary

from connectors.opcua.events.fields import event_list
from connectors.opcua.events.filter import FULL, event_filter
from connectors.opcua.events.rows import alarm_fields, alarm_name
from connectors.opcua.events.types import CONTROL_TYPES, EVENT_TYPES, OVERFLOW_TYPE


def test_the_names_are_those_of_the_standard() -> None:
    assert {name: getattr(ua.ObjectIds, name) for name in EVENT_TYPES} == EVENT_TYPES
    assert ua.ObjectIds.EventQueueOverflowEventType == OVERFLOW_TYPE
    names = [f"Refresh{name}EventType" for name in ("Start", "End", "Required")]
    assert tuple(getattr(ua.ObjectIds, name) for name in names) == CONTROL_TYPES


def encoded(*values: Any) -> bytes:
    fields = [value if isinstance(value, ua.Variant) else ua.Variant(value) for value in values]
    events = [ua.EventFieldList(ClientHandle=0x8000_0001, EventFields=fields)]
    return struct_to_binary(ua.EventNotificationList(Events=events))


def test_times_keep_their_100_ns() -> None:
    raw = bytearray(encoded("x", ua.Variant(ua.get_win_epoch(), ua.VariantType.DateTime)))
    raw[-8:] = struct.pack("<q", 116_444_736_000_000_000 + 17_000_000_000_000_001)
    (one,) = event_list(bytes(raw), 0, len(raw))
    assert (one.handle, one.values) == (0x8000_0001, ("x", 1_700_000_000_000_000_100))


def test_every_cut_is_an_error() -> None:
    raw = encoded(b"id", ua.NodeId("x", 3), ua.LocalizedText("끝"), 700, 1.5, None)
    (one,) = event_list(raw, 0, len(raw))
    assert one.values[0] == b"id"
    for end in range(len(raw)):
        with pytest.raises(ValueError, match="event"):
            event_list(raw[:end], 0, end)


@pytest.mark.parametrize("count", [-1, 0])
def test_no_events(count: int) -> None:
    assert event_list(struct.pack("<i", count), 0, 4) == []


@pytest.mark.parametrize("raw", [b"\xff\xff\xff\x7f", struct.pack("<iIi", 1, 1, 0x7FFF_FFFF)])
def test_lengths_are_not_believed(raw: bytes) -> None:
    with pytest.raises(ValueError, match="cannot be in"):
        event_list(raw, 0, len(raw))


def test_a_filter_survives_its_own_encoding() -> None:
    types = [ua.NodeId(EVENT_TYPES["AlarmConditionType"]), ua.NodeId("PressFault", 2)]
    chosen = event_filter(FULL, 300, types)
    elements = chosen.WhereClause.Elements
    operators = [element.FilterOperator.name for element in elements]
    assert operators == ["And", "Or", "GreaterThanOrEqual", "Equals", "Or", "OfType", "OfType"]
    for index, element in enumerate(elements):
        for operand in element.FilterOperands:
            if isinstance(operand, ua.ElementOperand):
                assert index < operand.Index < len(elements)
    assert struct_to_binary(chosen)
    assert event_filter(FULL, 1, []).WhereClause.Elements == []


@pytest.mark.parametrize(
    ("values", "begins", "name"),
    [
        ({"SourceName": "Boiler1", "ConditionName": "HighTemperature"}, None, "Boiler1.HighTemperature"),
        ({"SourceName": "Boiler1", "ConditionName": "Boiler1.High"}, None, "Boiler1.High"),
        ({"SourceName": "Boiler1", "ConditionName": "High"}, "oven", "oven.High"),
        ({"SourceName": "Boiler1"}, None, "Boiler1.PressFault"),
        ({"ConditionName": "High"}, None, "High"),
        ({}, None, "PressFault"),
    ],
)
def test_names(values: dict[str, Any], begins: str | None, name: str) -> None:
    assert alarm_name(values, "PressFault", begins) == name


def test_fields_of_an_alarm() -> None:
    values = {
        "EventId": b"\x01\xff",
        "Severity": 900,
        "Message": ua.LocalizedText("압력 높음"),
        "Comment": ua.LocalizedText("확인"),
        "ActiveState/Id": True,
        "AckedState/Id": False,
        "ConfirmedState/Id": None,
        "Retain": True,
        "ShelvingState/CurrentState": ua.LocalizedText("정상"),
        "ShelvingState/CurrentState/Id": ua.NodeId(2930),
        "BranchId": ua.NodeId(),
        "Quality": ua.StatusCode(0x8000_0000),
        "ConditionId": ua.NodeId("High", 2),
    }
    assert alarm_fields(values, "ExclusiveLimitAlarmType") == {
        "event": "ExclusiveLimitAlarmType",
        "event_id": "01ff",
        "severity": 900,
        "message": "압력 높음",
        "comment": "확인",
        "active": True,
        "acknowledged": False,
        "retain": True,
        "shelved": False,
        "quality": 0x8000_0000,
        "condition": "ns=2;s=High",
    }


def test_a_branch_says_nothing_of_now() -> None:
    values = {"ActiveState/Id": True, "Retain": True, "AckedState/Id": False, "BranchId": ua.NodeId(7, 2)}
    assert alarm_fields(values, "x") == {"event": "x", "acknowledged": False, "branch": "ns=2;i=7"}
