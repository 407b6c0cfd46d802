"""What other commands ask a running process: HTTP over a Unix socket in its state folder."""

from __future__ import annotations

import http.client
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import uvicorn
from prometheus_client import CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agent.metrics import StatusMetrics
from pipelines.errors import DependencyError

Status = Callable[[], dict[str, Any]]


class QuietServer(uvicorn.Server):
    """uvicorn that leaves signals to the process it runs in."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """No handlers of its own."""
        yield


async def serve_control(path: Path, status: Status) -> None:
    """Serve `/status`, `/metrics` and `/healthz` on a Unix socket until cancelled."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(StatusMetrics(status))

    def as_json(request: Request) -> Response:
        del request
        return Response(orjson.dumps(status()), media_type="application/json")

    def metrics(request: Request) -> Response:
        del request
        return Response(generate_latest(registry), media_type="text/plain; version=0.0.4")

    def healthz(request: Request) -> Response:
        del request
        return Response("alive\n", media_type="text/plain")

    app = Starlette(routes=[Route("/status", as_json), Route("/metrics", metrics), Route("/healthz", healthz)])
    _remove(path)
    config = uvicorn.Config(app, uds=str(path), log_level="warning", lifespan="off", access_log=False, ws="none")
    before = os.umask(0o077)
    try:
        await QuietServer(config).serve()
    finally:
        os.umask(before)
        _remove(path)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def ask(state_dir: Path, what: str = "/status", timeout_s: float = 5.0) -> bytes:
    """The answer of the process whose state is in `state_dir`.

    Raises:
        DependencyError: it does not run, or does not answer.
    """
    connection = _UnixConnection(state_dir / "control.sock", timeout_s)
    try:
        connection.request("GET", what)
        return connection.getresponse().read()
    except OSError as error:
        reason = f"no agent answers ({error.strerror or error}); start it with `agent run`, or name its --state-dir"
        raise DependencyError(str(state_dir), reason) from error
    finally:
        connection.close()
