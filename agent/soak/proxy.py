"""A TCP relay that makes a network bad: latency, little bandwidth, small pieces, resets, a link that swallows all."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from typing import Final, Self

HOST: Final = "127.0.0.1"
MOST_KEPT: Final = 4 << 20
"""Bytes of the clients that `sent` keeps."""


class Proxy:
    """Between clients and a server on loopback; its switches work at once, on open connections too.

    Attributes:
        latency_s: wait before a piece goes on, in both directions.
        bytes_per_s: bandwidth of each direction of a connection; 0 = no limit.
        slice_bytes: largest piece that goes on at once; 0 = as it came.
        black_hole: everything is swallowed and nothing closed: a half-open link; new connections are taken, too.
        sent: what clients sent, all connections in the order it came, up to `MOST_KEPT`.
        accepted: connections ever taken.
        target: host and port that new connections go to.
        host: IPv4 address it listens on.
        port: it listens on.

    Args:
        target: port of the server.
        host: its address.
        listener: a bound socket to listen on, such as one of another network namespace; default: a free port of
            loopback.
    """

    def __init__(self, target: int, host: str = HOST, listener: socket.socket | None = None) -> None:
        self.latency_s = 0.0
        self.bytes_per_s = 0
        self.slice_bytes = 0
        self.black_hole = False
        self.sent = bytearray()
        self.accepted = 0
        self.host = HOST
        self.port = 0
        self.target = (host, target)
        self._listener = listener
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        """Listen."""
        if self._listener is not None:
            self._server = await asyncio.start_server(self._serve, sock=self._listener)
        else:
            self._server = await asyncio.start_server(self._serve, HOST, self.port)
        self.host, self.port = self._server.sockets[0].getsockname()[:2]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening and reset what is open."""
        assert self._server is not None
        self._server.close()
        self.reset()
        await self._server.wait_closed()
        async with asyncio.timeout(10):
            while self._writers:  # noqa: ASYNC110 - the relays end by themselves once their sockets are gone
                await asyncio.sleep(0.005)

    def reset(self) -> None:
        """RST on every connection, to both sides."""
        for writer in tuple(self._writers):
            link = writer.get_extra_info("socket")
            with suppress(OSError):
                link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    @property
    def connections(self) -> int:
        """Open connections of clients."""
        return sum(writer.get_extra_info("sockname")[1] == self.port for writer in self._writers)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self.accepted += 1
        back = None
        try:
            there, back = await asyncio.open_connection(*self.target)
            self._writers.add(back)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._relay(reader, back, keep=True))
                group.create_task(self._relay(there, writer, keep=False))
        except OSError:
            pass
        finally:
            for one in (writer, back):
                if one is not None:
                    one.transport.abort()
                    self._writers.discard(one)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, keep: bool) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if keep and len(self.sent) < MOST_KEPT:
                    self.sent += data
                step = self.slice_bytes or len(data)
                for at in range(0, len(data), step):
                    piece = data[at : at + step]
                    wait_s = self.latency_s + (len(piece) / self.bytes_per_s if self.bytes_per_s else 0.0)
                    if wait_s:
                        await asyncio.sleep(wait_s)
                    if self.black_hole:
                        continue
                    writer.write(piece)
                    await writer.drain()
        if not self.black_hole:
            writer.transport.abort()
