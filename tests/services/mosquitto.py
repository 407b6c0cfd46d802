"""A real mosquitto as a child of the test: own port, own folder, ended by pid; restartable on the same port.

::

    with Mosquitto(tmp_path, users={"demo": "secret"}, acl=text, tls=True) as broker:
        connect(broker.host, broker.port, ca_file=broker.ca_file)
        broker.kill(); broker.start()
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pytest

from tests.services.certificates import make_certificates
from tests.services.ports import HOST, free_port

_START_S: Final = 10.0
_MOVES: Final = 4


def binary(name: str, package: str) -> str:
    """The path of a program; the test fails and names the package when it is missing."""
    path = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/bin"]))
    if path is None:
        pytest.fail(f"{name} is missing: sudo apt install {package} (or deploy/test-components.sh)")
    return path


class Mosquitto:
    """A mosquitto on loopback.

    Args:
        folder: where configuration, keys, log and persistence live.
        lines: more lines of mosquitto.conf.
        users: user name to password; with users nobody connects anonymously.
        acl: text of an ACL file.
        tls: listen with TLS; `ca_file`, `client_cert_file` and `client_key_file` are then set.
        require_certificate: refuse clients without a certificate of our CA.
        persistence: keep sessions and queues in `folder`.
        port: TCP port, or 0 for a free one.
    """

    host = HOST

    def __init__(
        self,
        folder: Path,
        *,
        lines: Sequence[str] = (),
        users: Mapping[str, str] | None = None,
        acl: str | None = None,
        tls: bool = False,
        require_certificate: bool = False,
        persistence: bool = False,
        port: int = 0,
    ) -> None:
        self._binary = binary("mosquitto", "mosquitto")
        self.folder = folder.absolute()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / "mosquitto.log"
        self.port = port or free_port()
        self.ca_file = self.folder / "ca.crt"
        self.client_cert_file = self.folder / "client.crt"
        self.client_key_file = self.folder / "client.key"
        self.process: subprocess.Popen[bytes] | None = None
        config = [
            f"listener {self.port} {HOST}",
            "max_inflight_messages 1000",
            "max_queued_messages 100000",
            "set_tcp_nodelay true",
            f"log_dest file {self.log}",
            f"allow_anonymous {'false' if users else 'true'}",
        ]
        if os.geteuid() == 0:
            config.append("user root")  # the test's folders belong to root then
        if users:
            config.append(f"password_file {self._passwords(users)}")
        if acl is not None:
            (self.folder / "acl").write_text(acl)
            (self.folder / "acl").chmod(0o600)
            config.append(f"acl_file {self.folder / 'acl'}")
        if tls or require_certificate:
            make_certificates(self.folder)
            config += [
                f"cafile {self.ca_file}",
                f"certfile {self.folder}/server.crt",
                f"keyfile {self.folder}/server.key",
            ]
            config.append(f"require_certificate {'true' if require_certificate else 'false'}")
        if persistence:
            config += ["persistence true", f"persistence_location {self.folder}/", "autosave_interval 1"]
        self._config = self.folder / "mosquitto.conf"
        self._text = "\n".join([*config, *lines]) + "\n"
        self._config.write_text(self._text)
        self._moves = 0 if port else _MOVES

    def _passwords(self, users: Mapping[str, str]) -> Path:
        path = self.folder / "passwords"
        path.write_text("".join(f"{user}:{secret}\n" for user, secret in users.items()))
        path.chmod(0o600)
        subprocess.run([binary("mosquitto_passwd", "mosquitto"), "-U", str(path)], check=True)
        return path

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> Self:
        """Start it and wait until it takes connections."""
        assert self.process is None
        self.process = subprocess.Popen([self._binary, "-c", str(self._config)], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + _START_S
        while True:
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex((HOST, self.port)) == 0:
                    self._moves = 0  # from now on it is known by this port
                    return self
            try:
                code = self.process.wait(0.01)  # doubles as the pause between two looks
            except subprocess.TimeoutExpired:
                code = None
            if code is not None or time.monotonic() > deadline:
                self.stop()
                said = self.log.read_text() if self.log.exists() else ""
                if self._moves and "Address already in use" in said:
                    return self._move()
                pytest.fail(f"mosquitto did not start (exit code {code}):\n{said}")

    def _move(self) -> Self:
        """Somebody took the port between our look at it and mosquitto's bind."""
        self._moves -= 1
        old, self.port = self.port, free_port()
        self._text = self._text.replace(f"listener {old} ", f"listener {self.port} ", 1)
        self._config.write_text(self._text)
        self.log.unlink()
        return self.start()

    def kill(self) -> None:
        """SIGKILL, as a power cut would end it; `start()` brings it back on the same port."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM: an orderly end."""
        self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
