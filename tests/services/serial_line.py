"""A serial line without wires: two ends of a pseudo terminal, by socat."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

DEADLINE_S = 10.0


@dataclass(frozen=True)
class Line:
    """A running line.

    Attributes:
        ours: device of the agent's end.
        theirs: device of the other end.
        process: socat.
    """

    ours: Path
    theirs: Path
    process: subprocess.Popen[bytes]

    def cut(self) -> None:
        """Both ends are gone, as when the adapter is pulled out."""
        self.process.terminate()
        self.process.wait(DEADLINE_S)


@contextmanager
def serial_line(folder: Path) -> Iterator[Line]:
    """A line whose ends are `folder/ours` and `folder/theirs`."""
    assert shutil.which("socat"), "socat is missing: run deploy/test-components.sh"
    ours, theirs = folder / "ours", folder / "theirs"
    ends = [f"pty,raw,echo=0,link={end}" for end in (ours, theirs)]
    with subprocess.Popen(["socat", *ends], stderr=subprocess.PIPE) as process:
        try:
            until_s = time.monotonic() + DEADLINE_S
            while not (ours.exists() and theirs.exists()):
                assert process.poll() is None, process.stderr and process.stderr.read()
                assert time.monotonic() < until_s, "socat made no line"
                time.sleep(0.005)
            yield Line(ours, theirs, process)
        finally:
            process.terminate()


def is_free(device: Path) -> bool:
    """Whether nobody holds the lock that a well-behaved program takes on a port."""
    fd = os.open(device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True
