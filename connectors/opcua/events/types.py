"""Event types of the standard by name: what a configuration may write instead of a node id."""

from __future__ import annotations

from typing import Final

OVERFLOW_TYPE: Final = 3035
"""EventQueueOverflowEventType (OPC 10000-5 §6.4.33): the server threw events away; it passes every filter."""
EVENT_TYPES: Final = {
    "BaseEventType": 2041,
    "AuditEventType": 2052,
    "SystemEventType": 2130,
    "DeviceFailureEventType": 2131,
    "SystemStatusChangeEventType": 11446,
    "ProgressEventType": 11436,
    "BaseModelChangeEventType": 2132,
    "GeneralModelChangeEventType": 2133,
    "SemanticChangeEventType": 2738,
    "TransitionEventType": 2311,
    "ConditionType": 2782,
    "DialogConditionType": 2830,
    "AcknowledgeableConditionType": 2881,
    "AlarmConditionType": 2915,
    "LimitAlarmType": 2955,
    "ExclusiveLimitAlarmType": 9341,
    "NonExclusiveLimitAlarmType": 9906,
    "ExclusiveLevelAlarmType": 9482,
    "NonExclusiveLevelAlarmType": 10060,
    "ExclusiveDeviationAlarmType": 9764,
    "NonExclusiveDeviationAlarmType": 10368,
    "ExclusiveRateOfChangeAlarmType": 9623,
    "NonExclusiveRateOfChangeAlarmType": 10214,
    "DiscreteAlarmType": 10523,
    "OffNormalAlarmType": 10637,
    "SystemOffNormalAlarmType": 11753,
    "CertificateExpirationAlarmType": 13225,
    "TripAlarmType": 10751,
    "DiscrepancyAlarmType": 17080,
}
"""Name → numeric identifier in namespace 0 (OPC 10000-5 §6.4, OPC 10000-9 §5)."""
CONTROL_TYPES: Final = (2787, 2788, 2789)
"""RefreshStart, RefreshEnd and RefreshRequired (OPC 10000-9 §5.11): about the stream of events, not about the plant."""
