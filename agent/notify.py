"""The service manager: sd_notify(3) over `$NOTIFY_SOCKET`, silent without one."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn


def notify(state: str) -> None:
    """Send one state, for example `READY=1`; a manager that is gone is no error."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.connect("\0" + address[1:] if address.startswith("@") else address)
        out.sendall(state.encode())


async def watchdog(alive: Callable[[], bool], status: Callable[[], str]) -> NoReturn:
    """Feed the watchdog twice per `WATCHDOG_USEC` for as long as `alive()`; keep the status line current."""
    period_s = int(os.environ.get("WATCHDOG_USEC", "20000000")) / 2e6
    while True:
        if alive():
            notify(f"WATCHDOG=1\nSTATUS={status()}")
        await asyncio.sleep(period_s)
