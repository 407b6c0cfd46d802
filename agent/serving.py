"""The site server of a PC that stands alone: `agent run` starts `agent serve` beside itself, and again when it ends."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field

from agent.broker import child
from agent.supervise import keep_open
from pipelines.errors import LinkClosed
from pipelines.settings import Settings

LOOPBACK: Final = {"127.0.0.1", "localhost"}
_END_S: Final = 15.0
"""Longest wait for its end: it stores what it has first."""
_OF_THE_AGENT: Final = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}
"""What the service manager has said to the agent, and not to this process."""


class ServeSettings(Settings):
    """The site server that runs beside the agent: broker, embedded store and screen, as `agent serve` has them.

    For a PC that stands alone. The broker listens on this PC only, on the port of `mqtt`.
    """

    store: Path | None = None
    """Folder of the embedded store; default: `store` in the state folder."""
    host: str = "127.0.0.1"
    """Address of the screen. Elsewhere than on this PC alone it asks for a log-in."""
    port: Annotated[int, Field(ge=1, le=65535)] = 8080
    """Port of the screen."""
    access: Literal["auto", "login", "open", "open-to-all"] = "auto"
    """When the screen asks for a log-in: `auto` always, but not on this PC alone while there is no user; `login`;
    `open` never, on this PC alone; `open-to-all` never, whoever reaches the address."""


def command(settings: ServeSettings, mqtt_port: int, sites: Sequence[Path], state_dir: Path) -> list[str]:
    """The command line of the site server, after the Python interpreter."""
    store = settings.store or state_dir / "store"
    argv = ["-m", "agent.cli", "serve", "--json", "--log-level", "warning", "--store", str(store)]
    argv += ["--mqtt-port", str(mqtt_port), "--host", settings.host, "--port", str(settings.port)]
    argv += ["--access", settings.access, "--agent", str(state_dir)]
    return [*argv, *(word for path in sites for word in ("--site", str(path)))]


@asynccontextmanager
async def serving(argv: Sequence[str]) -> AsyncIterator[None]:
    """Keep the site server running while the block runs; whatever happens to it, the agent goes on.

    Args:
        argv: its command line, after the Python interpreter.
    """

    async def session(opened: Callable[[], None]) -> None:
        environment = {key: value for key, value in os.environ.items() if key not in _OF_THE_AGENT}
        process = await asyncio.create_subprocess_exec(
            *child.command([sys.executable, *argv]),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        try:
            assert process.stdout is not None
            if await process.stdout.readline():
                opened()
            raise LinkClosed("agent serve", f"ended with code {await process.wait()}; what it said stands above")
        finally:
            await _end(process)

    async with asyncio.TaskGroup() as group:
        keeper = group.create_task(keep_open("agent serve", session))
        try:
            yield
        finally:
            keeper.cancel()


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _END_S)
    except TimeoutError:
        process.kill()
        await process.wait()
