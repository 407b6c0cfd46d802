"""One request at a time on a line that is opened again when it breaks; reads only."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from connectors.modbus.lines.open import open_wire
from connectors.modbus.plan import Request
from connectors.modbus.room import Room
from connectors.modbus.wire import question
from connectors.ticker import pause
from pipelines.errors import LinkClosed, LinkTimeout
from pipelines.stats import LinkStats

if TYPE_CHECKING:
    from connectors.modbus.config import ModbusConnection
    from connectors.modbus.tag import Table
    from connectors.modbus.wire import Reply, Wire
    from pipelines.clock import Clock


@dataclass(slots=True)
class Line:
    """A way to ask a device.

    Attributes:
        settings: how to reach it.
        clock: wall and monotonic time.
        pause_s: silence before each request, seconds.
        requests: sent so far.
        exceptions: how often each exception code came.
        silent: requests without a usable answer.
    """

    settings: ModbusConnection
    clock: Clock
    pause_s: float
    requests: int = 0
    exceptions: Counter[int] = field(default_factory=Counter)
    silent: int = 0
    _wire: Wire | None = None
    _stats: LinkStats = field(default_factory=LinkStats)

    async def open(self) -> None:
        """Connect, when it is not.

        Raises:
            LinkError: it cannot be reached.
        """
        if self._wire is None or self._wire.why:
            self._wire = await open_wire(self.settings, self.clock, self._stats, self.settings.where(), self._wire)

    async def ask(self, unit: int, table: Table, address: int, count: int) -> Reply | None:
        """Read some addresses, no more and no fewer; None when no usable answer came in time.

        Raises:
            LinkError: the line broke and cannot be opened again.
        """
        await pause(self.pause_s)
        await self.open()
        assert self._wire is not None
        self.requests += 1
        request = Request(unit, table, 1.0, address, count, ())
        exactly = Room(count, address, address + count)
        try:
            reply = await self._wire.ask(question(request, self.settings.where(), exactly))
        except (LinkTimeout, LinkClosed):
            self.silent += 1
            if self._wire.why:
                await self.close()
            return None
        if reply.exception:
            self.exceptions[reply.exception] += 1
        return reply

    async def close(self) -> None:
        """Hang up; the line can be opened again."""
        if self._wire is not None:
            self._wire.close()
            await self._wire.closed()
