"""What the collector costs, as the kernel tells it (proc(5)), and how it grows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LEAST_S: Final = 900.0
"""A life that goes on for less behind its warm-up tells nothing of growth."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a process.

    Attributes:
        at_s: monotonic seconds.
        pid: its process id: a life.
        rss_bytes: resident memory.
        fds: open files.
        threads: threads.
        cpu_s: CPU seconds of this life so far.
        written_bytes: bytes this life sent to the disk, as the kernel counts them.
    """

    at_s: float
    pid: int
    rss_bytes: int
    fds: int
    threads: int
    cpu_s: float
    written_bytes: int


def look(pid: int, at_s: float) -> Sample | None:
    """A sample of a process; None when it is gone."""
    folder = Path(f"/proc/{pid}")
    try:
        status = dict(_pairs((folder / "status").read_text(encoding="ascii", errors="replace")))
        stat = (folder / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        written = dict(_pairs((folder / "io").read_text(encoding="ascii")))
        fds = len(os.listdir(folder / "fd"))  # noqa: PTH208 - names only, thousands of times
    except (OSError, IndexError):
        return None
    if "VmRSS" not in status:  # it ends just now
        return None
    cpu_s = (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
    rss = int(status["VmRSS"].split()[0]) * 1024
    return Sample(at_s, pid, rss, fds, int(status["Threads"]), cpu_s, int(written["write_bytes"]))


def slope_per_h(samples: Sequence[Sample], name: str, warm_up_s: float) -> float | None:
    """Growth of a figure an hour, least squares with one slope for all lives and a level for each.

    Args:
        samples: in order of time.
        name: of the figure.
        warm_up_s: left out at the start of each life.

    Returns:
        None when no life goes on for `LEAST_S` behind its warm-up.
    """
    lives: dict[int, list[Sample]] = {}
    for one in samples:
        lives.setdefault(one.pid, []).append(one)
    above = below = 0.0
    for life in lives.values():
        begins_s = life[0].at_s + warm_up_s
        points = [(one.at_s, float(getattr(one, name))) for one in life if one.at_s >= begins_s]
        if not points or points[-1][0] - points[0][0] < LEAST_S:
            continue
        mean_s = sum(at for at, _ in points) / len(points)
        mean = sum(value for _, value in points) / len(points)
        above += sum((at - mean_s) * (value - mean) for at, value in points)
        below += sum((at - mean_s) ** 2 for at, _ in points)
    return above / below * 3600 if below else None


def total(samples: Sequence[Sample], name: str) -> float:
    """A counter that starts anew with each life, over all of them."""
    last: dict[int, float] = {}
    for one in samples:
        last[one.pid] = float(getattr(one, name))
    return sum(last.values())


def _pairs(text: str) -> list[tuple[str, str]]:
    return [(key, value.strip()) for key, _, value in (line.partition(":") for line in text.splitlines())]
