"""Answering: status, metrics and orders over a Unix socket, or over TCP for who scrapes metrics."""

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

import orjson
import structlog
import uvicorn
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agent.control.address import reach
from agent.metrics import StatusMetrics
from pipelines.errors import ShopfloorError

Status = Callable[[], dict[str, Any]]
Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
"""Does what the JSON object of a POST says; its answer is JSON too. A `ShopfloorError` or `ValueError` is told."""
Routes = Mapping[str, Handler]
"""Orders by path, such as `/quarantine/retry`."""
log = structlog.get_logger()


def _is() -> bool:
    """Whoever answers is alive."""
    return True


class QuietServer(uvicorn.Server):
    """uvicorn that leaves signals to the process it runs in."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """No handlers of its own."""
        yield


def control_app(status: Status, metrics: Collector, routes: Routes, alive: Callable[[], bool] = _is) -> Starlette:
    """`/status`, `/metrics`, `/healthz` and `/readyz`, and the orders of `routes`, which come by POST.

    Alive is a process whose parts turn; ready is one without trouble: a process can be the one without the other.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(metrics)

    async def as_json(_: Request) -> Response:
        return _json(status())

    async def as_metrics(_: Request) -> Response:
        return Response(generate_latest(registry), media_type="text/plain; version=0.0.4")

    async def readyz(_: Request) -> Response:
        troubles = status().get("troubles", [])
        return _text(troubles or ["ready"], well=not troubles)

    orders = [Route(path, _order(handler), methods=["POST"]) for path, handler in routes.items()]
    health = [_healthz(alive), Route("/readyz", readyz)]
    asked = [Route("/status", as_json), Route("/metrics", as_metrics), *health]
    return Starlette(routes=[*asked, *orders])


async def serve_control(
    path: Path, status: Status, routes: Routes | None = None, alive: Callable[[], bool] = _is
) -> None:
    """Serve what others ask on a Unix socket until cancelled.

    Without the socket nobody can ask, which is no reason not to collect: it is logged once.

    Args:
        path: of the socket.
        status: gives the status of `Collector.status`.
        routes: orders that are taken.
        alive: whether every part of the process turns.
    """
    await _serve(path, control_app(status, StatusMetrics(status), routes or {}, alive))


async def serve_orders(path: Path, routes: Routes, alive: Callable[[], bool] = _is) -> None:
    """Serve orders and `/healthz` alone on a Unix socket until cancelled, for a process that has no status.

    Args:
        path: of the socket.
        routes: orders that are taken.
        alive: whether every part of the process turns.
    """
    orders = [Route(route, _order(handler), methods=["POST"]) for route, handler in routes.items()]
    await _serve(path, Starlette(routes=[_healthz(alive), *orders]))


async def _serve(path: Path, app: Starlette) -> None:
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


def _healthz(alive: Callable[[], bool]) -> Route:
    async def healthz(_: Request) -> Response:
        return _text(["alive"], well=True) if alive() else _text(["a part stands still"], well=False)

    return Route("/healthz", healthz)


def _order(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            said = orjson.loads(await request.body() or b"{}")
            return _json(await handler(said if isinstance(said, dict) else {}))
        except (ShopfloorError, ValueError) as error:
            return _json({"error": str(error)}, HTTPStatus.CONFLICT)

    return answer


def _json(said: dict[str, Any], status: int = HTTPStatus.OK) -> Response:
    return Response(orjson.dumps(said), status, media_type="application/json")


def _text(lines: Iterable[str], *, well: bool) -> Response:
    code = HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE
    return Response("".join(f"{line}\n" for line in lines), code, media_type="text/plain")


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _listen(path: Path) -> socket.socket:
    """A socket at `path` that its owner alone can use."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o077)
    try:
        with reach(path) as address:
            listener.bind(address)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener
