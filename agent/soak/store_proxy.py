"""An HTTP relay in front of the store that can make it a bad one: errors, slow answers, resets, refused lines.

It understands as much of HTTP/1.1 (RFC 9112) as a client that writes line protocol needs: one request after the other
on a connection, bodies with Content-Length.
"""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Self

from agent.broker.process import HOST

_HEAD_BYTES: Final = 64 << 10
_BODY_BYTES: Final = 64 << 20
_REASONS: Final = {400: "Bad Request", 413: "Payload Too Large", 429: "Too Many Requests", 500: "Error", 503: "Away"}


@dataclass(frozen=True, slots=True)
class Trouble:
    """How the store is bad now.

    Attributes:
        status: answered instead of asking the store: 413, 429, 500, 503; 0 = the store is asked.
        retry_after_s: told with 429 and 503, whole seconds.
        wait_s: before anything is answered.
        reset: `before` the store sees the request, or `after` it has it: the client cannot know.
        refuses: lines that hold these bytes are refused with HTTP 400 as a field type conflict; the others of the
            request are stored, as InfluxDB 1.x does.
        largest_bytes: 413 is only said of bodies above this.
    """

    status: int = 0
    retry_after_s: int = 0
    wait_s: float = 0.0
    reset: str = ""
    refuses: bytes = b""
    largest_bytes: int = 0


@dataclass(slots=True)
class _Request:
    line: bytes
    headers: list[bytes]
    body: bytes

    def plain(self) -> bytes:
        """The body, unpacked."""
        packed = any(one.lower().startswith(b"content-encoding: gzip") for one in self.headers)
        return gzip.decompress(self.body) if packed else self.body

    def packed(self, body: bytes | None = None) -> bytes:
        """As bytes for the store; with another body, it is sent unpacked."""
        headers, content = self.headers, self.body
        if body is not None:
            mine = (b"content-length:", b"content-encoding:")
            headers = [one for one in headers if not one.lower().startswith(mine)]
            headers.append(b"Content-Length: %d" % len(body))
            content = body
        return b"\r\n".join([self.line, *headers, b"", content])


@dataclass(slots=True)
class StoreProxy:
    """The relay.

    Attributes:
        target: the store's port on loopback.
        trouble: how it is bad now; None = it relays.
        refused: every line it refused, and the bytes in it that it refused it for.
        harmed: write requests that were not simply relayed.
        port: where it listens.
    """

    target: int
    trouble: Trouble | None = None
    refused: dict[bytes, bytes] = field(default_factory=dict)
    harmed: int = 0
    port: int = 0
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        """Listen on a free port of loopback."""
        self._server = await asyncio.start_server(self._serve, HOST, 0, limit=_HEAD_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening and close what is open."""
        assert self._server is not None
        self._server.close()
        for writer in tuple(self._open):
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while (request := await _request(reader)) is not None:
                answer = await self._answer(request, lambda: _reset(writer))
                if answer is None:
                    return
                writer.write(answer)
                await writer.drain()
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # one of the two went away, or sent what is no HTTP
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _answer(self, request: _Request, reset: Callable[[], None]) -> bytes | None:
        """The answer to one request; None = the connection was reset."""
        trouble = self.trouble
        if trouble is None or b"write" not in request.line:
            return await self._ask(request.packed())
        refused = bool(trouble.status) and len(request.body) > trouble.largest_bytes
        marked = bool(trouble.refuses) and trouble.refuses in request.plain()
        self.harmed += bool(trouble.wait_s or trouble.reset or refused or marked)
        if trouble.wait_s:
            await asyncio.sleep(trouble.wait_s)
        if trouble.reset == "before":
            reset()
            return None
        if refused:
            return _made(trouble.status, "soak: the store is bad now", trouble.retry_after_s)
        if marked:
            return await self._sifted(request, trouble.refuses)
        answer = await self._ask(request.packed())
        if trouble.reset == "after":
            reset()
            return None
        return answer

    async def _sifted(self, request: _Request, marked: bytes) -> bytes:
        lines = request.plain().splitlines()
        bad = [line for line in lines if marked in line]
        self.refused.update(dict.fromkeys(bad, marked))
        good = b"\n".join(line for line in lines if marked not in line)
        if good:
            answer = await self._ask(request.packed(good + b"\n"))
            if b" 204 " not in answer.split(b"\r\n", 1)[0]:
                return answer
        field_name = marked.decode(errors="replace").strip("=, ")
        words = f'partial write: field type conflict: input field \\"{field_name}\\" on measurement \\"soak\\" is type'
        return _made(400, f"{words} float, already exists as type string dropped={len(bad)}", 0)

    async def _ask(self, request: bytes) -> bytes:
        """What the store answers; a connection of its own, so that nothing is mixed up.

        Raises:
            OSError: it is away.
            asyncio.IncompleteReadError: it went away.
        """
        reader, writer = await asyncio.open_connection(HOST, self.target, limit=_HEAD_BYTES)
        try:
            writer.write(request)
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            if b"chunked" in head.lower():
                body = b""
                while True:
                    size = await reader.readuntil(b"\r\n")
                    chunk = await reader.readexactly(int(size, 16) + 2)
                    body += size + chunk
                    if not int(size, 16):
                        return head + body
            return head + await reader.readexactly(_length(head.split(b"\r\n")))
        finally:
            writer.close()


async def _request(reader: asyncio.StreamReader) -> _Request | None:
    """The next request on a connection; None when it ended.

    Raises:
        ValueError: not HTTP, or a body without a length.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    line, *headers = head[:-4].split(b"\r\n")
    length = _length(headers)
    if length > _BODY_BYTES:
        raise ValueError(length)
    return _Request(line, headers, await reader.readexactly(length))


def _length(headers: list[bytes]) -> int:
    values = (one.partition(b":")[2] for one in headers if one.lower().startswith(b"content-length:"))
    return int(next(values, b"0"))


def _made(status: int, reason: str, retry_after_s: int) -> bytes:
    body = f'{{"error":"{reason}"}}'.encode()
    head = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Trouble')}", "Content-Type: application/json"]
    head += [f"Retry-After: {retry_after_s}"] if retry_after_s else []
    head += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(head).encode() + body


def _reset(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        link: socket.socket = writer.get_extra_info("socket")
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
