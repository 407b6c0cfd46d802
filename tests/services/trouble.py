"""An HTTP server in front of a real database, for answers that one cannot be made to give: errors, hang-ups, silence.

A request may reach the database or not before its answer goes wrong: who asked cannot tell.
"""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import urllib3

KINDS: Final = ("500", "503", "reset", "slow", "silent")


@dataclass
class Trouble:
    """The server and what it saw.

    Attributes:
        target: URL of the database.
        well: whether it only passes on.
        seen: (monotonic time, what was done, whether the database got it) of each write.
    """

    target: str
    seed: int = 1
    well: bool = True
    url: str = ""
    seen: list[tuple[float, str, bool]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.http = urllib3.PoolManager(retries=False, timeout=30)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._pass(b"")

    def do_POST(self) -> None:
        trouble = self.server.trouble
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind = "well" if trouble.well else trouble.random.choice(KINDS)
        reaches = kind == "well" or trouble.random.random() < 0.5
        trouble.seen.append((time.monotonic(), kind, reaches))
        if kind == "well":
            self._pass(body)
            return
        if reaches:
            trouble.http.request("POST", trouble.target + self.path, body=body)
        self.close_connection = True
        with contextlib.suppress(OSError):
            self._trouble(kind)

    def _trouble(self, kind: str) -> None:
        released = self.server.trouble.released
        if kind in {"500", "503"}:
            self._answer(int(kind), b'{"error":"timeout"}')
        elif kind == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        elif kind == "slow":
            for byte in b"HTTP/1.1 204 No Content\r\nX-Slow: " + b"x" * 10_000:
                self.connection.sendall(bytes([byte]))
                if released.wait(0.1):
                    return
        else:
            released.wait(60)

    def _pass(self, body: bytes) -> None:
        trouble = self.server.trouble
        answer = trouble.http.request(self.command, trouble.target + self.path, body=body or None)
        self._answer(answer.status, answer.data)

    def _answer(self, status: int, data: bytes) -> None:
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if status != 204:
            self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ARG002 - as in the base class
        return


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.trouble = trouble

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - as in the base class
        return  # a client that hangs up is what these tests are about


@contextlib.contextmanager
def running_trouble(target: str, seed: int = 1) -> Iterator[Trouble]:
    """Serve until the end of the block."""
    trouble = Trouble(target, seed)
    with _Server(trouble) as server:
        trouble.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield trouble
        finally:
            trouble.released.set()
            server.shutdown()
            thread.join()
