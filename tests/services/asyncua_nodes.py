"""asyncua's server as tests use it: it starts in ms instead of 1 s, and ends without the second its clock sleeps."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from asyncua import Server
from asyncua.server.internal_server import InternalServer


@cache
def _shelf() -> Path:
    """The standard address space, parsed once per test process: the first server writes it."""
    folder = tempfile.TemporaryDirectory(prefix="sf-asyncua-")
    atexit.register(folder.cleanup)
    return Path(folder.name) / "nodes"


class _Inner(InternalServer):  # type: ignore[misc]  # asyncua has no types
    async def stop(self) -> None:
        if self.time_task:
            self.time_task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.time_task
            self.time_task = None
        await super().stop()


async def new_server() -> Any:
    """A server with the standard address space, to be started."""
    server = Server(iserver=_Inner())
    await server.init(shelf_file=_shelf())
    return server
