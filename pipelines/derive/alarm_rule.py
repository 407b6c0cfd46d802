"""Alarms as a rule: points of measurement `alarm`, `alarm_action` and, where they are chained, `event_log`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson

from pipelines.derive.alarm import Alarm, Changed, stands
from pipelines.derive.alarm_settings import SEVERITIES, AlarmSettings
from pipelines.derive.chain import Chain
from pipelines.derive.lifecycle import UNACKNOWLEDGED, State
from pipelines.derive.rule import Derived, Ref, Rule, Value

_CHAINED: Final = "alarms/chained"
_ALONE: Final = "alarm/"


class AlarmRule:
    """Some alarms that are kept together.

    An alarm that stood and is configured no more is told once more, as `removed`: nobody else would end it in a store.

    Args:
        name: of the rule.
        alarms: in it.
        chain: takes their events too; None = they are not chained.

    Attributes:
        name: of the rule.
        alarms: the same.
        reads: tags they look at.
    """

    def __init__(self, name: str, alarms: Sequence[Alarm], chain: Chain | None = None) -> None:
        self.name = name
        self.alarms = tuple(alarms)
        self.reads: frozenset[Ref] = frozenset().union(*(one.reads for one in alarms))
        self._chain = chain
        self._removed: dict[str, dict[str, Any]] = {}
        self._ended: list[tuple[str, int]] = []

    def take(self, ref: Ref, time_ns: int, value: Value, status: int) -> None:
        """One reading of `reads`."""
        for one in self.alarms:
            if ref in one.reads:
                one.take(ref, time_ns, value, status)

    def tick(self, now_ns: int) -> None:
        """Let come what is due."""
        for one in self.alarms:
            one.tick(now_ns)
        self._ended += [(key, max(now_ns, kept.get("last", 0) + 1)) for key, kept in self._removed.items()]
        self._removed = {}

    def moved(self, by_ns: int) -> None:
        """The agent's clock was set."""
        for one in self.alarms:
            one.moved(by_ns)
        self._removed = {key: kept | {"last": kept.get("last", 0) + by_ns} for key, kept in self._removed.items()}

    def lines(self) -> list[Derived]:
        """Points of everything that changed since the last call."""
        changes = [(one.settings, change) for one in self.alarms for change in one.changes()]
        points = [point for key, time_ns in self._ended for point in _removed(key, time_ns, self._chain)]
        self._ended = []
        for settings, change in sorted(changes, key=lambda one: one[1].time_ns):
            points.append(_event(settings, change))
            if change.by:
                points.append(_action(settings, change))
            if self._chain is not None:
                points.append(_logged(self._chain, settings, change))
        return points

    def state(self) -> bytes:
        """State of each alarm, and of the chain: JSON; empty when there is nothing left to keep."""
        alarms = self._removed | {_key(one.settings): one.kept() for one in self.alarms}
        if not alarms and self._chain is None:
            return b""
        return orjson.dumps({"alarms": alarms, "chain": self._chain.kept() if self._chain is not None else None})

    def restore(self, state: bytes) -> None:
        """Go on where `state` was taken; an alarm that was not there begins anew.

        Raises:
            ValueError: it is not of these rules.
        """
        try:
            found = orjson.loads(state)
            alarms = dict(found["alarms"])
            for one in self.alarms:
                if kept := alarms.pop(_key(one.settings), None):
                    one.restore(kept)
            self._removed = {key: kept for key, kept in alarms.items() if stands(kept)}
            self.reads |= {Ref(*ref) for kept in self._removed.values() for ref in kept.get("reads", ())}
            if self._chain is not None and found["chain"]:
                self._chain.restore(found["chain"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{self.name}: {error!r}") from error


def alarm_rules(settings: Sequence[AlarmSettings], chain: Chain) -> list[AlarmRule]:
    """The rules of a site's alarms: each by itself, but for those that share the hash-chained log."""
    rules = [AlarmRule(_ALONE + _key(one), [Alarm(one)]) for one in settings if not one.chained]
    chained = [Alarm(one) for one in settings if one.chained]
    return [*rules, AlarmRule(_CHAINED, chained, chain)] if chained else rules


def removed_rules(kept: Iterable[str], rules: Iterable[Rule], chain: Chain) -> list[AlarmRule]:
    """Rules that end the alarms that are kept and are configured no more.

    Args:
        kept: names of rules that have a state.
        rules: those of the configuration.
        chain: takes the end of those that are chained.
    """
    gone = sorted(set(kept) - {one.name for one in rules})
    ended = [AlarmRule(name, []) for name in gone if name.startswith(_ALONE)]
    return [*ended, AlarmRule(_CHAINED, [], chain)] if _CHAINED in gone else ended


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
