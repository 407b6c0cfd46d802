"""One request at a time on a line that is opened again when it breaks; reads only."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from connectors.modbus.config import BIT_TABLES
from connectors.modbus.plan import Request
from connectors.modbus.wire import Wire, connect, question
from connectors.ticker import pause
from pipelines.errors import LinkClosed, LinkError, LinkTimeout
from pipelines.stats import LinkStats

if TYPE_CHECKING:
    from connectors.modbus.config import ModbusConnection, Table
    from connectors.modbus.wire import Reply
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
        """Connect.

        Raises:
            LinkError: it cannot be reached.
        """
        self._wire = Wire(self.clock, self._stats, self.settings.timeout_s)
        where = self.settings.where()
        await connect(self.settings.host, self.settings.port, where, self._wire, self.settings.timeout_s)

    async def ask(self, unit: int, table: Table, address: int, count: int) -> Reply | None:
        """Read some addresses; None when no usable answer came in time.

        Raises:
            LinkError: the line broke and cannot be opened again.
        """
        await pause(self.pause_s, self.clock)
        if self._wire is None:
            await self.open()
        assert self._wire is not None
        self.requests += 1
        size = (count + 7) // 8 if table in BIT_TABLES else 2 * count
        request = Request(unit, table, 1.0, address, count, ())
        try:
            reply = await self._wire.ask(question(request, size, self.settings.where()))
        except (LinkTimeout, LinkClosed):
            self.silent += 1
            await self.close()
            return None
        if reply.exception:
            self.exceptions[reply.exception] += 1
        return reply

    async def close(self) -> None:
        """Hang up."""
        if self._wire is not None:
            self._wire.close()
            await self._wire.closed()
        self._wire = None


__all__ = ["Line", "LinkError"]
