"""A TCP connection, plain or under TLS."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from typing import TYPE_CHECKING, Final

from pipelines.errors import LinkClosed, LinkRefused, LinkTimeout, LinkUntrusted

if TYPE_CHECKING:
    from connectors.modbus.endpoint import ModbusTlsSettings
    from connectors.modbus.lines.pipe import Listener

_KEEPALIVE_S: Final = (10, 5, 3)
"""Idle time, interval and number of TCP keepalive probes: a dead peer is known after 25 s without a poll."""

CONNECT_S: Final = 4.0
"""A connection has this long at least: a first SYN that is lost is sent again after 1 s and 3 s (RFC 6298 5.5)."""

_TCP_INFO_BYTES: Final = 104
_LAST_DATA_RECV: Final = struct.Struct("=52xI")
"""Milliseconds since data came, the fourteenth word of `struct tcp_info` (linux/tcp.h)."""


class StreamPipe(asyncio.Protocol):
    """One connection."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._transport: asyncio.Transport | None = None
        self._tls = False
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.data_received = listener.received  # type: ignore[method-assign]  # no call between: it is the hot path

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport and have the system watch the line."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._tls = transport.get_extra_info("ssl_object") is not None
        line: socket.socket = transport.get_extra_info("socket")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in zip(
            (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT), _KEEPALIVE_S, strict=True
        ):
            line.setsockopt(socket.IPPROTO_TCP, option, value)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the wire."""
        if isinstance(exc, ssl.SSLError):  # with TLS 1.3 a refusal of our certificate comes after the handshake
            self._listener.lost(LinkUntrusted, f"the device ended TLS ({exc.reason or exc})")
        else:
            hint = "; if it never answered, it may not take our certificate (tls.cert_file)" if self._tls else ""
            self._listener.lost(LinkClosed, f"the device closed the connection{f' ({exc})' if exc else ''}{hint}")
        if not self._lost.done():
            self._lost.set_result(None)

    def send(self, data: bytes) -> None:
        """Send a request."""
        if self._transport is not None:
            self._transport.write(data)

    def waited_s(self) -> float:
        """How long the newest bytes lay in the kernel, in its ticks of 1-10 ms: `tcpi_last_data_recv` of tcp(7)."""
        if self._transport is None:
            return 0.0
        line: socket.socket = self._transport.get_extra_info("socket")
        try:
            info = line.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
        except OSError:  # closed meanwhile
            return 0.0
        (waited_ms,) = _LAST_DATA_RECV.unpack_from(info)
        return float(waited_ms) / 1000

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    async def closed(self) -> None:
        """Until the socket is closed."""
        if self._transport is not None:
            await asyncio.shield(self._lost)


async def open_stream(
    host: str, port: int, place: str, listener: Listener, timeout_s: float, tls: ModbusTlsSettings | None = None
) -> StreamPipe:
    """Connect to `host`:`port`; errors name `place`. With `tls` the device's certificate is verified.

    Raises:
        LinkRefused: nobody listens, or the name is unknown.
        LinkTimeout: no answer within `timeout_s` seconds, or `CONNECT_S` where that is longer.
        LinkUntrusted: a certificate was refused, or a file of ours cannot be read.
    """
    context = None if tls is None else _context(tls, place)
    name = None if tls is None else tls.server_name or host
    loop = asyncio.get_running_loop()
    limit_s = max(timeout_s, CONNECT_S)
    try:
        async with asyncio.timeout(limit_s):
            _, pipe = await loop.create_connection(
                lambda: StreamPipe(listener), host, port, ssl=context, server_hostname=name
            )
    except TimeoutError as error:
        raise LinkTimeout(place, f"no connection within {limit_s:g} s: check the address and the cable") from error
    except ssl.SSLCertVerificationError as error:
        reason = f"the device's certificate is refused: {error.verify_message}"
        raise LinkUntrusted(place, f"{reason}; see tls.ca_file and tls.server_name") from error
    except ssl.SSLError as error:
        raise LinkUntrusted(place, f"no TLS with the device ({error.reason or error}); see the group tls") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise LinkRefused(place, f"no connection ({reason}): check that the device runs and its port") from error
    return pipe


def _context(tls: ModbusTlsSettings, place: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if tls.cert_file is not None:
            context.load_cert_chain(tls.cert_file, tls.key_file)
    except OSError as error:  # ssl.SSLError too
        files = ", ".join(str(file) for file in (tls.ca_file, tls.cert_file, tls.key_file) if file)
        raise LinkUntrusted(place, f"one of {files} cannot be used ({error.strerror or error})") from error
    return context
