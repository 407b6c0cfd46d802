"""Alarms as a rule: points of measurement `alarm`, `alarm_action` and, where they are chained, `event_log`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson

from pipelines.derive.alarm import Alarm, Changed, stands
from pipelines.derive.alarm_settings import SEVERITIES, AlarmSettings
from pipelines.derive.chain import Chain, Head
from pipelines.derive.kept import Kept
from pipelines.derive.lifecycle import UNACKNOWLEDGED, State
from pipelines.derive.rule import Derived, Ref, Rule, Value

_PREFIX: Final = "alarm/"


class AlarmRule:
    """One alarm, or the end of one that is configured no more.

    An alarm that stood and is configured no more is told once more, as `removed`: nobody else would end it in a store.

    Args:
        key: `MACHINE/NAME` of the alarm.
        alarm: it; None = it is configured no more.
        chain: of the site; takes its events where they are chained.

    Attributes:
        name: of the rule.
        alarm: the same.
        reads: tags it looks at.
    """

    def __init__(self, key: str, alarm: Alarm | None, chain: Chain) -> None:
        self.name = _PREFIX + key
        self.alarm = alarm
        self.reads: frozenset[Ref] = alarm.reads if alarm else frozenset()
        self._key = key
        self._chain = chain
        self._chained = alarm is not None and alarm.settings.chained
        self._head = Head()
        self._removed: dict[str, Any] | None = None
        self._ended_ns: int | None = None

    def take(self, ref: Ref, time_ns: int, value: Value, status: int) -> None:
        """One reading of `reads`."""
        if self.alarm:
            self.alarm.take(ref, time_ns, value, status)

    def tick(self, now_ns: int) -> None:
        """Let come what is due."""
        if self.alarm:
            self.alarm.tick(now_ns)
        elif self._removed:
            self._ended_ns, self._removed = max(now_ns, self._removed.get("last", 0) + 1), None

    def moved(self, by_ns: int) -> None:
        """The agent's clock was set."""
        if self.alarm:
            self.alarm.moved(by_ns)
        elif self._removed:
            self._removed["last"] = self._removed.get("last", 0) + by_ns

    def lines(self) -> list[Derived]:
        """Points of everything that changed since the last call."""
        points: list[Derived] = []
        chain = self._chain if self._chained else None
        if self._ended_ns is not None:
            points += _removed(self._key, self._ended_ns, chain)
            self._ended_ns = None
        changes = [(self.alarm.settings, one) for one in self.alarm.changes()] if self.alarm else []
        for settings, change in changes:
            points.append(_event(settings, change))
            if change.by:
                points.append(_action(settings, change))
            if chain is not None:
                points.append(_logged(chain, settings, change))
        if points and chain is not None:
            self._head = chain.head
        return points

    def state(self) -> bytes:
        """State of the alarm, and of the chain where it gave the last entry: JSON; empty = nothing is left to keep."""
        alarm = self.alarm.kept() if self.alarm else self._removed
        last = self._head.seq > 0 and self._head.seq == self._chain.head.seq
        if not alarm and not last:
            return b""
        return orjson.dumps({"alarm": alarm, "chain": self._chain.kept() if last else None, "chained": self._chained})

    def restore(self, state: bytes) -> None:
        """Go on where `state` was taken.

        Raises:
            ValueError: it is not of this rule.
        """
        try:
            found = orjson.loads(state)
            if found["chain"]:
                self._chain.restore(found["chain"])
                self._head = Head(found["chain"]["seq"], found["chain"]["hash"])
            kept = found["alarm"]
            if self.alarm and kept:
                self.alarm.restore(kept)
            elif kept and stands(kept):
                self._removed, self._chained = kept, found["chained"]
                self.reads = frozenset(Ref(*ref) for ref in kept.get("reads", ()))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{self.name}: {error!r}") from error


def alarm_rules(settings: Sequence[AlarmSettings], chain: Chain) -> list[AlarmRule]:
    """The rules of a site's alarms, each by itself; those that are chained share the log."""
    return [AlarmRule(_key(one), Alarm(one), chain) for one in settings]


