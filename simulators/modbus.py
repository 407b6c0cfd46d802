"""A Modbus TCP device: reads only, every request in the truth log with its arrival and departure.

Framing and exceptions after MODBUS Application Protocol V1.1b3 §7 and MODBUS Messaging on TCP/IP V1.0b §3.1. A server
of our own, because the truth needs the moment in which a response leaves, and the values that are in it.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Any, Final, cast

from simulators.device import Device, Signal
from simulators.following import Follower
from simulators.panel import Panel
from simulators.truth import TruthLog
from simulators.words import engineering, register_count, to_bytes

TABLE_OF: Final = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}
WRITE_CODES: Final = frozenset({5, 6, 15, 16, 21, 22, 23})
ILLEGAL_FUNCTION: Final = 1
ILLEGAL_ADDRESS: Final = 2
ILLEGAL_VALUE: Final = 3
NO_GATEWAY_TARGET: Final = 11
_MOST_BITS: Final = 2000
_BITS: Final = frozenset({1, 2})
_HEADER: Final = struct.Struct(">HHHB")
_READ: Final = struct.Struct(">BHH")
_LONGEST: Final = 254
"""Longest `length` field: unit id and a PDU of 253 bytes."""


class Image:
    """The registers of a device: which addresses exist, and what they hold now.

    Attributes:
        units: unit ids that exist.
    """

    def __init__(self, device: Device) -> None:
        self._areas = device.areas
        self.units = {unit for unit, *_ in device.areas}
        self._signals = device.signals
        self._most = {fc: _MOST_BITS if fc in _BITS else device.max_registers for fc in TABLE_OF}
        self._plans: dict[tuple[int, int, int, int], int | list[Signal]] = {}

    def _plan(self, unit: int, fc: int, address: int, count: int) -> int | list[Signal]:
        """The signals a request touches, or its exception code."""
        if unit not in self.units:
            return NO_GATEWAY_TARGET
        if fc not in TABLE_OF:
            return ILLEGAL_FUNCTION
        if not 1 <= count <= self._most[fc]:
            return ILLEGAL_VALUE
        table, end = TABLE_OF[fc], address + count
        exists = {a for u, t, first, last in self._areas if (u, t) == (unit, table) for a in range(first, last + 1)}
        if not exists.issuperset(range(address, end)):
            return ILLEGAL_ADDRESS
        return [
            s
            for s in self._signals
            if (s.unit, s.table) == (unit, table)
            and s.address < end
            and s.address + register_count(s.datatype) > address
        ]

    def answer(
        self, unit: int, fc: int, address: int, count: int, panel: Panel
    ) -> tuple[bytes, int, list[int], list[Any]]:
        """PDU of the response, exception code or 0, and the signals wholly covered: their ids and values as served."""
        key = (unit, fc, address, count)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = self._plan(*key)
        if isinstance(plan, int):
            return bytes((fc | 0x80, plan)), plan, [], []
        ids, shown = [], []
        bits, words = 0, bytearray(2 * (count + 8))
        for signal in plan:
            raw = panel.raw(signal)
            at = signal.address - address
            if fc in _BITS:
                bits |= int(raw) << at
            else:
                _put(words, at, to_bytes(raw, signal.datatype, signal.words))
            if at >= 0 and at + register_count(signal.datatype) <= count:
                ids.append(signal.id)
                shown.append(engineering(raw, signal.decimals))
        body = bits.to_bytes((count + 7) // 8, "little") if fc in _BITS else bytes(words[: 2 * count])
        return bytes((fc, len(body))) + body, 0, ids, shown


def _put(words: bytearray, at: int, data: bytes) -> None:
    """Write register bytes at a register offset that may begin before the buffer."""
    if at < 0:
        data, at = data[-2 * at :], 0
    words[2 * at : 2 * at + len(data)] = data


class Connection(asyncio.Protocol):
    """One client.

    Attributes:
        deaf: it was forgotten; the client does not know.
    """

    def __init__(self, server: ModbusServer) -> None:
        self._server = server
        self._buffer = b""
        self.deaf = False
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it."""
        self.transport = cast("asyncio.Transport", transport)
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        del exc
        self._server.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        if self.deaf:
            return
        arrived_ns = self._server.now_ns()
        self._buffer += data
        while len(self._buffer) > _HEADER.size:
            transaction, protocol, length, unit = _HEADER.unpack_from(self._buffer)
            if protocol != 0 or not 2 <= length <= _LONGEST:  # noqa: PLR2004 — unit id and function code
                self.abort()
                return
            if len(self._buffer) < 6 + length:
                return
            pdu, self._buffer = self._buffer[_HEADER.size : 6 + length], self._buffer[6 + length :]

            def reply(answer: bytes, later: int = 0, transaction: int = transaction, unit: int = unit) -> bool:
                if self.transport is None or self.transport.is_closing():
                    return False
                head = _HEADER.pack((transaction + later) % 2**16, 0, len(answer) + 1, unit)
                self.transport.write(head + answer)
                return True

            self._server.exchange(unit, pdu, arrived_ns, reply)

    def abort(self) -> None:
        """Reset the connection."""
        if self.transport is not None:
            self.transport.abort()


