"""One alarm over time: condition, on-delay, life cycle and what people do; pure, in the time of the readings.

What is due at a time, the end of an on-delay or of a shelving, happens at that time, whenever it is noticed: the same
readings, ticks and actions give the same changes, with restarts anywhere between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipelines.derive.alarm_settings import AlarmSettings
from pipelines.derive.condition import Condition, is_known
from pipelines.derive.lifecycle import ACTIVE, State, acknowledged, gone
from pipelines.derive.rule import Ref, Value
from pipelines.errors import OrderRefused
from pipelines.orders import MOST_SHELVED_S

FAULT_S: Final = 5.0
"""A safety alarm comes when its value was unknown for so long, seconds; with the time that a link needs to notice that
its device is gone, it is below 10 s."""
MOST_RAISES: Final = 64
_HOLE_NS: Final = 60 * 10**9
"""Without a reading or tick for so long the agent did not run, and nothing is known of the time between."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A change of an alarm's state, or a word on it.

    Attributes:
        time_ns: when, ns since 1970 UTC.
        event: `raised`, `cleared`, `acknowledged`, `shelved`, `unshelved`, `shelving_over`, `suppressed`,
            `unsuppressed`, `removed`.
        state: the state it leads to.
        active: whether the condition holds, as far as is known.
        cause: of an active alarm: `condition`, or `fault`, an unknown value of a safety alarm.
        value: what was compared; None where it is not known.
        by: who did it; empty = nobody.
        comment: what they said.
        until_ns: end of a shelving; 0 = none.
    """

    time_ns: int
    event: str
    state: State
    active: bool
    cause: str
    value: float | None
    by: str = ""
    comment: str = ""
    until_ns: int = 0


def stands(kept: Mapping[str, Any]) -> bool:
    """Whether an alarm that was `kept` so is anything but normal to people."""
    return bool(kept["state"] != State.NORM or kept.get("until") or kept.get("suppressed"))


class Alarm:
    """One alarm.

    Args:
        settings: of the alarm.

    Attributes:
        settings: the same.
        reads: (machine, tag) of everything it looks at.
        raised_ns: when it came last; 0 = never.
        raises: when it called people lately, the last `MOST_RAISES` times of this process, ns since 1970 UTC.
        until_ns: end of its shelving; 0 = not shelved.
    """

    def __init__(self, settings: AlarmSettings) -> None:
        self.settings = settings
        self._condition = Condition(settings)
        self._only_while = settings.ref(settings.only_while) if settings.only_while else None
        self.reads = frozenset([*self._condition.refs, *([self._only_while] if self._only_while else [])])
        self._delay_ns = int(settings.delay_s * 1e9)
        self._inner = State.NORM
        self._cause = ""
        self._pending_ns: int | None = None
        self._seen_ns = 0
        self._count = 0
        self._unknown_ns: int | None = None
        self._suppressed = False
        self._last_ns = 0
        self._changes: list[Changed] = []
        self.raised_ns = 0
        self.raises: deque[int] = deque(maxlen=MOST_RAISES)
        self.until_ns = 0

    @property
    def state(self) -> State:
        """What people see: the cover, or the state below."""
        if not self.settings.in_service:
            return State.OUT_OF_SERVICE
        if self._suppressed:
            return State.SUPPRESSED
        return State.SHELVED if self.until_ns else self._inner

    @property
    def active(self) -> bool:
        """Whether the condition holds, under a cover too."""
        return self._inner in ACTIVE

    @property
    def cause(self) -> str:
        """Why it came, until it is normal again; empty when it is."""
        return self._cause if self._inner is not State.NORM else ""

    def take(self, ref: Ref, time_ns: int, value: Value, status: int) -> None:
        """One reading of `reads`."""
        if not self.settings.in_service:
            return
        self.tick(time_ns)
        if ref == self._only_while and is_known(value, status):
            self._suppress(time_ns, suppressed=not value)
        if ref in self._condition.refs:
            self._judge(time_ns, counted=self._condition.take(ref, time_ns, value, status))

    def tick(self, time_ns: int) -> None:
        """Let come what is due by this time."""
        if not self.settings.in_service:
            return
        if self._pending_ns is not None and time_ns - self._seen_ns > _HOLE_NS:
            self._condition.forget()
        self._seen_ns = max(self._seen_ns, time_ns)
        if self._condition.met is None and self._unknown_ns is None and self.settings.safety:
            self._unknown_ns = time_ns
        while due := self._due(time_ns):
            at_ns, what = due
            if what == "shelving":
                self._unshelve(at_ns, "shelving_over")
            else:
                self._raise(at_ns, what)

    def moved(self, by_ns: int) -> None:
        """The clock was set: what is pending, shelved or unknown stays so for as long as it would have."""
        self._last_ns += by_ns
        self._seen_ns += by_ns
        self.raised_ns += by_ns if self.raised_ns else 0
        self.until_ns += by_ns if self.until_ns else 0
        self._pending_ns = None if self._pending_ns is None else self._pending_ns + by_ns
        self._unknown_ns = None if self._unknown_ns is None else self._unknown_ns + by_ns
        self.raises = deque((one + by_ns for one in self.raises), maxlen=MOST_RAISES)
        self._condition.moved(by_ns)

    def changes(self) -> list[Changed]:
        """What changed since the last call, oldest first."""
        found, self._changes = self._changes, []
        return found

    def acknowledge(self, time_ns: int, by: str, comment: str = "") -> None:
        """A person has taken note.

        Raises:
            OrderRefused: there is nothing to acknowledge.
        """
        self.tick(time_ns)
        after = acknowledged(self._inner)
        if after is None or self.state is not self._inner:
            raise OrderRefused("nothing", f"{self._name}: nothing to acknowledge, its state is {self.state}")
        self._inner = after
        self._tell(time_ns, "acknowledged", by, comment)

    def shelve(self, time_ns: int, for_s: float, by: str, comment: str = "") -> None:
        """Put it aside for a time; once more puts another end to it.

        Raises:
            OrderRefused: it cannot be shelved, or not for so long.
        """
        self.tick(time_ns)
        if self.settings.safety:
            raise OrderRefused("safety", f"{self._name}: a safety alarm cannot be shelved")
        if not self.settings.in_service:
            raise OrderRefused("out_of_service", f"{self._name}: it is out of service (in_service: false)")
        if not 0 < for_s <= MOST_SHELVED_S:
            most = f"1 s to {MOST_SHELVED_S / 3600:g} h"
            raise OrderRefused("too_long", f"{self._name}: shelve it for {most}, not {for_s:g} s")
        self.until_ns = time_ns + int(for_s * 1e9)
        self._tell(time_ns, "shelved", by, comment)

    def unshelve(self, time_ns: int, by: str, comment: str = "") -> None:
        """End its shelving.

        Raises:
            OrderRefused: it is not shelved.
        """
        self.tick(time_ns)
        if not self.until_ns:
            raise OrderRefused("not_shelved", f"{self._name}: not shelved, its state is {self.state}")
        self._unshelve(time_ns, "unshelved", by, comment)

    def kept(self) -> dict[str, Any]:
        """What `restore` needs, for JSON; what has its first value is left out."""
        whole: dict[str, Any] = {
            "state": str(self._inner),
            "cause": self._cause,
            "count": self._count,
            "suppressed": self._suppressed,
            "until": self.until_ns,
            "raised": self.raised_ns,
            "last": self._last_ns,
            "condition": self._condition.state(),
        }
        kept = {key: one for key, one in whole.items() if one}
        if stands(kept):
            kept["reads"] = [list(ref) for ref in sorted(self.reads)]
        if self._unknown_ns is not None:
            kept["unknown"] = self._unknown_ns
        if self._pending_ns is not None:
            kept |= {"pending": self._pending_ns, "seen": self._seen_ns, "value": self._condition.value}
        return kept

    def restore(self, kept: dict[str, Any]) -> None:
        """Go on where `kept` was taken; its settings may be others since."""
        self._inner = State(kept["state"])
        self._cause = kept.get("cause", "")
        self._pending_ns = kept.get("pending")
        self._seen_ns = kept.get("seen", 0)
        self._count = kept.get("count", 0)
        self._unknown_ns = kept.get("unknown")
        self._suppressed = kept.get("suppressed", False) and self._only_while is not None
        self.until_ns = 0 if self.settings.safety else kept.get("until", 0)
        self.raised_ns = kept.get("raised", 0)
        self._last_ns = kept.get("last", 0)
        self._condition.restore(kept["condition"], kept.get("value"))

    @property
    def _name(self) -> str:
        return f"{self.settings.machine}/{self.settings.name}"

    def _judge(self, time_ns: int, *, counted: bool) -> None:
        """What the condition means now."""
        met = self._condition.met
        self._unknown_ns = None if met is not None else self._unknown_ns
        if met is None:
            self.tick(time_ns)  # an unknown value begins to count
        elif not met:
            self._count, self._pending_ns = 0, None
            if self.active:
                self._inner = gone(self._inner, latch=self.settings.latched, covered=self.state is not self._inner)
                self._tell(time_ns, "cleared")
        else:
            self._count = min(self._count + counted, self.settings.times)
            calm = not self.active or self._cause == "fault"
            if calm and self._pending_ns is None and self._count >= self.settings.times:
                self._pending_ns = time_ns
            if self._pending_ns is not None and time_ns - self._pending_ns >= self._delay_ns:
                self._raise(time_ns, "condition")  # at once, or now that it is known again

    def _due(self, by_ns: int) -> tuple[int, str] | None:
        """The first thing that is due by then, and when it was."""
        found = []
        if self.until_ns:
            found.append((self.until_ns, "shelving"))
        if self._pending_ns is not None and self._condition.met:
            found.append((self._pending_ns + self._delay_ns, "condition"))
        if self._unknown_ns is not None and not self.active:
            found.append((self._unknown_ns + int(FAULT_S * 1e9), "fault"))
        first = min(found, default=None)
        return first if first is not None and first[0] <= by_ns else None

    def _raise(self, time_ns: int, cause: str) -> None:
        if cause == "condition":
            self._pending_ns = None
        self._inner, self._cause, self.raised_ns = State.UNACK, cause, time_ns
        self._tell(time_ns, "raised")

    def _suppress(self, time_ns: int, *, suppressed: bool) -> None:
        if suppressed != self._suppressed:
            self._suppressed = suppressed
            self._tell(time_ns, "suppressed" if suppressed else "unsuppressed")

    def _unshelve(self, time_ns: int, event: str, by: str = "", comment: str = "") -> None:
        self.until_ns = 0
        self._tell(time_ns, event, by, comment)

    def _tell(self, time_ns: int, event: str, by: str = "", comment: str = "") -> None:
        self._last_ns = time_ns = max(time_ns, self._last_ns + 1)  # a point of its own
        covered = self.state is not self._inner and event in {"raised", "cleared"}
        if not covered:
            if event == "raised":
                self.raises.append(time_ns)
            measured = event == "cleared" or (event == "raised" and self._cause == "condition")
            value = self._condition.value if measured else None
            cause = self.cause if self.active else ""
            self._changes.append(
                Changed(time_ns, event, self.state, self.active, cause, value, by, comment, self.until_ns)
            )
