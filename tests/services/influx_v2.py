"""A strict stand-in for InfluxDB 2.x, for which there is no package: `/api/v2/write` and `/ping`, in a thread.

It checks organisation, bucket, precision and token as InfluxDB 2.7 does, reads every line with the one parser, answers
with the same JSON bodies, and keeps the points. `script` holds answers for the next writes, in place of its own; marks
of touched hours are no writes in this sense: they are checked and kept apart, and counted nowhere. With an `engine`, a
real InfluxDB 1.x, what it accepted goes there too, and `/query` is asked of it: one database for each bucket.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import urllib3

from pipelines.encode.split import split_lines
from pipelines.errors import RecordRejected
from pipelines.sinks.lineprotocol import Column, parse
from pipelines.sinks.touched import TOUCHED

Key = tuple[str, str, tuple[tuple[str, str], ...], str, int]


@dataclass(slots=True)
class Answer:
    """One answer: status, JSON body (or text), further headers; `reset` hangs up instead, `stall_s` waits before.

    `trickle_s` sends a byte each so many seconds.
    """

    status: int = 204
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)
    reset: bool = False
    stall_s: float = 0.0
    trickle_s: float = 0.0


def refusal(code: str, message: str) -> dict[str, str]:
    return {"code": code, "message": message}


@dataclass
class InfluxV2:
    """The server and what it saw.

    Attributes:
        points: (bucket, measurement, tags, field, time_ns) to value.
        marks: the same of marks of touched hours.
        requests: (monotonic time, bytes, status) of each write.
        engine: address of an InfluxDB 1.x that holds what is accepted, and answers InfluxQL; empty = none.
        refused: writes into buckets that are not there.
        scripts: answers for the next writes of a bucket, in place of its own.
        seen: (monotonic time, bucket, answer) of each write, the time before the answer went out.
    """

    org: str = "factory"
    buckets: frozenset[str] = frozenset({"points"})
    token: str = "secret-token"  # noqa: S105 - a stand-in
    max_bytes: int = 1 << 30
    points: dict[Key, object] = field(default_factory=dict)
    marks: dict[Key, object] = field(default_factory=dict)
    kinds: dict[tuple[str, str, str], str] = field(default_factory=dict)
    requests: list[tuple[float, int, int]] = field(default_factory=list)
    script: deque[Answer] = field(default_factory=deque)
    scripts: dict[str, deque[Answer]] = field(default_factory=dict)
    seen: list[tuple[float, str, Answer]] = field(default_factory=list)
    url: str = ""
    engine: str = ""
    refused: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    def write(self, query: dict[str, list[str]], authorization: str, body: bytes) -> Answer:
        if authorization != f"Token {self.token}":
            return Answer(401, refusal("unauthorized", "unauthorized access"))
        if query.get("org") != [self.org]:
            return Answer(404, refusal("not found", f'organization name "{query.get("org")}" not found'))
        bucket = query.get("bucket", [""])[0]
        if bucket not in self.buckets:
            self.refused += 1
            return Answer(404, refusal("not found", f'bucket "{bucket}" not found'))
        if query.get("precision") != ["ns"]:
            return Answer(400, refusal("invalid", "invalid precision"))
        if len(body) > self.max_bytes:
            return Answer(413, refusal("request too large", "cannot read data: points batch is too large"))
        answer = self.keep(bucket, body)
        if self.engine and answer.status < 300:
            taken = urllib3.request("POST", f"{self.engine}/write?db={bucket}&precision=ns", body=body)
            assert taken.status == 204, taken.data
        return answer

    def besides(self, path: str, query: dict[str, list[str]], authorization: str, body: bytes) -> Answer | None:
        """The answer to what is no write of points."""
        if path == "/query" and self.engine:
            return self.query(authorization, body)
        if body.startswith(TOUCHED.encode()):
            return self.write(query, authorization, body) if path == "/api/v2/write" else Answer()
        return None

    def query(self, authorization: str, body: bytes) -> Answer:
        """InfluxQL, where the bucket stands for a database: its DBRP mapping."""
        if authorization != f"Token {self.token}":
            return Answer(401, refusal("unauthorized", "unauthorized access"))
        if (bucket := parse_qs(body.decode())["db"][0]) not in self.buckets:
            return Answer(404, refusal("not found", f'no dbrp mapping found for "{bucket}"'))
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return Answer(200, urllib3.request("POST", f"{self.engine}/query", body=body, headers=headers).data.decode())

    def keep(self, bucket: str, body: bytes) -> Answer:
        """As InfluxDB 2.7: a line it cannot parse refuses all, a field of another type only its point, with 422."""
        try:
            columns = _columns(body)
        except RecordRejected as error:
            return Answer(400, refusal("invalid", f"unable to parse: {error.reason}"))
        dropped, said = 0, ""
        for column in columns:
            kind = self.kinds.setdefault((bucket, column.measurement, column.field), column.kind)
            if kind != column.kind:
                dropped += len(column.time_ns)
                said = (
                    f'input field "{column.field}" on measurement "{column.measurement}" is type {column.kind}, '
                    f"already exists as type {kind}"
                )
                continue
            kept = self.marks if column.measurement == TOUCHED else self.points
            for time_ns, value in zip(column.time_ns.tolist(), column.value.tolist(), strict=True):
                kept[bucket, column.measurement, column.tags, column.field, time_ns] = value
        if not dropped:
            return Answer()
        words = f"failure writing points to database: partial write: field type conflict: {said} dropped={dropped}"
        return Answer(422, refusal("unprocessable entity", words))


def _columns(body: bytes) -> list[Column]:
    """As parsed together, or line by line where a field has two types in it: to InfluxDB that is no fault of form."""
    try:
        return parse(body, "influx_v2")
    except RecordRejected as error:
        if " here, but " not in error.reason:
            raise
        return [column for line in split_lines(body) for column in parse(line, "influx_v2")]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._send(Answer(204, headers={"X-Influxdb-Build": "OSS", "X-Influxdb-Version": "v2.7.0"}))

    def do_POST(self) -> None:
        store = self.server.store
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        came_s = time.monotonic()
        parts = urlsplit(self.path)
        bucket = parse_qs(parts.query).get("bucket", [""])[0]
        if besides := store.besides(parts.path, parse_qs(parts.query), self.headers.get("Authorization", ""), body):
            self._send(besides)
            return
        if store.script:
            answer = store.script.popleft()
        elif store.scripts.get(bucket):
            answer = store.scripts[bucket].popleft()
        elif parts.path != "/api/v2/write":
            answer = Answer(404, refusal("not found", "path not found"))
        else:
            answer = store.write(parse_qs(parts.query), self.headers.get("Authorization", ""), body)
        store.requests.append((came_s, len(body), answer.status))
        store.seen.append((came_s, bucket, answer))
        if answer.stall_s:
            store.released.wait(answer.stall_s)
        if answer.reset:
            self.close_connection = True
            self.connection.close()
            return
        if answer.trickle_s:
            with contextlib.suppress(OSError):
                for byte in b"HTTP/1.1 204 No Content\r\nX-Slow: " + b"x" * 10_000:
                    self.connection.sendall(bytes([byte]))
                    if store.released.wait(answer.trickle_s):
                        break
            self.close_connection = True
            return
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body) if answer.body else ""
        self.send_response_only(answer.status)
        if "Date" not in answer.headers:
            self.send_header("Date", self.date_time_string())
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        if answer.status != 204:
            self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ARG002 - as in the base class
        return


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True

    def __init__(self, store: InfluxV2, context: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.store = store
        self.context = context
        self.open: set[Any] = set()

    def get_request(self) -> Any:
        request, address = super().get_request()
        request.settimeout(20)
        if self.context is not None:
            # the handshake is made in the connection's own thread, at its first read
            request = self.context.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
        self.open.add(request)
        return request, address

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - as in the base class
        return  # a client that hangs up is what these tests are about


@contextlib.contextmanager
def running_influx_v2(context: ssl.SSLContext | None = None, **settings: Any) -> Iterator[InfluxV2]:
    """Serve until the end of the block; with a context over https."""
    store = InfluxV2(**settings)
    with _Server(store, context) as server:
        store.url = f"http{'s' if context else ''}://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield store
        finally:
            store.released.set()
            server.shutdown()
            thread.join()
            for request in server.open:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(request, socket.SHUT_RDWR)  # wakes the thread that reads it; it closes it
