"""Children of a simulation end, whatever happens to who started them."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

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


PARENT = f"""
import asyncio, sys
from pathlib import Path
from agent.simulate.children import Child
from agent.stopping import heed_one_interrupt, told_to_stop

async def run(begun):
    stop = told_to_stop("stopping", lambda: begun)
    child = Child("deaf", ["-c", {DEAF!r}], Path(sys.argv[1]), {{}})
    await child.start()
    try:
        print(child.pid, flush=True)
        await stop.wait()
    finally:
        await child.end(0.3)

heed_one_interrupt()
try:
    asyncio.run(run(sys.argv[2] == "begun"))
except asyncio.CancelledError:
    sys.exit(130)
"""


@pytest.mark.parametrize(
    ("state", "numbers", "code"),
    [
        ("begun", [signal.SIGINT] * 3, 0),
        ("starting", [signal.SIGINT] * 3, 130),
        ("begun", [signal.SIGTERM, signal.SIGINT, signal.SIGINT], 0),
        ("begun", [signal.SIGKILL], -signal.SIGKILL),
    ],
)
def test_no_child_outlives_its_parent_however_that_ends(
    state: str, numbers: list[signal.Signals], code: int, tmp_path: Path
) -> None:
    """Also while a child is deaf to being told to end, and Ctrl-C comes again meanwhile."""
    command = [sys.executable, "-c", PARENT, str(tmp_path / "log"), state]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stderr is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        try:
            for position, number in enumerate(numbers):
                parent.send_signal(number)
                if position == 0 and code == 0:
                    assert parent.stderr.readline() == b"stopping\n"
            assert parent.wait(20) == code, parent.stderr.read().decode()
            assert select.select([child], [], [], 20)[0], "the child goes on"
        finally:
            os.close(child)