Reply = Callable[[bytes, int], bool]
"""Sends a PDU as the answer to a request, or to one that came so many transactions later; whether anybody is there."""


class ModbusServer(Follower):
    """One Modbus TCP device on 127.0.0.1."""

    def __init__(self, panel: Panel, truth: TruthLog, now_ns: Callable[[], int]) -> None:
        super().__init__(panel)
        self.image = Image(panel.device)
        self.truth = truth
        self.now_ns = now_ns
        self.connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._wrong = 0

    def endpoint(self) -> dict[str, Any]:
        """Where it listens."""
        return {"host": "127.0.0.1", "port": self.port}

    async def update(self, steps: int, time_ns: int) -> None:
        """Follow the panel; registers are read when they are asked for."""
        del steps, time_ns
        await self.follow()

    async def forget(self) -> None:
        """It remembers nothing."""

    def deafen(self) -> None:
        """Forget the connections that are open without telling their clients."""
        for connection in self.connections:
            connection.deaf = True

    def hang_up(self) -> None:
        """Reset the connections that were forgotten."""
        for connection in tuple(self.connections):
            if connection.deaf:
                connection.abort()

    def exchange(self, unit: int, pdu: bytes, arrived_ns: int, reply: Reply) -> None:
        """Answer one request by handing a PDU to `reply`, and write both down, unless a fault has it otherwise."""
        if self.panel.silent:
            return
        wrong = self.panel.exchange
        if wrong is None or not wrong.hits():
            self._answer(unit, pdu, arrived_ns, reply)
        elif wrong.kind == "exception":
            self._answer(unit, pdu, arrived_ns, reply, code=wrong.code)
        elif wrong.kind == "late":
            asyncio.get_running_loop().call_later(wrong.late_s, self._answer, unit, pdu, arrived_ns, reply)
        elif wrong.kind == "wrong":
            answer, *_ = self._served(unit, pdu)
            self._wrong += 1
            function, length = bytes((answer[0] ^ 7,)) + answer[1:], answer[:-2]
            reply((answer, function, length)[self._wrong % 3], 1 if self._wrong % 3 == 0 else 0)

    def _served(self, unit: int, pdu: bytes) -> tuple[bytes, int, list[int], list[Any], int, int]:
        """PDU of the answer, exception code or 0, ids and values of the signals wholly covered, address and count."""
        fc = pdu[0]
        if fc in TABLE_OF and len(pdu) == _READ.size:
            _, address, count = _READ.unpack(pdu)
            return *self.image.answer(unit, fc, address, count, self.panel), address, count
        code = ILLEGAL_VALUE if fc in TABLE_OF else ILLEGAL_FUNCTION
        return bytes((fc | 0x80, code)), code, [], [], -1, 0

    def _answer(self, unit: int, pdu: bytes, arrived_ns: int, reply: Reply, code: int = 0) -> None:
        answer, status, ids, shown, address, count = self._served(unit, pdu)
        if pdu[0] in WRITE_CODES:
            self.truth.write("write", device=self.name, unit=unit, fc=pdu[0], time=arrived_ns)
        if code:
            answer, status, ids, shown = bytes((pdu[0] | 0x80, code)), code, [], []
        if not reply(answer, 0):  # nobody waits for it any more: it answers nothing
            return
        left_ns = self.now_ns()
        self.panel.asked = True
        self.truth.write(
            "poll",
            device=self.name,
            unit=unit,
            fc=pdu[0],
            address=address,
            count=count,
            t0=arrived_ns,
            t1=left_ns,
            ids=ids,
            values=shown,
            status=status,
        )

    async def start(self, port: int = 0) -> None:
        """Listen; port 0 takes a free one, and a later start takes the same again."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), "127.0.0.1", port or self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in tuple(self.connections):
            connection.abort()

    async def end(self) -> None:
        """Close for good."""
        await self.stop()
