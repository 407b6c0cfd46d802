"""Waiting for what can be observed."""

import asyncio
from collections.abc import Callable


async def until(met: Callable[[], object], deadline_s: float = 30.0) -> None:
    async with asyncio.timeout(deadline_s):
        while not met():  # noqa: ASYNC110 - what is watched are no events of ours
            await asyncio.sleep(0.005)
