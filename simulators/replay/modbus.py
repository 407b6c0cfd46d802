"""A recorded Modbus device: answers any request with what the recording has at that time."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Any, Final

from simulators.device import Signal
from simulators.modbus import ILLEGAL_VALUE, TABLE_OF, Image, ModbusServer, Reply
from simulators.panel import Panel
from simulators.replay.contents import Connection
from simulators.replay.outage import Outages
from simulators.replay.registers import Registers
from simulators.replay.seen import Seen, meaning
from simulators.replay.tape import Tape
from simulators.truth import TruthLog

_BIT_CODES: Final = frozenset({1, 2})
_MOST_BITS: Final = 2000
_MOST_REGISTERS: Final = 125


class TapeImage(Image):
    """Registers out of a recording instead of variables."""

    def __init__(self, panel: Panel, registers: Registers, seen: Iterable[Seen]) -> None:
        super().__init__(panel.device)
        self._registers = registers
        self._seen = tuple(seen)
        self._covered: dict[tuple[int, int, int, int], list[Seen]] = {}

    def answer(
        self, unit: int, fc: int, address: int, count: int, panel: Panel
    ) -> tuple[bytes, int, list[int], list[Any]]:
        """See `Image.answer`; a value that its registers cannot mean is {"status": code}."""
        del panel
        most = _MOST_BITS if fc in _BIT_CODES else _MOST_REGISTERS
        said = self._registers.answer(unit, fc, address, count) if 1 <= count <= most else ILLEGAL_VALUE
        if isinstance(said, int):
            return bytes((fc | 0x80, said)), said, [], []
        words = dict(enumerate(said, address))
        covered = self._covers(unit, fc, address, count)
        if fc in _BIT_CODES:
            bits = sum(bit << at for at, bit in enumerate(said))
            body = bits.to_bytes((count + 7) // 8, "little")
        else:
            body = struct.pack(f">{count}H", *said)
        ids, values = [one.id for one in covered], [meaning(one, words) for one in covered]
        return bytes((fc, len(body))) + body, 0, ids, values

    def _covers(self, unit: int, fc: int, address: int, count: int) -> list[Seen]:
        """The signals that lie wholly in a request."""
        key = (unit, fc, address, count)
        if key not in self._covered:
            self._covered[key] = [
                one
                for one in self._seen
                if (one.unit, one.table) == (unit, TABLE_OF[fc])
                and address <= _first(one)
                and _end(one) <= address + count
            ]
        return self._covered[key]


def _first(one: Seen) -> int:
    return one.address if one.decimals_from < 0 else min(one.address, one.decimals_from)


def _end(one: Seen) -> int:
    return max(one.address + one.registers, one.decimals_from + 1)


class ReplayedModbus(ModbusServer):
    """One recorded Modbus device on 127.0.0.1, over TCP whatever it was."""

    def __init__(
        self,
        panel: Panel,
        truth: TruthLog,
        now_ns: Callable[[], int],
        tape: Tape,
        recorded: Connection,
        seen: Iterable[Signal],
    ) -> None:
        super().__init__(panel, truth, now_ns)
        self._tape = tape
        self._registers = Registers(recorded.addresses, recorded.units)
        self.image = TapeImage(panel, self._registers, [one for one in seen if isinstance(one, Seen)])
        self._outages = Outages(panel, truth, now_ns)

    def take(self, line: dict[str, Any], shift_ns: int) -> None:
        """A line of the recording whose time has come."""
        del shift_ns
        if line["k"] == "modbus":
            self._registers.take(line)
        elif line["k"] == "link":
            self._outages.link(line["event"])

    def heal(self) -> None:
        """Everything can be read from now on."""
        self._registers.heal()
        self._outages.end_all()

    async def update(self, steps: int, time_ns: int) -> None:
        """Follow the recording and the panel."""
        del steps, time_ns
        self._run_tape()
        await self.follow()

    def exchange(self, unit: int, pdu: bytes, arrived_ns: int, reply: Reply) -> None:
        """Answer one request, unless the recording has no answer to it at this time."""
        self._run_tape()
        silence = self._registers.silence(unit)
        if not silence:
            self._outages.end(f"silent unit {unit}")
            super().exchange(unit, pdu, arrived_ns, reply)
            return
        self._outages.begin(f"silent unit {unit}")
        if silence == "closed":
            for connection in tuple(self.connections):
                connection.abort()

    def _run_tape(self) -> None:
        if self.connections:
            self._tape.begin(self.now_ns())
        self._tape.advance(self.now_ns())
