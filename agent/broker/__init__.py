"""A broker for one machine: its own mosquitto on a private port, else an embedded one, both as child processes.

The broker keeps nothing that matters: every record stays in the journal until the store confirmed it
(docs/decisions/0002-embedded-broker.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Literal

import structlog

from agent.broker import mosquitto
from agent.broker.process import HOST, Broker, Kind, end, free_port, start
from pipelines.errors import DependencyError

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
_PAUSE_S: Final = (0.0, 0.2, 1.0, 5.0)
_ATTEMPTS: Final = 5
_log = structlog.get_logger(__name__)


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
        await end(broker)


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
        chosen = port or free_port()
        broker = Broker(HOST, chosen, kind, NOTICE[kind], (state_dir / f"{kind}.log").absolute())
        started = False
        try:
            await start(broker, state_dir)
            started = True
        except DependencyError:
            if port or attempt == _ATTEMPTS - 1:  # a free port can be taken between choosing and binding
                raise
        finally:
            if not started:
                await end(broker)
        if started:
            return broker
    raise AssertionError  # unreachable: the last attempt returns or raises


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
            await start(broker, state_dir)
        except (DependencyError, OSError) as error:
            failures += 1
            if failures == 1:
                _log.error("the broker does not start again; still trying", kind=broker.kind, reason=str(error))
            await end(broker)
        else:
            failures = 0
            broker.restarts += 1
            _log.warning("the broker is back", kind=broker.kind, port=broker.port)


__all__ = ["HOST", "NOTICE", "Broker", "Kind", "local_broker"]
