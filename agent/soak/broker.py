"""The broker of a soak run: ended and killed by faults, started again on the same ports."""

from __future__ import annotations

from pathlib import Path

from agent.broker import mosquitto
from agent.broker.process import HOST, Kind, end, free_port, start
from agent.broker.process import Broker as Process
from agent.soak.certificates import ServerFiles, make_server


class SoakBroker:
    """Mosquitto, or the embedded broker where there is none.

    Args:
        folder: for its configuration, log and keys; made when missing.
        tls_addresses: IPv4 addresses under which its TLS listeners are reached; empty = no TLS.

    Attributes:
        kind: what runs.
        port: of the listener without TLS.
        tls_port: of the listener that the parts trust; 0 = without TLS.
        untrusted_port: of the listener with a certificate of another authority; 0 = without TLS.
        files: keys of the trusted listener.
    """

    def __init__(self, folder: Path, tls_addresses: tuple[str, ...] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.kind: Kind = "mosquitto" if mosquitto.find() else "embedded"
        self.port = free_port()
        self.tls_port = self.untrusted_port = 0
        self.files: ServerFiles | None = None
        more: list[str] = []
        if tls_addresses and self.kind == "mosquitto":
            self.files = make_server(folder, "trusted", tls_addresses)
            self.tls_port, self.untrusted_port = free_port(), free_port()
            more = _listener(self.tls_port, self.files)
            more += _listener(self.untrusted_port, make_server(folder, "untrusted", tls_addresses))
        self._folder = folder
        self._process = Process(HOST, self.port, self.kind, "", (folder / "broker.log").absolute(), more=tuple(more))

    @property
    def pid(self) -> int:
        """Of the running process; 0 while there is none."""
        return self._process.pid

    async def start(self) -> None:
        """Start it on its ports, and wait until it answers.

        Raises:
            DependencyError: it does not.
        """
        if not self._process.pid:
            await start(self._process, self._folder)

    async def end(self, *, kill: bool = False) -> None:
        """End it with SIGTERM, or with SIGKILL, and wait until it is gone."""
        process = self._process.process
        if kill and process is not None and process.returncode is None:
            process.kill()
            await process.wait()
        await end(self._process)


def _listener(port: int, files: ServerFiles) -> list[str]:
    return [f"listener {port} {HOST}", f"certfile {files.certificate}", f"keyfile {files.key}"]
