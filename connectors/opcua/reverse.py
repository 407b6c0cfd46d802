"""Reverse connect: the server dials the agent, so that a firewall in front of the server needs no hole.

The server opens the connection and sends a ReverseHello; from then on the agent is the client as always
(OPC 10000-6 §7.1.2.6 and §7.1.3).
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import ExitStack
from typing import Any, Final

from asyncua.client.ua_client import UaClientState

from connectors.opcua.config import OpcUaConnection
from pipelines.errors import LinkRefused, LinkTimeout

_HEADER: Final = struct.Struct("<4sI")
_LENGTH: Final = struct.Struct("<i")
_KIND: Final = b"RHEF"
_LONGEST: Final = 4096
"""Bytes of each of the two texts (OPC 10000-6 §7.1.2.6)."""
_WAITING: Final = 4
_STRANGER_S: Final = 2.0
"""Time to say who one is after dialling."""


async def connect(client: Any, settings: OpcUaConnection) -> None:
    """Open the TCP connection of an asyncua client: dial the server, or wait until it dials.

    Raises:
        LinkError, TimeoutError, OSError: there is none.
    """
    if settings.reverse is None:
        async with asyncio.timeout(settings.timeout_s):
            await client.connect_socket()
        return
    reverse = settings.reverse
    host, _, port = reverse.listen.rpartition(":")
    line = await dialled(host.strip("[]"), int(port), settings.endpoint, reverse.server_uri, reverse.wait_s)
    inner = client.uaclient
    inner._set_state(UaClientState.CONNECTING)  # noqa: SLF001 - as its own connect_socket does
    await asyncio.get_running_loop().connect_accepted_socket(inner._make_protocol, line)  # noqa: SLF001
    inner._set_state(UaClientState.SOCKET_OPEN)  # noqa: SLF001


def reverse_hello(body: bytes) -> tuple[str, str]:
    """(ServerUri, EndpointUrl) of the body of a ReverseHello.

    Raises:
        ValueError: it is malformed.
    """
    texts, at = [], 0
    for _ in range(2):
        if at + _LENGTH.size > len(body):
            raise ValueError("it is cut off")
        (length,) = _LENGTH.unpack_from(body, at)
        at += _LENGTH.size
        if not 0 <= length <= min(_LONGEST, len(body) - at):
            raise ValueError("a text is cut off or too long")
        try:
            texts.append(body[at : at + length].decode())
        except UnicodeDecodeError as error:
            raise ValueError("a text is no UTF-8") from error
        at += length
    if at != len(body):
        raise ValueError("something follows the texts")
    return texts[0], texts[1]


async def dialled(host: str, port: int, endpoint: str, server_uri: str | None, wait_s: float) -> socket.socket:
    """A connection that the server opened: listens on `host`:`port` until the right one dials.

    Args:
        host: address to listen on.
        port: TCP port to listen on.
        endpoint: EndpointUrl the server has to name.
        server_uri: ServerUri it has to name; None: any.
        wait_s: longest wait, seconds.

    Returns:
        The connected socket, non-blocking; the ReverseHello has been read from it.

    Raises:
        LinkRefused: the port cannot be listened on.
        LinkTimeout: the right server did not dial within `wait_s`.
    """
    place, strangers = f"{host}:{port}", ""
    try:
        listener = socket.create_server((host, port), backlog=_WAITING, reuse_port=False)
    except OSError as error:
        reason = f"cannot listen on {place} for a reverse connection ({error.strerror}): choose another port"
        raise LinkRefused(endpoint, reason) from error
    listener.settimeout(0)
    loop = asyncio.get_running_loop()
    with listener:
        try:
            async with asyncio.timeout(wait_s):
                while True:
                    line, _ = await loop.sock_accept(listener)
                    with ExitStack() as stack:
                        stack.enter_context(line)
                        try:
                            async with asyncio.timeout(_STRANGER_S):
                                said = await _said(loop, line)
                        except (ValueError, OSError, TimeoutError) as error:
                            strangers = f"; who dialled sent no ReverseHello ({error or 'silence'})"
                            continue
                        if said[1] == endpoint and server_uri in {None, said[0]}:
                            stack.pop_all()
                            return line
                        strangers = f"; {said[0]} at {said[1]} dialled instead"
        except TimeoutError as error:
            reason = f"the server did not dial {place} within {wait_s:g} s{strangers}"
            raise LinkTimeout(endpoint, reason) from error


async def _said(loop: asyncio.AbstractEventLoop, line: socket.socket) -> tuple[str, str]:
    kind, size = _HEADER.unpack(await _exactly(loop, line, _HEADER.size))
    if kind != _KIND or not _HEADER.size <= size <= _HEADER.size + 2 * (_LENGTH.size + _LONGEST):
        raise ValueError(f"it starts with {kind!r}")
    return reverse_hello(await _exactly(loop, line, size - _HEADER.size))


async def _exactly(loop: asyncio.AbstractEventLoop, line: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = await loop.sock_recv(line, size - len(data))
        if not piece:
            raise ValueError("the connection ended")
        data += piece
    return data
