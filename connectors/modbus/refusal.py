"""Requests that the device refuses: halved until the refused tag stands alone, whole again when it is granted. Pure.

One refused tag among n costs at most 2·log2(n) requests more in the tick that finds it, none of its neighbours is left
out of that tick, and from the next tick on at most one request more than planned. The refused tag is asked again after
10 periods, then after twice as long each time, at most every 10 minutes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.modbus.isolate import Poll, poll_of
from connectors.modbus.plan import join, split

if TYPE_CHECKING:
    from connectors.modbus.config import ModbusConnection
    from pipelines.stats import LinkStats


class Refusals:
    """Keeps the polls of a connection in the parts that the device grants.

    Args:
        connection: its settings.
        cycles: polls by period; changed in place.
        stats: its `refused` tells which tags the device refuses now.

    Attributes:
        dropped: polls that are asked no more; whoever keeps something of a poll forgets it and empties this.
    """

    def __init__(self, connection: ModbusConnection, cycles: dict[float, list[Poll]], stats: LinkStats) -> None:
        self._connection = connection
        self._cycles = cycles
        self._stats = stats
        self._apart: dict[Poll, bool] = {}
        """Planned polls that are in parts; whether their granted parts were joined already."""
        self.dropped: list[Poll] = []

    def halve(self, poll: Poll) -> tuple[Poll, ...]:
        """What is asked instead of a refused request of several tags."""
        halves = tuple(poll_of(self._connection, half, poll) for half in split(self._connection, poll.request))
        self._replace(poll, *halves)
        self._apart.setdefault(poll.root, False)
        return halves

    def refused(self, poll: Poll, status: int, now_s: float) -> None:
        """What is left of a request is refused with `status`; at `now_s` (monotonic seconds)."""
        if not poll.refusal.wait_s and poll.root in self._apart:
            self._apart[poll.root] = False
        poll.refusal.failed(now_s)
        self._stats.refused.update(dict.fromkeys(poll.request.tags, status))

    def granted(self, poll: Poll) -> None:
        """A request that was refused before is granted: go back to the planned one."""
        for tag in poll.request.tags:
            self._stats.refused.pop(tag, None)
        poll.refusal.worked()
        root = poll.root
        if root is poll:
            return
        cycle = self._cycles[poll.request.period_s]
        parts = [part for part in cycle if part.root is root]
        root.replied(max(part.known_ns for part in parts))
        self._replace(parts[0], root)
        for part in parts[1:]:
            self._replace(part)
        self._apart.pop(root, None)
        for tag in root.request.tags:
            self._stats.refused.pop(tag, None)

    def settle(self) -> None:
        """After a tick: what was torn apart in search of a refused tag is joined again around it, once."""
        for root, joined in self._apart.items():
            if not joined:
                self._apart[root] = True
                self._join([part for part in self._cycles[root.request.period_s] if part.root is root])

    def _join(self, parts: list[Poll]) -> None:
        culprits = [part for part in parts if part.refusal.wait_s]
        if not culprits:
            return  # too much at once, or a hole between two tags: nothing to go around
        whole = [part for part in parts if not part.refusal.wait_s]
        requests = join(self._connection, [one.request for one in whole], [one.request for one in culprits])
        for request in requests:
            mine = [part for part in whole if set(part.request.tags) <= set(request.tags)]
            if len(mine) > 1:
                poll = poll_of(self._connection, request, mine[0])
                poll.known_ns = max(part.known_ns for part in mine)
                self._replace(mine[0], poll)
                for part in mine[1:]:
                    self._replace(part)

    def _replace(self, poll: Poll, *by: Poll) -> None:
        cycle = self._cycles[poll.request.period_s]
        at = cycle.index(poll)
        cycle[at : at + 1] = by
        self.dropped.append(poll)
