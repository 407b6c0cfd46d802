"""The wall clock of the collector's machine jumps, and jumps back when it is over; its monotonic clock does not."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from agent.soak.fault import Fault
from agent.soak.stage import Stage

_LIBRARIES: Final = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/arm-linux-gnueabihf/faketime/libfaketimeMT.so.1",
)


def library() -> str:
    """The libfaketime of this machine; empty when there is none."""
    return next((path for path in _LIBRARIES if Path(path).exists()), "")


def faked(file: Path) -> dict[str, str]:
    """Environment of a process whose wall clock is off by what `file` says; it must exist."""
    return {
        "LD_PRELOAD": library(),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_CACHE_DURATION": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


@dataclass(frozen=True, slots=True)
class ClockJump(Fault):
    """The wall clock jumps by some seconds, and back.

    Attributes:
        offset_s: by how much, seconds; negative = back.
    """

    name: ClassVar[str] = "clock_jump"
    offset_s: int = 3600

    def unavailable(self) -> str:
        """Why no clock can be faked here; empty when one can."""
        return "" if library() else "needs libfaketime: sudo apt install libfaketime"

    def lacking(self, stage: Stage) -> str:
        """What this run has not; empty when nothing is missing."""
        return "" if stage.clock_file else "the collector's clock is not faked in this run"

    async def run(self, stage: Stage, seconds: float) -> None:
        """Off for `seconds`."""
        assert stage.clock_file is not None
        try:
            write_offset(stage.clock_file, self.offset_s)
            await asyncio.sleep(seconds)
        finally:
            write_offset(stage.clock_file, 0)


def write_offset(file: Path, offset_s: int) -> None:
    """What libfaketime reads, put there in one step."""
    fresh = file.with_suffix(".new")
    fresh.write_text(f"{offset_s:+d}\n", encoding="ascii")
    fresh.rename(file)
