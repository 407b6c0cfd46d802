"""Ctrl-C and SIGTERM: they end a process in order, and never by an exception in the middle of something."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from agent.output import say


def when_told(act: Callable[[], object]) -> None:
    """Call `act` in the running event loop at each SIGINT and SIGTERM."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, act)


def told_to_stop(said: str) -> asyncio.Event:
    """Set by the first SIGINT or SIGTERM; a second one cancels the task that called this.

    Args:
        said: to people, at the first one.
    """
    stop = asyncio.Event()
    here = asyncio.current_task()
    assert here is not None

    def interrupted() -> None:
        if stop.is_set():
            here.cancel()
            return
        say(said)
        stop.set()

    when_told(interrupted)
    return stop
