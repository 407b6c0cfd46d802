"""From changes of alarms to what happened: when one came, who took note, when it went. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from viewer.kpi.words import Text
from viewer.reports.subject import AlarmEvent

MINUTE_NS = 60 * 10**9


@dataclass(frozen=True, slots=True)
class Episode:
    """One alarm from when it came on.

    Attributes:
        raised: how it came.
        noted_ns: when a person took note of it, ns since 1970 UTC; None = nobody did in the period.
        cleared_ns: when its condition was over; None = it was not in the period.
        comment: of the person.
    """

    raised: AlarmEvent
    noted_ns: int | None = None
    cleared_ns: int | None = None
    comment: str = ""

    @property
    def response_min(self) -> float | None:
        """Time until a person took note, minutes."""
        return None if self.noted_ns is None else (self.noted_ns - self.raised.time_ns) / MINUTE_NS

    @property
    def lasted_min(self) -> float | None:
        """Time until its condition was over, minutes."""
        return None if self.cleared_ns is None else (self.cleared_ns - self.raised.time_ns) / MINUTE_NS


def episodes(events: Iterable[AlarmEvent]) -> list[Episode]:
    """Alarms that came in the period, oldest first.

    Of an alarm that comes again before anybody took note, taking note is of both.
    """
    found: list[Episode] = []
    open_: dict[tuple[Text, str], list[int]] = {}
    for one in sorted(events, key=lambda event: event.time_ns):
        key = (one.machine, one.name)
        waiting = open_.setdefault(key, [])
        match one.event:
            case "raised":
                waiting.append(len(found))
                found.append(Episode(one))
            case "acknowledged":
                for place in waiting:
                    if found[place].noted_ns is None:
                        found[place] = replace(found[place], noted_ns=one.time_ns, comment=one.comment)
            case "cleared" | "removed":
                for place in waiting:
                    if found[place].cleared_ns is None:
                        found[place] = replace(found[place], cleared_ns=one.time_ns)
            case _:
                continue
        open_[key] = [at for at in waiting if found[at].noted_ns is None or found[at].cleared_ns is None]
    return found


@dataclass(frozen=True, slots=True)
class Responses:
    """How soon people took note of alarms.

    Attributes:
        count: alarms that came.
        noted: how many of them somebody took note of.
        mean_min: mean time until then, minutes; None = of none.
        longest_min: the longest, minutes; None = of none.
    """

    count: int
    noted: int
    mean_min: float | None
    longest_min: float | None


def responses(found: Sequence[Episode]) -> Responses:
    """How soon people took note of these."""
    times = [one.response_min for one in found if one.response_min is not None]
    mean_min = sum(times) / len(times) if times else None
    return Responses(len(found), len(times), mean_min, max(times, default=None))
