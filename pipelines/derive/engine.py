"""Feeds rules with readings, and makes lines of what they give; what others are shared sees the points of all rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Final

import structlog

from pipelines.derive.kept import Kept
from pipelines.derive.rule import Derived, Ref, Rule, Value
from pipelines.encode.line import line
from pipelines.lines import Lines
from pipelines.place import Place
from pipelines.share.rule import Share

log = structlog.get_logger()
KEY: Final = "derive:"
"""In front of a share's name: the key of its state in the journal; those of the other rules are kept together."""
Heard = tuple[int, Ref, Value, int]
"""Time, tag, value and StatusCode of a reading."""


class Engine:
    """The rules of one agent, fed with the readings of all its connections.

    What a delivery causes is gathered behind its readings, at once: between two deliveries nothing is pending.

    Args:
        state: resume state of the journal.

    Attributes:
        points: points that it gave since the start.
    """

    def __init__(self, state: Mapping[str, bytes]) -> None:
        self._kept = Kept(state)
        self._shared = {key.removeprefix(KEY): one for key, one in state.items() if key.startswith(KEY)}
        self._rules: tuple[Rule, ...] = ()
        self._shares: tuple[Share, ...] = ()
        self._places: Mapping[str, Place] = {}
        self._listeners: dict[Ref, tuple[Rule, ...]] = {}
        self._heard: list[Heard] = []
        self.points = 0

    def follow(self, rules: Sequence[Rule], places: Mapping[str, Place], shares: Sequence[Share] = ()) -> None:
        """Go on with these rules; one that is called like one before, or like one of an earlier process, goes on.

        Args:
            rules: names are unique.
            places: where each machine stands.
            shares: rules that also see the points of all others.
        """
        states = self._shared | {one.name: one.state() for one in (*self._rules, *self._shares)}
        self._rules, self._shares, self._places = tuple(rules), tuple(shares), {**self._kept.places, **places}
        self._kept.places = self._places
        self._listeners = {}
        for rule in (*rules, *shares):
            if kept := states.get(rule.name) or self._kept[rule.name]:
                try:
                    rule.restore(kept)
                except ValueError as error:
                    log.warning("derived_state_unreadable", rule=rule.name, reason=str(error))
                if not rule.state():
                    self._kept[rule.name] = b""  # an alarm that is configured no more, and was normal
            for ref in rule.reads:
                self._listeners[ref] = (*self._listeners.get(ref, ()), rule)

    @property
    def kept(self) -> list[str]:
        """Names of rules that have a state, those of an earlier configuration included."""
        return self._kept.names()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules of now."""
        return self._rules

    def listens(self, ref: Ref) -> bool:
        """Whether a rule reads this tag."""
        return ref in self._listeners

    def hear(self, heard: Sequence[Heard]) -> None:
        """Readings of a delivery, in any order, of tags that rules read; `gather` must follow."""
        self._heard += heard

    def tick(self, now_ns: int) -> Lines | None:
        """What the time alone causes; None = nothing."""
        for rule in (*self._rules, *self._shares):
            rule.tick(now_ns)
        return self._lines(self._rules, now_ns, quiet=True)

    def gather(self, now_ns: int) -> Lines | None:
        """What the readings heard since the last call cause, and the state they lead to; None = they change nothing."""
        told: dict[str, Rule] = {}
        for time_ns, ref, value, status in sorted(self._heard, key=itemgetter(0)):
            for rule in self._listeners.get(ref, ()):
                told[rule.name] = rule
                rule.take(ref, time_ns, value, status)
        self._heard.clear()
        return self._lines(tuple(told.values()), now_ns, quiet=False)

    def _lines(self, rules: Sequence[Rule], now_ns: int, *, quiet: bool) -> Lines | None:
        """Points and changed states; when `quiet`, only of rules that have points, or were shown some."""
        points: list[Derived] = []
        texts: list[bytes] = []
        resume: dict[str, bytes] = {}
        for rule in (one for one in rules if one not in self._shares):
            if some := [(one, self._line(one)) for one in rule.lines()]:
                points += (one for one, _ in some)
                texts += (text for _, text in some)
                for share in self._shares:
                    share.see(rule.reads, some)
            if some or not quiet:
                self._kept[rule.name] = rule.state()
        shown = bool(points)  # what a share made of them must be kept with them
        for share in self._shares:
            some = [(one, self._line(one)) for one in share.lines()]
            points += (one for one, _ in some)
            texts += (text for _, text in some)
            if share.touched and (some or shown or not quiet):
                resume[KEY + share.name] = self._shared[share.name] = share.state()
        if points or not quiet:
            resume |= self._kept.resume()
        if not points:
            return Lines(b"", 0, (now_ns, now_ns), resume) if resume else None
        self.points += len(points)
        times = [one.time_ns for one in points]
        return Lines(b"".join(texts), len(points), (min(times), max(times)), resume, any(one.once for one in points))

    def _line(self, one: Derived) -> bytes:
        return line(self._places[one.machine].series(one.measurement, one.tags), one.fields, one.time_ns)
