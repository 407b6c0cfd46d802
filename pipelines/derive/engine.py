"""Feeds rules with readings, and makes lines of what they give; what others are shared sees the points of all rules."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Final, NamedTuple

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
MISTAKES: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NameError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What a fault in a rule raises: it reckons, and touches no file and no network."""
_INT64: Final = 2**63
_UNDERWAY_NS: Final = 60 * 10**9
"""How long after the clock was set readings may come that were stamped before."""
Told = tuple[Derived, bytes]
"""A point, and its line."""


class Heard(NamedTuple):
    """A reading.

    Attributes:
        time_ns: by the agent's clock, ns since 1970 UTC.
        ref: its tag.
        value: scaled; meaningless where bad.
        status: OPC UA StatusCode.
        stored_ns: its time as it is stored, where that is another: who is shared readings gets them with that.
    """

    time_ns: int
    ref: Ref
    value: Value
    status: int
    stored_ns: int | None = None


class Engine:
    """The rules of one agent, fed with the readings of all its connections.

    What a delivery causes is gathered behind its readings, at once: between two deliveries nothing is pending. A rule
    that makes a mistake is set aside, that rule alone, until `follow` has it go on from the state it had before.

    Args:
        state: resume state of the journal.
        shift_ns: by how much the agent's clock was set since the start, all together, ns.

    Attributes:
        points: points that it gave since the start.
        aside: why rules are set aside, by name.
    """

    def __init__(self, state: Mapping[str, bytes], shift_ns: Callable[[], int] = int) -> None:
        self._shift_ns = shift_ns
        self._shifted_ns = shift_ns()
        self._step_ns = self._underway_ns = 0
        self._kept = Kept(state)
        self._shared = {key.removeprefix(KEY): one for key, one in state.items() if key.startswith(KEY)}
        self._rules: tuple[Rule, ...] = ()
        self._shares: tuple[Share, ...] = ()
        self._places: Mapping[str, Place] = {}
        self._listeners: dict[Ref, tuple[Rule, ...]] = {}
        self._heard: list[Heard] = []
        self.points = 0
        self.aside: dict[str, str] = {}

    def follow(self, rules: Sequence[Rule], places: Mapping[str, Place], shares: Sequence[Share] = ()) -> None:
        """Go on with these rules; one that is called like one before, or like one of an earlier process, goes on.

        One that was set aside is tried again: a reload, like a restart, is a person who has done something about it.

        Args:
            rules: names are unique.
            places: where each machine stands.
            shares: rules that also see the points of all others.
        """
        states = dict(self._shared)
        for one in (*self._rules, *self._shares):
            try:
                states[one.name] = one.state()
            except MISTAKES as error:
                self._set_aside(one, error)
        self._rules, self._shares, self._places = tuple(rules), tuple(shares), {**self._kept.places, **places}
        self._kept.places = self._places
        self._listeners, self.aside = {}, {}
        for rule in (*rules, *shares):
            if kept := states.get(rule.name) or self._kept[rule.name]:
                try:
                    rule.restore(kept)
                    if not rule.state():
                        self._kept[rule.name] = b""  # an alarm that is configured no more, and was normal
                except MISTAKES as error:
                    log.warning("derived_state_unreadable", rule=rule.name, reason=str(error))
            for ref in rule.reads:
                self._listeners[ref] = (*self._listeners.get(ref, ()), rule)

    @property
    def kept(self) -> list[str]:
        """Names of rules that have a state, those of an earlier configuration included."""
        return self._kept.names()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules of now, but for those that are set aside."""
        return self._rules

    def listens(self, ref: Ref) -> bool:
        """Whether a rule reads this tag."""
        return ref in self._listeners

    def hear(self, heard: Sequence[Heard]) -> None:
        """Readings of a delivery, in any order, of tags that rules read; `gather` must follow."""
        self._heard += heard

    def tick(self, now_ns: int) -> Lines | None:
        """What the time alone causes; None = nothing."""
        moved = self._follow_clock(now_ns)
        for rule in (*self._rules, *self._shares):
            try:
                rule.tick(now_ns)
            except MISTAKES as error:
                self._set_aside(rule, error)
        return self._lines(self._rules, now_ns, quiet=not moved)

    def gather(self, now_ns: int) -> Lines | None:
        """What the readings heard since the last call cause, and the state they lead to; None = they change nothing."""
        heard, self._heard = self._heard, []
        told: dict[str, Rule] = {one.name: one for one in self._rules} if self._follow_clock(now_ns) else {}
        if now_ns < self._underway_ns:
            heard = [one._replace(time_ns=self._meant(one.time_ns, now_ns)) for one in heard]
        for time_ns, ref, value, status, stored_ns in sorted(heard, key=attrgetter("time_ns")):
            for rule in self._listeners.get(ref, ()):
                told[rule.name] = rule
                as_stored = isinstance(rule, Share) and rule.as_stored(ref)
                try:
                    rule.take(ref, stored_ns if as_stored and stored_ns is not None else time_ns, value, status)
                except MISTAKES as error:
                    self._set_aside(rule, error)
        return self._lines([one for one in told.values() if one.name not in self.aside], now_ns, quiet=False)

    def _follow_clock(self, now_ns: int) -> bool:
        """Tell the rules of a clock that was set since the last call; whether it was."""
        by_ns = self._shift_ns() - self._shifted_ns
        if not by_ns:
            return False
        self._shifted_ns += by_ns
        self._step_ns, self._underway_ns = by_ns, now_ns + _UNDERWAY_NS
        for rule in (*self._rules, *self._shares):
            try:
                rule.moved(by_ns)
            except MISTAKES as error:
                self._set_aside(rule, error)
        return True

    def _meant(self, time_ns: int, now_ns: int) -> int:
        """The time of a reading that may have been on its way when the clock was set: the nearer one, not to come."""
        after_ns = time_ns + self._step_ns
        return after_ns if after_ns <= now_ns and now_ns - after_ns < abs(now_ns - time_ns) else time_ns

    def _lines(self, rules: Sequence[Rule], now_ns: int, *, quiet: bool) -> Lines | None:
        """Points and changed states; when `quiet`, only of rules that have points, or were shown some."""
        points: list[Told] = []
        resume: dict[str, bytes] = {}
        for rule in (one for one in rules if one not in self._shares):
            some, state = self._asked(rule, save=not quiet)
            points += some
            if state is not None:
                self._kept[rule.name] = state
            self._show(rule.reads, some)
        shown = bool(points)  # what a share made of them must be kept with them
        for share in self._shares:
            some, state = self._asked(share, save=shown or not quiet)
            points += some
            if state is not None:
                resume[KEY + share.name] = self._shared[share.name] = state
        if points or resume or not quiet:
            resume |= self._kept.resume()
        if not points:
            return Lines(b"", 0, (now_ns, now_ns), resume) if resume else None
        self.points += len(points)
        times = [one.time_ns for one, _ in points]
        body = b"".join(text for _, text in points)
        return Lines(body, len(points), (min(times), max(times)), resume, any(one.once for one, _ in points))

    def _asked(self, rule: Rule, *, save: bool) -> tuple[list[Told], bytes | None]:
        """What a rule has to tell, and its state, where it has told something or is to `save` it."""
        try:
            some = [(one, self._line(one)) for one in rule.lines()]
            wanted = rule.unsaved or ((some or save) and rule.touched) if isinstance(rule, Share) else some or save
            return some, rule.state() if wanted else None
        except MISTAKES as error:
            self._set_aside(rule, error)
            return [], None

    def _show(self, reads: frozenset[Ref], points: Sequence[Told]) -> None:
        """Let the shares see points of another rule."""
        for share in self._shares if points else ():
            try:
                share.see(reads, points)
            except MISTAKES as error:
                self._set_aside(share, error)

    def _set_aside(self, rule: Rule, error: Exception) -> None:
        """Go on without a rule: what it made of this delivery is dropped, its state is that of the record before."""
        self.aside[rule.name] = f"{type(error).__name__}: {error}"
        log.error("rule_set_aside", rule=rule.name, exc_info=error)
        self._rules = tuple(one for one in self._rules if one is not rule)
        self._shares = tuple(one for one in self._shares if one is not rule)
        self._listeners = {
            ref: tuple(one for one in heard if one is not rule) for ref, heard in self._listeners.items()
        }

    def _line(self, one: Derived) -> bytes:
        for name, value in one.fields.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"{name} is {value}")
            if isinstance(value, int) and not -_INT64 <= value < _INT64:
                raise ValueError(f"{name} needs more than 64 bits")
        return line(self._places[one.machine].series(one.measurement, one.tags), one.fields, one.time_ns)
