"""A Modbus server of our own making, with switches for everything a device does wrong; TCP, TLS or RTU over TCP."""

from __future__ import annotations

import asyncio
import socketserver
import struct
import threading
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from pymodbus.framer import FramerRTU

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    Lie = Callable[["Device", int, bytes, bytes], list[bytes | float]]


def value_of(unit: int, function: int, address: int) -> int:
    """What an untouched address holds: tells unit, table and address apart."""
    return (unit * 7919 + function * 104729 + address * 31) & 0xFFFF


def rtu(unit: int, pdu: bytes) -> bytes:
    """A frame of a serial line, by pymodbus."""
    frame = bytes((unit,)) + pdu
    return frame + FramerRTU.compute_CRC(frame).to_bytes(2, "big")


@dataclass
class Device:
    """Serves `value_of` everywhere; see the attributes for exceptions.

    Attributes:
        lie: turns (device, transaction, request, good reply) into the pieces to send; a float waits that many seconds.
        refused: (unit, function, address) that answer exception `refused_code`.
        exceptions: (unit) -> exception code for everything.
        mute: units that never answer.
        requests: every PDU seen, with its unit.
        rtu: frames of a serial line instead of those of TCP.
        tls: how TLS is spoken; None: it is not.
    """

    lie: Lie | None = None
    refused: set[tuple[int, int, int]] = field(default_factory=set)
    refused_code: int = 2
    exceptions: dict[int, int] = field(default_factory=dict)
    mute: set[int] = field(default_factory=set)
    delay_s: float = 0.0
    hang_up: bool = False
    requests: list[tuple[int, bytes]] = field(default_factory=list)
    opened: int = 0
    closed: int = 0
    functions: Counter[int] = field(default_factory=Counter)
    port: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    registers: dict[tuple[int, int, int], int] = field(default_factory=dict)
    rtu: bool = False
    tls: ssl.SSLContext | None = None

    async def __aenter__(self) -> Self:
        self._writers: set[asyncio.StreamWriter] = set()
        self._stopped = asyncio.Event()
        self._server = await asyncio.start_server(self.serve, "127.0.0.1", self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        self._stopped.set()
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await self._server.wait_closed()
        await self.until(lambda: self.opened == self.closed)

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(30), self.changed:
            await self.changed.wait_for(true)

    async def _note(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self.opened += 1
        try:
            while True:
                transaction, unit, head, pdu = await self._request(reader)
                self.requests.append((unit, pdu))
                self.functions[pdu[0]] += 1
                await self._note()
                if self.hang_up:
                    break
                if unit in self.mute:
                    continue
                if self.delay_s:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._stopped.wait(), self.delay_s)
                good = self.framed(transaction, unit, self.answer(unit, pdu))
                pieces = self.lie(self, transaction, head + pdu, good) if self.lie else [good]
                for piece in pieces:
                    if isinstance(piece, float):
                        await asyncio.sleep(piece)
                    else:
                        writer.write(piece)
                        await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            self._writers.discard(writer)
            self.closed += 1
            await self._note()

    async def _request(self, reader: asyncio.StreamReader) -> tuple[int, int, bytes, bytes]:
        """Transaction, unit, what stood before the PDU, PDU."""
        if self.rtu:
            data = await reader.readexactly(8)
            assert FramerRTU.compute_CRC(data[:6]).to_bytes(2, "big") == data[6:]
            return 0, data[0], data[:1], data[1:6]
        head = await reader.readexactly(7)
        transaction, protocol, length, unit = struct.unpack(">HHHB", head)
        assert protocol == 0
        return transaction, unit, head, await reader.readexactly(length - 1)

    def framed(self, transaction: int, unit: int, pdu: bytes) -> bytes:
        return rtu(unit, pdu) if self.rtu else self.frame(transaction, unit, pdu)

    @staticmethod
    def frame(transaction: int, unit: int, pdu: bytes, protocol: int = 0) -> bytes:
        return struct.pack(">HHHB", transaction, protocol, len(pdu) + 1, unit) + pdu

    def value(self, unit: int, function: int, address: int) -> int:
        return self.registers.get((unit, function, address), value_of(unit, function, address))

    def answer(self, unit: int, pdu: bytes) -> bytes:
        function, address, count = struct.unpack(">BHH", pdu)
        asked = range(address, address + count)
        if unit in self.exceptions:
            return bytes((function | 0x80, self.exceptions[unit]))
        if any((unit, function, item) in self.refused for item in asked):
            return bytes((function | 0x80, self.refused_code))
        if function in {1, 2}:
            bits = sum((self.value(unit, function, item) & 1) << i for i, item in enumerate(asked))
            data = bits.to_bytes((count + 7) // 8, "little")
        else:
            data = b"".join(struct.pack(">H", self.value(unit, function, item)) for item in asked)
        return bytes((function, len(data))) + data


@contextmanager
def far_device(value: int) -> Iterator[int]:
    """A device that answers whatever this process's loop does: one register everywhere. Yields its port."""

    class Far(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while len(request := self.rfile.read(12)) == 12:
                transaction, _, _, unit, function = struct.unpack_from(">HHHBB", request)
                self.wfile.write(struct.pack(">HHHBBBH", transaction, 0, 5, unit, function, 2, value))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Far) as server:
        server.daemon_threads = True
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            serving.join()
