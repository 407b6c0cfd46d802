"""Watches the machine's clock for one agent: jumps become points, what is wrong is told, what is known is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import structlog

from pipelines.clock import Clock, SystemClock
from pipelines.delivery.later import Later
from pipelines.encode.line import line
from pipelines.lines import Lines
from pipelines.watched import Jump, WatchedClock

if TYPE_CHECKING:
    from agent.reading import Reading
    from pipelines.flow import Flow
    from pipelines.place import Place

log = structlog.get_logger()
STATE_KEY: Final = "clock"
"""Where the newest known time stands in the journal's resume state."""
TRUST_FILE: Final = "trust-clock"
"""A file of this name in the state folder is a person's word that the clock is right; it is taken away when heard."""
_LOOK_S: Final = 1.0


class Timekeeper:
    """The clock of one agent.

    Args:
        clock: the machine's; a simulation's is left as it is, since it is made up anyway.
        state: resume state of the journal.
        state_dir: the agent's state folder.

    Attributes:
        clock: what everything else takes its time from.
        watched: the same, where it is watched.
        readings: gives the connections whose clocks are compared with it.
        later: records stamped while it was ahead.
    """

    def __init__(self, clock: Clock, state: Mapping[str, bytes], state_dir: Path) -> None:
        self.watched = WatchedClock(state.get(STATE_KEY), clock) if isinstance(clock, SystemClock) else None
        self.clock: Clock = self.watched or clock
        self.readings: Callable[[], Sequence[Reading]] = tuple
        self.later = Later(self._known_ns, self._allowance_s)
        self._trust = state_dir / TRUST_FILE
        self._said: bool | None = True

    def state(self) -> dict[str, bytes]:
        """What goes into every record."""
        return {STATE_KEY: self.watched.state()} if self.watched else {}

    def shift_ns(self) -> int:
        """By how much the clock was set since the start, all together, ns."""
        return self.watched.shift_ns if self.watched else 0

    async def run(self, flow: Flow, place: Place) -> NoReturn:
        """Look every second and tell what was seen; ends by cancellation."""
        while True:
            self.tell(flow.put, place)
            await asyncio.sleep(_LOOK_S)

    def tell(self, put: Callable[[Lines], None], place: Place) -> None:
        """Look at the clock, and make a point of each jump that nobody was told of; once more at the end."""
        clock = self.watched
        if clock is None:
            return
        if self._trust.exists():
            log.warning("clock_trusted" if clock.trust() else "clock_cannot_be_trusted", machine=_utc(clock.machine_ns))
            self._trust.unlink(missing_ok=True)
        clock.look()
        if clock.synced is not self._said:
            self._said = clock.synced
            log.info("clock_sync", synced=clock.synced)
        while clock.untold:
            jump = clock.untold.popleft()
            for one in self.readings():
                one.skew.forget()
            put(_point(place, jump))
            log.warning(
                "clock_jumped",
                jump_s=round(jump.jump_s, 3),
                before=_utc(jump.before_ns),
                after=_utc(jump.after_ns),
                cause=jump.cause,
                believed=jump.believed,
                synced=jump.synced,
            )

    def troubles(self) -> list[str]:
        """What is not well now, in words."""
        clock = self.watched
        if clock is None or clock.believed:
            return []
        says, least = _utc(clock.machine_ns), _utc(clock.now_ns())
        text = f"time_unsynced: this machine's clock says {says}, but it is {least} at least; times are estimated and"
        return [f"{text} Uncertain: set the clock, best by NTP, or if it is right: touch {self._trust}"]

    def status(self) -> dict[str, Any]:
        """What `agent status` shows of it."""
        clock = self.watched
        if clock is None:
            quiet = {"watched": False, "time_unsynced": False, "believed": True, "synced": None, "jumps": 0}
            return {**quiet, "now_ns": self.clock.now_ns()}
        last = clock.last
        return {
            "watched": True,
            "time_unsynced": self.unsynced,
            "believed": clock.believed,
            "synced": clock.synced,
            "now_ns": clock.now_ns(),
            "machine_ns": clock.machine_ns,
            "jumps": clock.count,
            "last_jump_s": last.jump_s if last else None,
            "last_jump_ns": last.time_ns if last else None,
        }

    @property
    def unsynced(self) -> bool:
        """Whether nobody vouches for the clock: the kernel says that it is not synchronised, or it cannot be right."""
        return self.watched is not None and (self.watched.synced is False or not self.watched.believed)

    def _known_ns(self) -> int | None:
        return self.watched.now_ns() if self.watched and self.watched.believed else None

    def _allowance_s(self) -> float:
        return max((one.skew.seconds or 0.0 for one in self.readings()), default=0.0)


def _point(place: Place, jump: Jump) -> Lines:
    fields: dict[str, object] = {
        "before": jump.before_ns,
        "after": jump.after_ns,
        "jump_s": jump.jump_s,
        "believed": jump.believed,
        "cause": jump.cause,
    }
    if jump.synced is not None:
        fields["synced"] = jump.synced
    body = line(place.series("clock"), fields, jump.time_ns)
    return Lines(body, 1, (jump.time_ns, jump.time_ns), {})


def _utc(time_ns: int) -> str:
    return f"{datetime.fromtimestamp(time_ns // 10**9, UTC):%Y-%m-%d %H:%M:%S} UTC"
