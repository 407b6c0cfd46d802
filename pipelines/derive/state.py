"""The state of one machine as points: on change, and once a minute, so that silence is never taken for a state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import orjson

from pipelines.calendar import Calendar
from pipelines.derive.activity import Activity
from pipelines.derive.rule import Derived, Ref, Value
from pipelines.derive.signals import PLANNED, RUN, UNKNOWN, Signal, Verdict
from pipelines.point import BAD, BAD_NO_COMMUNICATION, SEVERITY_MASK

BEAT_NS: Final = 60 * 10**9
"""Between two points of a state that does not change."""
_PATIENCE_NS: Final = 30 * 10**9
"""What is not heard so long after a start did not change: a subscription that goes on tells changes alone."""
_NOT_HEARD: Final = "not_heard"


class StateRule:
    """Readings to the canonical state of a machine.

    A signal of which a tag is bad says nothing: the state is unknown, never down. Its word, once it held for as long as
    the signal asks, is corrected by what the machine counts, and by the calendar where nothing says why it stands.

    A point has the fields `code` (0-8), `reason`, and `since`: when the state began, ns since 1970 UTC.

    Args:
        machine: whose state it is.
        signal: says what it is.
        activity: whether it counts; None = that is not known.
        calendar: working time; None = nothing is planned.
    """

    def __init__(
        self, machine: str, signal: Signal, activity: Activity | None = None, calendar: Calendar | None = None
    ) -> None:
        self.name = f"state/{machine}"
        self.reads = signal.reads | ({activity.tag} if activity else frozenset())
        self._machine = machine
        self._signal = signal
        self._activity = activity
        self._calendar = calendar
        self._values: dict[Ref, Value] = {}
        self._bad: dict[Ref, str] = {}
        self._unheard = set(signal.reads)
        self._patient_until_ns: int | None = None
        self._held = Verdict(UNKNOWN, _NOT_HEARD)
        self._candidate = UNKNOWN
        self._candidate_since: dict[bool, int] = {}
        self._said = Verdict(-1, "")
        self._since_ns = self._last_ns = 0
        self._beat_ns: int | None = None
        self._points: list[Derived] = []
        self._told = False

    def take(self, ref: Ref, time_ns: int, value: Value, status: int) -> None:
        """See `Rule`."""
        bad = status & SEVERITY_MASK == BAD
        if self._activity and ref == self._activity.tag:
            self._activity.take(None if bad else value)
        if ref not in self._signal.reads:
            return
        self._unheard.discard(ref)
        if bad:
            self._bad[ref] = "no_communication" if status == BAD_NO_COMMUNICATION else "bad_quality"
        else:
            self._values[ref] = value
            self._bad.pop(ref, None)
        if not self._unheard or self._bad:
            self._conclude(time_ns, ticking=False)

    def tick(self, now_ns: int) -> None:
        """See `Rule`."""
        if self._patient_until_ns is None:
            self._patient_until_ns = now_ns + _PATIENCE_NS
        if self._unheard and not self._bad and now_ns < self._patient_until_ns:
            return
        if self._activity:
            self._activity.tick(now_ns)
        self._conclude(now_ns, ticking=True)
        if not self._told and (self._beat_ns is None or not 0 <= now_ns - self._beat_ns < BEAT_NS):
            self._tell(now_ns)
        if self._told:
            self._beat_ns, self._told = now_ns, False

    def moved(self, by_ns: int) -> None:
        """See `Rule`."""
        self._since_ns += by_ns
        self._last_ns += by_ns
        self._candidate_since = {clock: since_ns + by_ns for clock, since_ns in self._candidate_since.items()}
        if self._patient_until_ns is not None:
            self._patient_until_ns += by_ns
        if self._beat_ns is not None:
            self._beat_ns += by_ns
        if self._activity:
            self._activity.moved(by_ns)

    def lines(self) -> Sequence[Derived]:
        """See `Rule`."""
        points, self._points = self._points, []
        return points

    def state(self) -> bytes:
        """See `Rule`; values that change all the time are heard again soon, and are left out."""
        kept = sorted(self._values.items()) if self._signal.discrete else []
        return orjson.dumps(
            {
                "held": [*self._held],
                "said": [*self._said[:2], self._since_ns, self._last_ns],
                "stage": self._activity.stage if self._activity else 0,
                "values": [[*ref, value] for ref, value in kept],
            }
        )

    def restore(self, state: bytes) -> None:
        """See `Rule`."""
        match orjson.loads(state):
            case {
                "held": [int(code), str(reason), bool(stopped)],
                "said": [int(said), str(why), int(since_ns), int(last_ns)],
                "stage": int(stage),
                "values": [*values],
            }:
                self._held, self._said = Verdict(code, reason, stopped), Verdict(said, why)
                self._since_ns, self._last_ns = since_ns, last_ns
                self._values = {
                    ref: value for machine, tag, value in values if (ref := Ref(machine, tag)) in self._signal.reads
                }
                if self._activity:
                    self._activity.restore(stage)
            case _:
                msg = "not the state of a machine"
                raise ValueError(msg)

    def _conclude(self, time_ns: int, *, ticking: bool) -> None:
        """What holds now, by all that is known; says so when that is another state."""
        verdict = self._judge()
        same = verdict.code == self._held.code or UNKNOWN in {verdict.code, self._held.code}
        if same or self._lasted(verdict.code, time_ns, ticking=ticking):
            self._held, self._candidate = verdict, UNKNOWN
        now = self._held
        if self._activity:
            if now.code == RUN:
                now = self._activity.over(now)
            else:
                self._activity.begin()
        if now.stopped and self._calendar and not self._calendar.works(time_ns):
            now = Verdict(PLANNED, now.reason)
        if now[:2] != self._said[:2]:
            since_ns = self._since_ns if now.code == self._said.code else self._after(time_ns)
            self._said, self._since_ns = now, since_ns
            self._tell(time_ns)

    def _judge(self) -> Verdict:
        if self._bad:
            return Verdict(UNKNOWN, next(iter(self._bad.values())))
        if self._signal.reads - self._values.keys():
            return Verdict(UNKNOWN, _NOT_HEARD)
        return self._signal.judge(self._values, self._held.code)

    def _lasted(self, code: int, time_ns: int, *, ticking: bool) -> bool:
        """Whether another state lasted for as long as it must, by the clock of its readings, or by the agent's."""
        if code != self._candidate:
            self._candidate, self._candidate_since = code, {}
        return time_ns - self._candidate_since.setdefault(ticking, time_ns) >= self._signal.hold_ns

    def _tell(self, time_ns: int) -> None:
        self._last_ns, self._told = self._after(time_ns), True
        fields: dict[str, Value] = {"code": self._said.code, "reason": self._said.reason, "since": self._since_ns}
        self._points.append(Derived("state", self._machine, self._last_ns, fields))

    def _after(self, time_ns: int) -> int:
        """This time, or right after the last point: states follow each other."""
        return max(time_ns, self._last_ns + 1)
