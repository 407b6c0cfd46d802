"""The life cycle of an alarm: a pure table (ISA-18.2-2016 §5.2.2, IEC 62682:2022 §5.2.2).

::

    NORM ──comes──▶ UNACK ──acknowledged──▶ ACKED
     ▲                │ goes                  │ goes
     │                ▼                       ▼
     ├─acknowledged─ RTN_UNACK / LATCHED ◀─ LATCHED, else NORM

A latched alarm stays LATCHED after its condition is over, until it is acknowledged then: acknowledgement and reset are
one action here. SHELVED (a person, for a time), SUPPRESSED (by design) and OUT_OF_SERVICE (by configuration) cover the
states below: the alarm goes on under the cover and calls nobody. What came and went under it was never announced, so
that there is nothing to acknowledge.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """States of an alarm."""

    NORM = "NORM"
    UNACK = "UNACK"
    ACKED = "ACKED"
    RTN_UNACK = "RTN_UNACK"
    LATCHED = "LATCHED"
    SHELVED = "SHELVED"
    SUPPRESSED = "SUPPRESSED"
    OUT_OF_SERVICE = "OUT_OF_SERVICE"


ACTIVE = frozenset({State.UNACK, State.ACKED})
"""States below a cover in which the condition holds."""
COVERS = frozenset({State.SHELVED, State.SUPPRESSED, State.OUT_OF_SERVICE})
UNACKNOWLEDGED = frozenset({State.UNACK, State.RTN_UNACK, State.LATCHED})
"""States that wait for a person."""
LABELS = {
    State.NORM: "정상 normal",
    State.UNACK: "미확인 unacknowledged",
    State.ACKED: "확인됨 acknowledged",
    State.RTN_UNACK: "복귀·미확인 returned, unacknowledged",
    State.LATCHED: "유지·확인 필요 latched",
    State.SHELVED: "보류 shelved",
    State.SUPPRESSED: "억제 suppressed",
    State.OUT_OF_SERVICE: "사용 안 함 out of service",
}
"""What people see."""


def gone(state: State, *, latch: bool, covered: bool) -> State:
    """The state after the condition of an active alarm is over."""
    if latch:
        return State.LATCHED
    return State.NORM if covered or state is State.ACKED else State.RTN_UNACK


def acknowledged(state: State) -> State | None:
    """The state after a person acknowledged; None = there is nothing to acknowledge."""
    if state not in UNACKNOWLEDGED:
        return None
    return State.ACKED if state is State.UNACK else State.NORM
