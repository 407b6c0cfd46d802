"""The device of `device.py` on a serial port and over UDP."""

from __future__ import annotations

import asyncio
import os
import tty
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from .device import Device

if TYPE_CHECKING:
    from tests.services.serial_line import Line


class SerialDevice(Device):
    """RTU on the far end of a line."""

    def __init__(self, line: Line, **more: Any) -> None:
        super().__init__(rtu=True, **more)
        self.line = line

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._writers = set()
        self._fd = os.open(self.line.theirs, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self._fd)
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.dup(self._fd), "rb"))
        self._task = asyncio.ensure_future(self.serve(reader, cast("asyncio.StreamWriter", _Writer(self._fd))))
        return self

    async def stop(self) -> None:
        """The adapter is pulled out."""
        self.line.cut()
        await asyncio.wait([self._task])

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        os.close(self._fd)


class _Writer:
    """As much of a StreamWriter as `Device.serve` uses."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def write(self, data: bytes) -> None:
        os.write(self._fd, data)

    async def drain(self) -> None:
        """The line takes what a frame has."""

    def close(self) -> None:
        """The port is closed by the device."""


class UdpDevice(Device):
    """One datagram, one frame. Answers one request after the other."""

    async def __aenter__(self) -> Self:
        device = self

        class Protocol(asyncio.DatagramProtocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                device._transport = cast("asyncio.DatagramTransport", transport)

            def datagram_received(self, data: bytes, addr: Any) -> None:
                device._queue.put_nowait((data, addr))

        self._queue: asyncio.Queue[tuple[bytes, Any]] = asyncio.Queue(1000)
        await asyncio.get_running_loop().create_datagram_endpoint(Protocol, local_addr=("127.0.0.1", self.port))
        self.port = self._transport.get_extra_info("sockname")[1]
        self._task = asyncio.ensure_future(self._answer_all())
        return self

    async def _answer_all(self) -> None:
        while True:
            data, addr = await self._queue.get()
            transaction, unit, pdu = int.from_bytes(data[:2], "big"), data[6], data[7:]
            self.requests.append((unit, pdu))
            self.functions[pdu[0]] += 1
            if unit in self.mute:
                continue
            good = self.frame(transaction, unit, self.answer(unit, pdu))
            for piece in self.lie(self, transaction, data, good) if self.lie else [good]:
                if isinstance(piece, float):
                    await asyncio.sleep(piece)
                else:
                    self._transport.sendto(piece, addr)

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        self._transport.abort()

    def clients(self) -> int:
        """Sockets of this machine that are connected to it."""
        rows = Path("/proc/net/udp").read_text(encoding="ascii").splitlines()[1:]
        return sum(row.split()[2].endswith(f":{self.port:04X}") for row in rows)
