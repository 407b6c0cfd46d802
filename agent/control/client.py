"""Asking a running process."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import orjson

from agent.control.address import reach
from pipelines.errors import DependencyError

SOCKET: Final = "control.sock"
"""Name of the socket in a state folder."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        with reach(self._path) as address:
            self.sock.connect(address)


def ask(state_dir: Path, what: str = "/status", timeout_s: float = 5.0) -> bytes:
    """The answer of the process whose state is in `state_dir`.

    Raises:
        DependencyError: it does not run, or does not answer.
    """
    return _send(state_dir, "GET", what, None, timeout_s)[1]


def order(state_dir: Path, what: str, said: Mapping[str, Any], timeout_s: float = 60.0) -> dict[str, Any]:
    """Have the process whose state is in `state_dir` do something; what it says of it.

    Args:
        state_dir: its state folder.
        what: a path of its table of routes.
        said: the order, to be sent as JSON.
        timeout_s: longest wait.

    Raises:
        DependencyError: it does not run, does not answer, or says that it cannot.
    """
    status, body = _send(state_dir, "POST", what, orjson.dumps(said), timeout_s)
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = {}
    if status != HTTPStatus.OK:
        doubt = f"it answered {what} with HTTP {status}; is that another program's folder, or of another version?"
        reason = answer.get("error") or doubt
        raise DependencyError(str(state_dir), str(reason))
    return dict(answer)


def _send(state_dir: Path, method: str, what: str, body: bytes | None, timeout_s: float) -> tuple[int, bytes]:
    connection = _UnixConnection(state_dir / SOCKET, timeout_s)
    try:
        connection.request(method, what, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except OSError as error:
        reason = f"no agent answers ({error.strerror or error}); start it with `agent run`, or name its --state-dir"
        raise DependencyError(str(state_dir), reason) from error
    finally:
        connection.close()
