"""Ctrl-C and SIGTERM: they end a process in order, and never by an exception in the middle of something."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import NoReturn

from agent.output import say


def heed_one_interrupt() -> None:
    """From now on the first SIGINT is a `KeyboardInterrupt`, and further ones, on the way out, are ignored.

    Where SIGINT is ignored already, or something else hears it, that stays.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _once)


def _once(*_: object) -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def when_told(act: Callable[[], object]) -> None:
    """Call `act` in the running event loop at each SIGINT and SIGTERM."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, act)


def told_to_stop(said: str, begun: Callable[[], bool] = lambda: True) -> asyncio.Event:
    """Set by the first SIGINT or SIGTERM; further ones are ignored until the process ends.

    Args:
        said: to people, when it is set.
        begun: whether there is anything to stop in order yet; if not, the task that called this is cancelled.
    """
    stop = asyncio.Event()
    here = asyncio.current_task()
    assert here is not None

    def interrupted() -> None:
        if stop.is_set():
            return
        stop.set()
        asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # also when the loop is over
        if begun():
            say(said)
        else:
            here.cancel()

    when_told(interrupted)
    return stop
