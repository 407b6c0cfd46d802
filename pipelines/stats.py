"""Counters as plain attributes: cheap to bump on the hot path, exported by whoever serves metrics."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


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
        error: why the link is down; empty when it is up.
    """

    connected: bool = False
    opened: int = 0
    readings: int = 0
    requests: int = 0
    overruns: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    last_reading_ns: int = 0
    error: str = ""


@dataclass(slots=True)
class FlowStats:
    """Points on their way to the store; `queued_at_start + accepted = stored + queued + dropped + quarantined`.

    Attributes:
        queued_at_start: points found in the journal at start.
        accepted: points committed to disk.
        stored: points whose record the store confirmed.
        quarantined: points the store refused for good, kept on disk.
        suppressed: readings held back by a deadband; never points.
        published: records handed to the broker, repeats included.
    """

    queued_at_start: int = 0
    accepted: int = 0
    stored: int = 0
    quarantined: int = 0
    suppressed: int = 0
    published: int = 0
