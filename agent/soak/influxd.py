"""An influxd 1.x of this machine as the store of a soak run: killed by a fault, started again at its place."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final

from agent.broker import child
from agent.broker.process import HOST, free_port
from pipelines.errors import DependencyError

DATABASE: Final = "soak"
_START_S: Final = 30.0
_ATTEMPTS: Final = 5
_PATH: Final = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/bin", "/usr/local/bin"])
_PROGRAM: Final = "influxd"
_CONFIG: Final = """
reporting-disabled = true
bind-address = "{host}:{rpc}"
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
index-version = "tsi1"
query-log-enabled = false
max-series-per-database = 0
[http]
bind-address = "{host}:{http}"
auth-enabled = {auth}
log-enabled = false
max-body-size = 0
[monitor]
store-enabled = false
[logging]
level = "error"
suppress-logo = true
"""


def unavailable() -> str:
    """Why there is no influxd here; empty when there is one."""
    return "" if shutil.which(_PROGRAM, path=_PATH) else "needs influxd 1.x: sudo apt install influxdb"


def server_command(config: Path, folder: Path, port: int, *, auth: bool = False) -> list[str]:
    """The command line of a server on loopback, once its configuration is written.

    Args:
        config: file to write.
        folder: of its data.
        port: of its HTTP interface.
        auth: ask for credentials.
    """
    config.write_text(_CONFIG.format(folder=folder, host=HOST, rpc=free_port(), http=port, auth=str(auth).lower()))
    return [shutil.which(_PROGRAM, path=_PATH) or _PROGRAM, "-config", str(config)]


class Influxd:
    """The server's process.

    Args:
        folder: of its data; made when missing.

    Attributes:
        port: of its HTTP interface.
    """

    def __init__(self, folder: Path) -> None:
        self.port = 0
        self._folder = folder.absolute()
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """Of the running process; 0 while there is none."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else 0

    @property
    def url(self) -> str:
        """Address of the database, as the product takes it."""
        return f"http://{HOST}:{self.port}?db={DATABASE}"

    async def start(self) -> None:
        """Start it at its port, a free one the first time, and wait until it answers.

        Raises:
            DependencyError: it does not.
        """
        if reason := unavailable():
            raise DependencyError("influxd", reason)
        self._folder.mkdir(parents=True, exist_ok=True)
        for _ in range(1 if self.port else _ATTEMPTS):
            chosen = self.port or free_port()
            if await self._started(chosen):
                self.port = chosen
                return
        raise DependencyError("influxd", f"does not start; its log: {self._folder / 'influxd.log'}")

    async def end(self, *, kill: bool = False) -> None:
        """End it with SIGTERM, or with SIGKILL, and wait until it is gone."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 10)  # see agent.simulate.children.Child.end
        if process.returncode is None:
            process.kill()
            await process.wait()

    async def _started(self, port: int) -> bool:
        argv = server_command(self._folder / "influxdb.conf", self._folder, port)
        with (self._folder / "influxd.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *child.command(argv), stdout=log, stderr=log, start_new_session=True
            )
        with suppress(TimeoutError):
            async with asyncio.timeout(_START_S):
                while self._process.returncode is None:
                    if await _answers(port):
                        return True
                    await asyncio.sleep(0.05)  # between two looks at the port
        await self.end(kill=True)
        return False


async def _answers(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    try:
        writer.write(b"GET /ping HTTP/1.1\r\nHost: soak\r\nConnection: close\r\n\r\n")
        return b" 204 " in await reader.readline()
    except OSError:
        return False
    finally:
        writer.close()
