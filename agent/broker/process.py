"""The broker's process: started, asked whether it answers, ended by its id."""

from __future__ import annotations

import asyncio
import secrets
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, Literal

from agent.broker import child, mosquitto
from pipelines.errors import DependencyError

Kind = Literal["mosquitto", "embedded"]

HOST: Final = "127.0.0.1"
_EPHEMERAL: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_PORTS: Final = range(20_000, 32_000)
_ENOUGH: Final = 1_000
_START_S: Final = 10.0
_ANSWER_S: Final = 2.0
_END_S: Final = 3.0
# MQTT 5 CONNECT with clean start, no properties and an empty client id (MQTT 5.0 §3.1).
_CONNECT: Final = bytes.fromhex("100d00044d5154540502000a000000")
_CONNACK: Final = 0x20


@dataclass(slots=True)
class Broker:
    """A running broker of this machine; it is started again on the same port when it dies.

    Attributes:
        host: address it listens on, always loopback.
        port: TCP port, 1–65535.
        kind: what runs.
        notice: one line for people, Korean and English: what this broker is not for.
        log: file with what the process wrote.
        restarts: how often it was started again.
        more: further lines of mosquitto's configuration.
        process: the child, running or ended.
    """

    host: str
    port: int
    kind: Kind
    notice: str
    log: Path
    restarts: int = 0
    more: tuple[str, ...] = ()
    process: asyncio.subprocess.Process | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """`mqtt://host:port`."""
        return f"mqtt://{self.host}:{self.port}"

    @property
    def pid(self) -> int:
        """Process id of the running broker; 0 while there is none."""
        process = self.process
        return process.pid if process is not None and process.returncode is None else 0


def free_port() -> int:
    """A TCP port of loopback that nobody has now and the kernel gives to no outgoing connection.

    Raises:
        DependencyError: there is none.
    """
    ports = _ports()
    for _ in range(_ENOUGH):
        port = secrets.choice(ports)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            return port
    raise DependencyError("broker", f"no free port between {ports.start} and {ports.stop}; choose one with --mqtt-port")


def _ports() -> range:
    try:
        first, last = (int(word) for word in _EPHEMERAL.read_text().split())
    except (OSError, ValueError):
        return _PORTS
    below, above = range(_PORTS.start, first), range(last + 1, 65_536)
    return next((one for one in (below, above) if len(one) >= _ENOUGH), _PORTS)


async def start(broker: Broker, state_dir: Path) -> None:
    """Start the process and wait until it answers an MQTT CONNECT.

    Raises:
        DependencyError: its port is taken, it ended, or it does not answer in time.
    """
    _check_free(broker)
    _make_folder(state_dir)
    if broker.kind == "mosquitto":
        argv = mosquitto.command(state_dir, broker.host, broker.port, broker.more)
    else:
        argv = [sys.executable, "-m", "agent.broker", "--host", broker.host, "--port", str(broker.port)]
    with _log_file(broker.log) as log:
        broker.process = process = await asyncio.create_subprocess_exec(
            *child.command(argv), stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        async with asyncio.timeout(_START_S):
            while not await _answers(broker):
                if process.returncode is not None:
                    last = _last_lines(broker.log)
                    raise DependencyError(f"{broker.kind} broker", f"ended with code {process.returncode}: {last}")
    except TimeoutError:
        reason = f"does not answer on {broker.host}:{broker.port} after {_START_S:g} s: {_last_lines(broker.log)}"
        raise DependencyError(f"{broker.kind} broker", reason) from None


def _check_free(broker: Broker) -> None:
    """Another broker on that port would answer in the place of ours.

    Raises:
        DependencyError: somebody listens there.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((broker.host, broker.port))
        except OSError as error:
            reason = (
                f"{broker.host}:{broker.port}: {error.strerror}; name a broker that runs with --mqtt, or --mqtt-port"
            )
            raise DependencyError(f"{broker.kind} broker", reason) from None


def _make_folder(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True)


def _log_file(path: Path) -> IO[bytes]:
    return path.open("wb")


def _last_lines(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines()
    return f"{'; '.join(lines[-2:])} (log: {path})" if lines else f"it wrote nothing (log: {path})"


async def _answers(broker: Broker) -> bool:
    try:
        reader, writer = await asyncio.open_connection(broker.host, broker.port)
    except OSError:
        await asyncio.sleep(0.01)  # between two looks at the port; the deadline is the caller's
        return False
    try:
        writer.write(_CONNECT)
        await writer.drain()
        async with asyncio.timeout(_ANSWER_S):
            return (await reader.readexactly(1))[0] == _CONNACK
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False
    finally:
        writer.close()


async def end(broker: Broker) -> None:
    """End the process: SIGTERM, then SIGKILL."""
    process = broker.process
    if process is None or process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _END_S)  # see agent.simulate.children.Child.end
    except TimeoutError:
        process.kill()
        await process.wait()
