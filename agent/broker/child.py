"""Start a command that cannot outlive this process, not even when this process is killed with SIGKILL.

`python -IS child.py PARENT COMMAND…` asks the kernel for SIGKILL at its parent's death (`prctl(2)`,
PR_SET_PDEATHSIG) and then becomes COMMAND, so the process id stays. A `preexec_fn` would do the same but is unsafe
in a process with threads. The kernel forgets the wish when the command changes its user (mosquitto as root does so
unless its configuration names the user it already runs as).
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def command(argv: list[str]) -> list[str]:
    """The command line that runs `argv` as a child of the calling process and ends with it."""
    return [sys.executable, "-IS", __file__, str(os.getpid()), *argv]


def main() -> None:
    """Become the command named in the arguments."""
    parent, argv = int(sys.argv[1]), sys.argv[2:]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"prctl(PR_SET_PDEATHSIG): {os.strerror(code)}")
    if os.getppid() != parent:  # it died before the kernel knew our wish
        sys.exit(1)
    os.execvp(argv[0], argv)  # noqa: S606 - no shell wanted


if __name__ == "__main__":
    main()
