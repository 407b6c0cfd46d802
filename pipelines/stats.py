"""Counters as plain attributes: cheap to bump on the hot path, exported by whoever serves metrics."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from pipelines.point import TagFacts

SYNC_LIMITS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""An NVMe takes 1 ms, a tired SD card seconds."""


@dataclass(slots=True)
class LinkStats:
    """What one connection did since the process started.

    Attributes:
        connected: whether a link is open now.
        opened: links opened.
        readings: readings delivered.
        requests: requests sent to the device.
        overruns: scheduled reads that were skipped because the previous one was late.
        rejected: replies or notifications refused, by reason.
        last_reading_ns: time of the newest delivery, ns since 1970 UTC; 0 = none yet.
        last_good_ns: time of the newest delivery with a good value in it, ns since 1970 UTC; 0 = none yet.
        turn_due_s: monotonic time by which the loop that polls promised to have turned; infinite while none does.
        error: why the link is down; empty when it is up.
        refused: tags the device refuses now: their StatusCode by row of the tag table.
        facts: what the device says of its tags, by row of the tag table.
        notices: things a person should act on in time, such as a certificate that expires: text by short key.
    """

    connected: bool = False
    opened: int = 0
    readings: int = 0
    requests: int = 0
    overruns: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    last_reading_ns: int = 0
    last_good_ns: int = 0
    turn_due_s: float = math.inf
    error: str = ""
    refused: dict[int, int] = field(default_factory=dict)
    facts: dict[int, TagFacts] = field(default_factory=dict)
    notices: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class FlowStats:
    """Points on their way to the store; `queued_at_start + accepted = stored + queued + dropped + quarantined`.

    Attributes:
        queued_at_start: points found in the journal at start.
        accepted: points committed to disk.
        stored: points whose record the store confirmed.
        quarantined: points the store refused for good, kept on disk.
        expired: points older than the store keeps, dropped.
        retried: points out of quarantine, accepted anew.
        suppressed: readings held back by a deadband; never points.
        published: records handed to the broker, repeats included.
    """

    queued_at_start: int = 0
    accepted: int = 0
    stored: int = 0
    quarantined: int = 0
    expired: int = 0
    retried: int = 0
    suppressed: int = 0
    published: int = 0


class Durations:
    """How often something took how long.

    Args:
        limits_s: upper limits of the classes, seconds, ascending; what takes longer is counted behind the last.

    Attributes:
        sum_s: of all, seconds.
    """

    def __init__(self, limits_s: Sequence[float] = SYNC_LIMITS_S) -> None:
        self.sum_s = 0.0
        self._limits_s = limits_s
        self._counts = [0] * (len(limits_s) + 1)

    def add(self, took_s: float) -> None:
        """One more."""
        self.sum_s += took_s
        self._counts[sum(took_s > limit_s for limit_s in self._limits_s)] += 1

    @property
    def buckets(self) -> list[tuple[str, int]]:
        """How many took at most so long, by limit as Prometheus writes it (`le`); the last holds all."""
        limits = [*map(str, self._limits_s), "+Inf"]
        return list(zip(limits, accumulate(self._counts), strict=True))
