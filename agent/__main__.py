"""`agent`: what runs first, so that Ctrl-C ends it in silence also while the command line is still imported."""

from __future__ import annotations

import os
import signal
from typing import NoReturn


def main() -> None:
    """Run the command line; 130 where it is interrupted before it is there, in silence."""
    heeded = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if heeded:
        signal.signal(signal.SIGINT, _end)
    from agent.cli import main as command  # noqa: PLC0415 — takes long on a small PC

    if heeded:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    command()


def _end(*_: object) -> NoReturn:
    """Nothing was begun, and an exception may be swallowed by what is being imported."""
    os._exit(130)


if __name__ == "__main__":
    main()
