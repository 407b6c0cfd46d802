"""The same Modbus device on other lines: RTU or ASCII on a serial port, the same over TCP, UDP, TLS.

Frames are taken apart and put together by pymodbus. On a serial line a unit that does not exist is silent.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import tty
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

from pymodbus.framer import FramerAscii, FramerRTU, FramerSocket
from pymodbus.framer.base import FramerBase
from pymodbus.pdu import DecodePDU

from simulators.modbus import Connection, ModbusServer

HOST: Final = "127.0.0.1"
_FRAMERS: Final[dict[str, type[FramerBase]]] = {"rtu": FramerRTU, "ascii": FramerAscii, "udp": FramerSocket}
_MOST: Final = 1024


@dataclass(frozen=True, slots=True)
class LineSpec:
    """Where a device can be reached as well.

    Attributes:
        device: name of the device.
        transport: rtu, ascii, rtu_over_tcp, ascii_over_tcp, udp or tls.
        where: device of the serial port, else port number, 0 = a free one; for tls `PORT:CERTIFICATE:KEY`.
    """

    device: str
    transport: str
    where: str


def parse_line(text: str) -> LineSpec:
    """`DEVICE=TRANSPORT:WHERE`.

    Raises:
        ValueError: it is not of that form.
    """
    device, _, rest = text.partition("=")
    transport, _, where = rest.partition(":")
    known = ("rtu", "ascii", "rtu_over_tcp", "ascii_over_tcp", "udp", "tls")
    if not device or not where or transport not in known:
        raise ValueError(f"{text!r} is not DEVICE=TRANSPORT:WHERE with one of {', '.join(known)}")
    return LineSpec(device, transport, where)


class _Framed:
    """Requests out of bytes, answers back."""

    def __init__(self, server: ModbusServer, kind: str, send: Callable[[bytes], None]) -> None:
        self._server = server
        self._framer = _FRAMERS[kind](DecodePDU(is_server=True))
        self._bus = kind != "udp"
        self._send = send
        self._buffer = b""

    def take(self, data: bytes) -> None:
        arrived_ns = self._server.now_ns()
        self._buffer = (self._buffer + data)[-_MOST:]
        while self._buffer:
            used, unit, transaction, pdu = self._framer.decode(self._buffer)
            self._buffer = self._buffer[used:]
            if pdu and not (self._bus and unit not in self._server.image.units):

                def reply(answer: bytes, later: int = 0, unit: int = unit, transaction: int = transaction) -> bool:
                    self._send(self._framer.encode(answer, unit, (transaction + later) % 2**16))
                    return True

                self._server.exchange(unit, pdu, arrived_ns, reply)
            if not used:
                return


class _Stream(asyncio.Protocol):
    """Serial frames over one TCP connection."""

    def __init__(self, server: ModbusServer, kind: str) -> None:
        self._server, self._kind = server, kind

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._framed = _Framed(self._server, self._kind, cast("asyncio.Transport", transport).write)

    def data_received(self, data: bytes) -> None:
        self._framed.take(data)


class _Datagrams(asyncio.DatagramProtocol):
    """One frame each."""

    def __init__(self, server: ModbusServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        _Framed(self._server, "udp", lambda frame: self._transport.sendto(frame, addr)).take(data)


async def open_line(server: ModbusServer, spec: LineSpec) -> str:
    """Serve there until the process ends; where that is: the serial port, or the number of the port.

    Raises:
        OSError: it cannot be opened.
    """
    loop = asyncio.get_running_loop()
    kind = spec.transport.removesuffix("_over_tcp")
    if spec.transport in {"rtu", "ascii"}:
        fd = os.open(spec.where, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(fd)
        framed = _Framed(server, kind, lambda frame: _put(fd, frame))
        loop.add_reader(fd, lambda: _get(fd, framed))
        return spec.where
    port, *files = spec.where.split(":")
    if spec.transport == "udp":
        transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(server), local_addr=(HOST, int(port)))
        return str(transport.get_extra_info("sockname")[1])
    if spec.transport == "tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*files)
        made = await loop.create_server(lambda: Connection(server), HOST, int(port), ssl=context)
    else:
        made = await loop.create_server(lambda: _Stream(server, kind), HOST, int(port))
    return str(made.sockets[0].getsockname()[1])


def _put(fd: int, frame: bytes) -> None:
    os.write(fd, frame)


def _get(fd: int, framed: _Framed) -> None:
    try:
        data = os.read(fd, _MOST)
    except BlockingIOError:
        return
    except OSError:  # the other end of a pseudo terminal is gone
        data = b""
    if data:
        framed.take(data)
    else:
        asyncio.get_running_loop().remove_reader(fd)
