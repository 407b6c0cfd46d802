"""What other commands ask a running process: HTTP over a Unix socket in its state folder."""

from __future__ import annotations

import http.client
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
import structlog
import uvicorn
from prometheus_client import CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agent.metrics import StatusMetrics
from pipelines.errors import DependencyError

Status = Callable[[], dict[str, Any]]
log = structlog.get_logger()


class QuietServer(uvicorn.Server):
    """uvicorn that leaves signals to the process it runs in."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """No handlers of its own."""
        yield


async def serve_control(path: Path, status: Status) -> None:
    """Serve `/status`, `/metrics` and `/healthz` on a Unix socket until cancelled.

    Without the socket nobody can ask, which is no reason not to collect: it is logged once.
    """
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
    try:
        listener = _listen(path)
    except OSError as error:
        log.error("no_control_socket", path=str(path), reason=error.strerror or str(error))  # noqa: TRY400 - one line
        return
    config = uvicorn.Config(app, log_level="warning", lifespan="off", access_log=False, ws="none")
    try:
        await QuietServer(config).serve(sockets=[listener])
    finally:
        listener.close()
        _remove(path)


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _listen(path: Path) -> socket.socket:
    """A socket at `path` that its owner alone can use."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o077)
    try:
        with _short(path) as address:
            listener.bind(address)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """The same place by way of an open folder: an address holds 107 bytes (unix(7)), a path any number."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        with _short(self._path) as address:
            self.sock.connect(address)


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