def removed_rules(kept: Iterable[str], rules: Iterable[Rule], chain: Chain) -> list[AlarmRule]:
    """Rules that end the alarms that are kept and are configured no more.

    Args:
        kept: names of rules that have a state.
        rules: those of the configuration.
        chain: takes the end of those that are chained.
    """
    gone = sorted(set(kept) - {one.name for one in rules})
    return [AlarmRule(name.removeprefix(_PREFIX), None, chain) for name in gone if name.startswith(_PREFIX)]


def remembered(resume: Mapping[str, bytes]) -> Chain:
    """The chain as the records of a journal know it.

    Args:
        resume: resume state of the journal.
    """
    kept, chain = Kept(resume), Chain()
    for name in kept.names():
        if name.startswith(_PREFIX) and (found := orjson.loads(kept[name])["chain"]):
            chain.restore(found)
    return chain


def _key(settings: AlarmSettings) -> str:
    return f"{settings.machine}/{settings.name}"


def _event(settings: AlarmSettings, change: Changed) -> Derived:
    """The change as a point, with the fields that events of devices have (`AlarmEvent`)."""
    fields: dict[str, Value] = {
        "active": change.active,
        "acknowledged": change.state not in UNACKNOWLEDGED,
        "shelved": change.state is State.SHELVED,
        "retain": change.state is not State.NORM,
        "severity": SEVERITIES[settings.priority],
        "priority": settings.priority,
        "event": change.event,
        "state": str(change.state),
        "message": settings.label.ko or settings.label.en or settings.name,
    }
    if change.cause:
        fields["cause"] = change.cause
    if change.value is not None:
        fields["value"] = change.value
    if change.comment:
        fields["comment"] = change.comment
    return _point("alarm", settings, change, fields)


def _action(settings: AlarmSettings, change: Changed) -> Derived:
    """Who did what."""
    fields: dict[str, Value] = {"action": change.event, "by": change.by}
    if change.comment:
        fields["comment"] = change.comment
    if change.until_ns:
        fields["until"] = change.until_ns
    return _point("alarm_action", settings, change, fields)


def _logged(chain: Chain, settings: AlarmSettings, change: Changed) -> Derived:
    """The change as the next entry of the chain."""
    said = {
        "priority": settings.priority,
        "kind": "safety" if settings.safety else "ccp",
        "event": change.event,
        "state": str(change.state),
    }
    more = {"cause": change.cause, "value": "" if change.value is None else repr(change.value)}
    more |= {"by": change.by, "comment": change.comment, "until_ns": str(change.until_ns or "")}
    whole = said | {key: one for key, one in more.items() if one}
    return _entry(chain, settings.machine, settings.name, change.time_ns, whole)


def _entry(chain: Chain, machine: str, name: str, time_ns: int, said: Mapping[str, str]) -> Derived:
    """The next entry, and the point that holds it."""
    entry = chain.add({"machine": machine, "alarm": name, "time_ns": str(time_ns), **said})
    fields: dict[str, Value] = {"seq": entry.seq, "hash": entry.hash, "prev": entry.prev}
    fields["entry"] = entry.canonical().decode()
    return Derived("event_log", machine, time_ns, fields, (("alarm", name),), once=True)


def _removed(key: str, time_ns: int, chain: Chain | None) -> list[Derived]:
    """The end of an alarm that is configured no more, and its entry where it was chained."""
    machine, _, name = key.partition("/")
    over = dict.fromkeys(("active", "shelved", "retain"), False) | {"acknowledged": True}
    said = {"event": "removed", "state": str(State.NORM)}
    points = [Derived("alarm", machine, time_ns, {**over, **said}, (("alarm", name),), once=True)]
    if chain is not None:
        points.append(_entry(chain, machine, name, time_ns, said))
    return points


def _point(measurement: str, settings: AlarmSettings, change: Changed, fields: dict[str, Value]) -> Derived:
    tags = (("alarm", settings.name),)
    return Derived(measurement, settings.machine, change.time_ns, fields, tags, once=True)
