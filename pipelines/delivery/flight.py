"""A record on its way."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.journal.journal import Stored


@dataclass(slots=True)
class Flight:
    """A record in the window.

    Attributes:
        stored: where it is.
        historical: whether it is sent as backlog.
        sent_s: monotonic time of the last send; 0 = waiting to be sent.
        heard_s: monotonic time of the broker's answer for the last send; 0 = none yet.
        endings: sessions in a row that ended before it did.
        alone: of these, sessions that worked, with this record alone unanswered.
    """

    stored: Stored
    historical: bool
    sent_s: float = 0.0
    heard_s: float = 0.0
    endings: int = 0
    alone: int = 0
