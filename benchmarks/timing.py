"""Rounds of ours and theirs, one after the other, so that a noisy machine disturbs both alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

ROUNDS = 7


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        name: of design §6.
        what: what one value goes through here.
        theirs: what it is compared with.
        values: values per call of `ours` and of `reference`.
        ours: one call.
        reference: one call of the library's own way.
    """

    name: str
    what: str
    theirs: str
    values: tuple[int, int]
    ours: Callable[[], object]
    reference: Callable[[], object]


def cpu_s(call: Callable[[], object], at_least_s: float = 0.15) -> float:
    """CPU seconds of one call, over as many calls as take a while; all threads of this process count."""
    call()
    calls, spent = 0, 0.0
    began = time.process_time()
    while spent < at_least_s:
        call()
        calls += 1
        spent = time.process_time() - began
    return spent / calls


def measure(stage: Stage) -> dict[str, float]:
    """Median values per CPU-second of ours, and the median of the ratios of each round."""
    ours, ratios = [], []
    for _ in range(ROUNDS):
        mine = stage.values[0] / cpu_s(stage.ours)
        theirs = stage.values[1] / cpu_s(stage.reference)
        ours.append(mine)
        ratios.append(mine / theirs)
    return {"values_per_cpu_s": round(statistics.median(ours)), "ratio": round(statistics.median(ratios), 1)}
