"""A broker for one machine: its own mosquitto on a private port, else an embedded one, both as child processes.

The broker keeps nothing that matters: every record stays in the journal until the store confirmed it
(docs/decisions/0002-embedded-broker.md).
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, Literal

import structlog

from agent.broker import child, mosquitto
from pipelines.errors import DependencyError

Kind = Literal["mosquitto", "embedded"]

HOST: Final = "127.0.0.1"
NOTICE: Final[dict[Kind, str]] = {
    "mosquitto": (
        "브로커: mosquitto (이 PC 전용 포트, 인증 없음). "
        "다른 PC의 에이전트는 deploy/mosquitto/ 설정으로 연결하십시오. / "
        "Broker: mosquitto on a private port of this machine, no authentication. "
        "For agents on other machines use the configuration in deploy/mosquitto/."
    ),
    "embedded": (
        "브로커: 내장형 (이 PC 전용). 접근 제어(ACL)·TLS·오프라인 세션·고가용성이 없습니다. "
        "에이전트가 둘 이상이면 mosquitto를 쓰십시오: sudo apt install mosquitto / "
        "Broker: embedded, for this machine alone. It has no ACL, no TLS, no offline sessions, no high availability. "
        "With more than one agent use mosquitto: sudo apt install mosquitto"
    ),
}
_START_S: Final = 10.0
_ANSWER_S: Final = 2.0
_END_S: Final = 3.0
_PAUSE_S: Final = (0.0, 0.2, 1.0, 5.0)
_ATTEMPTS: Final = 5
# MQTT 5 CONNECT with clean start, no properties and an empty client id (MQTT 5.0 §3.1).
_CONNECT: Final = bytes.fromhex("100d00044d5154540502000a000000")
_CONNACK: Final = 0x20
_log = structlog.get_logger(__name__)


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
        process: the child, running or ended.
    """

    host: str
    port: int
    kind: Kind
    notice: str
    log: Path
    restarts: int = 0
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


@asynccontextmanager
async def local_broker(
    state_dir: Path, *, kind: Literal["auto", "mosquitto", "embedded"] = "auto", port: int = 0
) -> AsyncIterator[Broker]:
    """Run a broker on loopback while the block runs.

    Args:
        state_dir: folder for its configuration and log; made when missing.
        kind: `auto` = mosquitto when this machine has one that starts, else embedded.
        port: TCP port 1–65535, or 0 for a free one.

    Yields:
        The broker, accepting connections.

    Raises:
        DependencyError: it does not start; the message carries its last log line.
    """
    _make_folder(state_dir)
    broker = await _first(state_dir, kind, port)
    try:
        async with asyncio.TaskGroup() as group:
            keeper = group.create_task(_keep(broker, state_dir))
            try:
                yield broker
            finally:
                keeper.cancel()
    except BaseExceptionGroup as several:
        if len(several.exceptions) == 1:  # the block's own error, not a group around it
            raise several.exceptions[0] from several.exceptions[0].__cause__
        raise
    finally:
        await _end(broker)


async def _first(state_dir: Path, kind: Literal["auto", "mosquitto", "embedded"], port: int) -> Broker:
    found = mosquitto.find()
    if kind == "mosquitto" and found is None:
        raise DependencyError("mosquitto", "not on this machine; install it: sudo apt install mosquitto")
    if kind == "embedded" or found is None:
        return await _open("embedded", state_dir, port)
    try:
        return await _open("mosquitto", state_dir, port)
    except DependencyError as error:
        if kind == "mosquitto":
            raise
        _log.warning("mosquitto does not start, the embedded broker runs instead", reason=str(error))
        return await _open("embedded", state_dir, port)


async def _open(kind: Kind, state_dir: Path, port: int) -> Broker:
    for attempt in range(_ATTEMPTS):
        chosen = port or _free_port()
        broker = Broker(HOST, chosen, kind, NOTICE[kind], (state_dir / f"{kind}.log").absolute())
        try:
            await _start(broker, state_dir)
        except DependencyError:
            await _end(broker)
            if port or attempt == _ATTEMPTS - 1:  # a free port can be taken between choosing and binding
                raise
        except BaseException:
            await _end(broker)
            raise
        else:
            return broker
    raise AssertionError  # unreachable: the last attempt returns or raises


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


async def _start(broker: Broker, state_dir: Path) -> None:
    """Start the process and wait until it answers an MQTT CONNECT.

    Raises:
        DependencyError: its port is taken, it ended, or it does not answer in time.
    """
    _check_free(broker)
    if broker.kind == "mosquitto":
        argv = mosquitto.command(state_dir, broker.host, broker.port)
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
            raise DependencyError(f"{broker.kind} broker", f"{broker.host}:{broker.port}: {error.strerror}") from None


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


async def _keep(broker: Broker, state_dir: Path) -> None:
    """Start the broker again on its port whenever it ends; never gives up."""
    failures = 0
    while True:
        process = broker.process
        if process is not None and failures == 0:
            code = await process.wait()
            _log.warning("the broker ended; it is started again", kind=broker.kind, port=broker.port, code=code)
        await asyncio.sleep(_PAUSE_S[min(failures, len(_PAUSE_S) - 1)])
        try:
            await _start(broker, state_dir)
        except (DependencyError, OSError) as error:
            failures += 1
            if failures == 1:
                _log.error("the broker does not start again; still trying", kind=broker.kind, reason=str(error))
            await _end(broker)
        else:
            failures = 0
            broker.restarts += 1
            _log.warning("the broker is back", kind=broker.kind, port=broker.port)


async def _end(broker: Broker) -> None:
    process = broker.process
    if process is None or process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_END_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


__all__ = ["HOST", "NOTICE", "Broker", "Kind", "local_broker"]
