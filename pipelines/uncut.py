"""Work in a thread that is followed by what it leads to, though whoever waits for it is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")


async def to_its_end(work: asyncio.Future[_T], then: Callable[[asyncio.Future[_T]], _R]) -> _R:
    """Wait for `work`, call `then` with it, and only then be cancelled; `work` has to end by itself.

    Returns:
        What `then` returned.
    """
    cancelled = False
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError:
            cancelled = True
    try:
        return then(work)
    finally:
        if cancelled:
            raise asyncio.CancelledError
