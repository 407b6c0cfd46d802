"""Conditions: which faults and warnings are active, and the alarm events their changes make. Pure.

A condition may have several of them at once, each with a code. `Normal` with a code ends that one, `Normal` without
ends all (MTConnect Part 3, Condition).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from connectors.mtconnect.decode import UNAVAILABLE, Observation
from pipelines.point import AlarmEvent

MOST_ACTIVE: Final = 64
"""Codes of one condition that are remembered as active: it is kept with every position. The oldest goes first."""
_LONGEST_CODE: Final = 128
SEVERITY: Final = {"Warning": 500, "Fault": 900}
"""Severity 1-1000 (OPC 10000-5 §6.4.2) for the two levels; MTConnect has no number of its own."""
_WORDS: Final = {
    "nativeCode": "native_code",
    "nativeSeverity": "native_severity",
    "qualifier": "qualifier",
    "type": "type",
    "conditionId": "event_id",
}
Source = tuple[int, str]
"""Index into the connection's events, and name of the alarm."""


class Conditions:
    """The state of every condition.

    Args:
        active: by data item: code → level; as `active` was when it was kept.
    """

    def __init__(self, active: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self.active: dict[str, dict[str, str]] = {item: dict(codes) for item, codes in (active or {}).items()}

    def take(self, seen: Observation, sources: Sequence[Source]) -> tuple[str, list[AlarmEvent]]:
        """One change: the level of the whole condition after it, and its events."""
        codes = self.active.setdefault(seen.item, {})
        code = code_of(seen)
        if seen.element in SEVERITY:
            codes[code] = seen.element
            if len(codes) > MOST_ACTIVE:
                del codes[next(iter(codes))]
            return worst(codes), list(_events(seen, sources, code, active=True))
        if seen.element != "Normal":  # Unavailable: nobody knows; what was active may still be
            self.active.pop(seen.item)
            return UNAVAILABLE, list(_events(seen, sources, "", active=None))
        ended = [code] if code else [*codes, ""]
        for one in ended:
            codes.pop(one, None)
        if not codes:
            self.active.pop(seen.item)
        return worst(codes), [event for one in ended for event in _events(seen, sources, one, active=False)]

    def snapshot(self, seen: Sequence[Observation], sources: Sequence[Source]) -> tuple[str, list[AlarmEvent]]:
        """Everything that `current` says of one condition: what was active before and is not in it has ended."""
        newest = max(seen, key=lambda one: one.sequence)
        gone = self.active.pop(newest.item, {}).keys() - {code_of(one) for one in seen}
        events = [event for one in sorted(gone) for event in _events(newest, sources, one, active=False)]
        level = UNAVAILABLE
        for one in seen:
            level, more = self.take(one, sources)
            events += more
        return level, events


def code_of(seen: Observation) -> str:
    """What tells the alarms of one condition apart: the id of 2.3, else the machine's own code; may be empty."""
    return (seen.attributes.get("conditionId") or seen.attributes.get("nativeCode", ""))[:_LONGEST_CODE]


def worst(codes: Mapping[str, str]) -> str:
    """Level of a condition with these active."""
    return max(codes.values(), key=lambda level: SEVERITY.get(level, 0), default="Normal")


def _events(seen: Observation, sources: Sequence[Source], code: str, *, active: bool | None) -> Iterator[AlarmEvent]:
    fields: dict[str, bool | int | float | str] = {"event": seen.element}
    if active is not None:
        fields["active"] = active
    if active:
        fields["severity"] = SEVERITY[seen.element]
    if seen.text:
        fields["message"] = seen.text
    fields |= {name: seen.attributes[key] for key, name in _WORDS.items() if seen.attributes.get(key)}
    for index, name in sources:
        yield AlarmEvent(index, f"{name}.{code}" if code else name, seen.time_ns, fields)
