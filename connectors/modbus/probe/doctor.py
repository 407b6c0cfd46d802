"""The doctor at work: one request at a time, function codes 1-4 only, and it stops when its time is up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, get_args

import numpy as np

from connectors.modbus.address import settings_of
from connectors.modbus.endpoint import NUMBERED
from connectors.modbus.probe.diagnosis import Diagnosis, diagnose
from connectors.modbus.probe.found import TableFound, UnitFound, alike
from connectors.modbus.probe.line import Line
from connectors.modbus.probe.profiles import areas
from connectors.modbus.probe.proposal import proposal
from connectors.modbus.probe.report import as_json, as_lines
from connectors.modbus.probe.scope import LAST_UNIT, LIKELY, LIKELY_UNITS, Scope, areas_of, units_of
from connectors.modbus.probe.search import GRAIN, Area, Search
from connectors.modbus.profile import ProfileName, load_profile
from connectors.modbus.tag import BIT_TABLES
from connectors.ticker import pause

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from connectors.base import ProbeOptions
    from connectors.modbus.tag import Table
    from pipelines.clock import Clock

_BLOCK: Final = 32
_BLOCK_BITS: Final = 64
_SEARCH_SHARE: Final = 0.7
"""Part of the budget for finding ranges; the rest is for reading them again."""
_BETWEEN_S: Final = 0.5
"""Time between two passes, so that something may change."""
_NO_TABLE: Final = 1
_NOBODY: Final = frozenset({0x0A, 0x0B})
_TWIN_COUNT: Final = 16
_FIRST: Final[tuple[Table, ...]] = ("holding", "input", "coil", "discrete")


class Doctor:
    """Finds out what a Modbus device has.

    Args:
        endpoint: `modbus://host:port` and what else `endpoint.settings_of` takes.
        options: units, ranges and limits as written on the command line.
        clock: wall and monotonic time.

    Raises:
        ConfigError: endpoint or options mean nothing.
    """

    def __init__(self, endpoint: str, options: ProbeOptions, clock: Clock) -> None:
        self.settings = settings_of(endpoint, timeout_s=options.timeout_s)
        self._profiles = {name: load_profile(name) for name in get_args(ProfileName)}
        self.scope = Scope(
            units_of(options.units) if options.units else self._likely(),
            areas_of(options.ranges) if options.ranges else (*LIKELY, *areas(self._profiles, LIKELY)),
            asked=bool(options.ranges),
            any_unit=not options.units,
            pause_s=options.pause_s,
            budget_s=options.budget_s,
            reads=options.reads,
        )
        self.found: list[UnitFound] = []
        self._asked: list[int] = []
        self._bare: list[int] = []
        self._clock = clock
        self._line = Line(self.settings, clock, self.scope.pause_s)
        self._end_s = 0.0
        self._partial = ""

    async def probe(self) -> AsyncIterator[str]:
        """Look; yields a line of progress now and then. What was found so far can be asked for at any time.

        Raises:
            LinkError: the device cannot be reached, or not again.
        """
        start_s = self._clock.monotonic_s()
        self._end_s = start_s + self.scope.budget_s * _SEARCH_SHARE
        await self._line.open()
        try:
            for unit in self.scope.units:
                if self._spent(f"units from {unit} on were not asked"):
                    break
                async for line in self._unit(unit):
                    yield line
            self._end_s = start_s + self.scope.budget_s
            for number in range(1, self.scope.reads):
                if self._spent(f"{number} of {self.scope.reads} reads were made"):
                    break
                yield f"reading again, {number + 1} of {self.scope.reads}"
                await pause(_BETWEEN_S)
                await self._again()
        finally:
            await self._line.close()

    def diagnosis(self) -> Diagnosis:
        """What is made of it so far."""
        known = {one.unit for one in self.found} | set(self._bare)
        silent = [unit for unit in self._asked if unit not in known]
        out = diagnose(self.found, silent, self._partial, self._profiles)
        if self._bare:
            units = ", ".join(map(str, self._bare))
            out.remarks.append(
                f"unit {units} answers, but refuses the likely addresses; ask with --units if it is there"
            )
        return out

    def result(self) -> dict[str, Any]:
        """Everything found, for JSON."""
        return as_json(self.settings, self.diagnosis(), self._line)

    def lines(self) -> Iterator[str]:
        """Everything found, for people."""
        return as_lines(self.settings, self.diagnosis(), self._line)

    def proposal(self) -> str:
        """A complete configuration file with what was found; empty when there is nothing to read."""
        return proposal(self.settings, self.diagnosis())

    def _likely(self) -> tuple[int, ...]:
        serial = self.settings.transport not in NUMBERED
        return tuple(unit for unit in LIKELY_UNITS if not serial or 1 <= unit <= LAST_UNIT)

    def _spent(self, what: str) -> bool:
        if self._clock.monotonic_s() < self._end_s:
            return False
        self._partial = self._partial or f"the time was up: {what}; say --budget for more"
        return True

    async def _unit(self, unit: int) -> AsyncIterator[str]:
        self._asked.append(unit)
        if not await self._present(unit):
            yield f"unit {unit}: no answer"
            return
        if self.scope.any_unit and self.found and not await self._begins(unit):
            self._bare.append(unit)
            yield f"unit {unit}: answers, but refuses what it is asked"
            return
        found = UnitFound(unit)
        found.twin = await self._twin(unit)
        self.found.append(found)
        if found.twin is not None:
            yield f"unit {unit}: the same as unit {found.twin}"
            return
        for name in _FIRST:
            areas = [one for one in self.scope.areas if one.table == name]
            if areas:
                found.tables[name] = await self._table(unit, name, areas)
                count = len(found.tables[name].reads[0])
                yield f"unit {unit}: {count} addresses in {name}, {self._line.requests} requests so far"

    async def _present(self, unit: int) -> bool:
        for name in ("holding", "input"):
            first = next((one.first for one in self.scope.areas if one.table == name), 0)
            reply = await self._line.ask(unit, name, first, 2)
            if reply is not None:
                return reply.exception not in _NOBODY
        return False

    async def _begins(self, unit: int) -> bool:
        """Whether a unit that nobody named has anything at the beginning of a table."""
        firsts = {one.table: one.first for one in reversed(self.scope.areas)}
        reads = [await self._read(unit, table, first, 2) for table, first in firsts.items()]
        return any(isinstance(read, dict) for read in reads)

    async def _twin(self, unit: int) -> int | None:
        """The unit that this one seems to be, as behind a server that does not look at unit ids."""
        for other in self.found:
            for table in other.tables.values():
                if other.twin is None and table.table not in BIT_TABLES and any(table.reads[0].values()):
                    first, last = next(one for one in table.ranges() if any(table.words(*one)[0]))
                    read = await self._read(unit, table.table, first, min(_TWIN_COUNT, last - first + 1))
                    if isinstance(read, dict) and alike(read, table.reads[0]):
                        return other.unit
                    break
        return None

    async def _table(self, unit: int, name: str, areas: list[Area]) -> TableFound:
        size = _BLOCK_BITS if name in BIT_TABLES else _BLOCK
        search = Search(areas, size, 1 if self.scope.asked else GRAIN)
        found = TableFound(name)
        silent = 0
        while (next_block := search.next()) is not None:
            if self._spent(f"unit {unit}, table {name} from {next_block[0]} on was not looked at"):
                search.stop()
                break
            read = await self._read(unit, name, *next_block)
            if isinstance(read, dict):
                found.reads[0].update(read)
                found.block = max(found.block, len(read))
                search.granted()
                silent = 0
                continue
            search.refused()
            silent += read is None
            if read == _NO_TABLE or silent > 1:  # the device has no such function, or is silent on what it lacks
                found.refusal = read or 0
                search.stop()
        found.limited = search.block < size
        return found

    async def _read(self, unit: int, name: str, first: int, count: int) -> dict[int, int] | int | None:
        """Values by address, an exception code, or None for silence."""
        reply = await self._line.ask(unit, name, first, count)  # type: ignore[arg-type]  # a table
        if reply is None or reply.exception:
            return None if reply is None else reply.exception
        raw = np.frombuffer(reply.data, np.uint8)
        values = np.unpackbits(raw, bitorder="little")[:count] if name in BIT_TABLES else raw.view(">u2")
        return dict(zip(range(first, first + count), values.tolist(), strict=True))

    async def _again(self) -> None:
        """One more pass over everything readable."""
        for found in self.found:
            for table in found.tables.values():
                again: dict[int, int] = {}
                for first, last in table.ranges():
                    for at in range(first, last + 1, table.block):
                        if self._spent("not everything was read again"):
                            return
                        read = await self._read(found.unit, table.table, at, min(table.block, last + 1 - at))
                        again.update(read if isinstance(read, dict) else {})
                table.reads.append(again)
