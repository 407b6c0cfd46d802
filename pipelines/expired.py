"""Points that are older than the store keeps, told as a gap point of whoever sent them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pipelines.clock import Clock
from pipelines.delivery.refusals import Expired
from pipelines.encode.line import line
from pipelines.flow import Flow
from pipelines.lines import Lines
from pipelines.place import Place

_YOUNG_NS: Final = 30 * 60 * 10**9
"""Less than the shortest retention of InfluxDB, which is an hour."""


def expiry_gaps(flow: Flow, place: Place, clock: Clock) -> Callable[[Expired, Callable[[], None]], None]:
    """Tells points that are too old as a gap point of the agent.

    It stands at the time of the refusal, with the points' times as `first` and `last`: at theirs the store would refuse
    it too. Words of the agent itself are no points; and what is refused at an age that every store keeps says that the
    agent's clock is off: the gap would only be the next point to be refused.
    """

    def tell(expired: Expired, told: Callable[[], None]) -> None:
        now_ns = clock.now_ns()
        if not expired.points or now_ns - expired.last_ns < _YOUNG_NS:
            told()
            return
        fields: dict[str, object] = {"filled": False, "end": now_ns, "count": expired.points}
        fields |= {"first": expired.first_ns, "last": expired.last_ns}
        body = line(place.series("gap", (("tag", "*"), ("cause", "expired"))), fields, now_ns)
        flow.put(Lines(body, 1, (now_ns, now_ns), {}), told)

    return tell
