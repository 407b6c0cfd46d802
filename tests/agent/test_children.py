"""Children of a simulation end, whatever happens to who started them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from agent.simulate.children import Child

DEAF = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('{"deaf": true}', flush=True)
signal.pause()
"""


async def test_a_child_that_hears_nothing_is_killed_by_a_task_that_is_cancelled_itself(tmp_path: Path) -> None:
    """As when a run is interrupted twice: nothing of it may go on."""
    child = Child("deaf", ["-c", DEAF], tmp_path / "log", {})
    up = asyncio.Event()

    async def run() -> None:
        try:
            await child.start()
            up.set()
            await asyncio.Event().wait()
        finally:
            await child.end(0.05)

    running = asyncio.create_task(run())
    await up.wait()
    running.cancel()
    await asyncio.wait([running])
    assert child.process is not None
    gone = child.process.returncode
    if gone is None:
        child.process.kill()
        await child.process.wait()
    assert gone == -9
