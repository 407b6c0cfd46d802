"""System calls of a running process that fail on purpose: strace, attached for a while."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pipelines.errors import DependencyError

_ATTACH_S: Final = 10.0
_PAUSE_S: Final = 0.01


def unavailable() -> str:
    """Why nothing can be injected here; empty when it can."""
    if shutil.which("strace") is None:
        return "needs strace: sudo apt install strace"
    if os.geteuid():
        return "needs root, to trace another process"
    return ""


@contextmanager
def injected(pid: int, *rules: str) -> Iterator[None]:
    """Every thread of a process gets these faults, for as long as the block runs.

    Args:
        pid: of the process.
        rules: as strace takes them, such as `fdatasync:error=EIO:when=3` (its third call, in each thread).

    Raises:
        DependencyError: strace is missing, or could not attach.
    """
    if reason := unavailable():
        raise DependencyError("strace", reason)
    calls = ",".join(rule.partition(":")[0] for rule in rules)
    words = [word for rule in rules for word in ("-e", f"inject={rule}")]
    command = ["strace", "-f", "-qq", "-o", os.devnull, "-p", str(pid), "-e", f"trace={calls}", *words]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
    try:
        _until_traced(pid, tracer)
        yield
    finally:
        tracer.send_signal(signal.SIGINT)  # detaches; the process goes on as if nothing had been
        try:
            tracer.communicate(timeout=_ATTACH_S)
        except subprocess.TimeoutExpired:
            tracer.kill()
            tracer.communicate()


def _until_traced(pid: int, tracer: subprocess.Popen[bytes]) -> None:
    """Wait until every thread is traced by `tracer`."""
    deadline_s = time.monotonic() + _ATTACH_S
    while not _traced(pid, tracer.pid):
        if tracer.poll() is not None or time.monotonic() > deadline_s:
            tracer.kill()
            said = tracer.communicate()[1].decode(errors="replace").strip()
            raise DependencyError("strace", f"cannot attach to process {pid}: {said or 'no answer'}")
        time.sleep(_PAUSE_S)


def _traced(pid: int, tracer: int) -> bool:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return bool(tasks) and all(f"\nTracerPid:\t{tracer}\n" in (task / "status").read_text() for task in tasks)
    except OSError:
        return False  # a thread ended between the two looks
