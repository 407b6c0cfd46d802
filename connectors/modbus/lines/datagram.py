"""Modbus over UDP: each datagram holds one frame."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from pipelines.errors import LinkClosed, LinkRefused, LinkTimeout

if TYPE_CHECKING:
    from connectors.modbus.lines.pipe import Listener


class DatagramPipe(asyncio.DatagramProtocol):
    """One connected socket: datagrams of anybody else never arrive."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._transport: asyncio.DatagramTransport | None = None
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Hand a datagram on."""
        del addr
        self._listener.received(data)

    def error_received(self, exc: Exception) -> None:
        """The other machine says that nobody listens, or the network that there is no way."""
        reason = getattr(exc, "strerror", None) or exc
        self._listener.lost(LinkRefused, f"no answer ({reason}): check that the device runs and its port")

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the wire."""
        self._listener.lost(LinkClosed, f"the socket was closed{f' ({exc})' if exc else ''}")
        if not self._lost.done():
            self._lost.set_result(None)

    def send(self, data: bytes) -> None:
        """Send a request."""
        if self._transport is not None:
            self._transport.sendto(data)

    def waited_s(self) -> float:
        """Not known."""
        return 0.0

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    async def closed(self) -> None:
        """Until the socket is closed."""
        if self._transport is not None:
            await asyncio.shield(self._lost)


async def open_datagrams(host: str, port: int, place: str, listener: Listener, timeout_s: float) -> DatagramPipe:
    """A socket for `host`:`port`; whether anybody is there shows with the first request. Errors name `place`.

    Raises:
        LinkRefused: the name is unknown, or there is no way to it.
        LinkTimeout: the name was not resolved within `timeout_s` seconds.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout_s):
            _, pipe = await loop.create_datagram_endpoint(lambda: DatagramPipe(listener), remote_addr=(host, port))
    except TimeoutError as error:
        raise LinkTimeout(place, f"no address of it within {timeout_s:g} s: check the name") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise LinkRefused(place, f"no connection ({reason}): check the address") from error
    return pipe
