"""Counters as plain attributes: cheap to bump on the hot path, exported by whoever serves metrics."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from pipelines.point import TagFacts


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
        suppressed: readings held back by a deadband; never points.
        published: records handed to the broker, repeats included.
    """

    queued_at_start: int = 0
    accepted: int = 0
    stored: int = 0
    quarantined: int = 0
    expired: int = 0
    suppressed: int = 0
    published: int = 0
