"""What goes into records: line protocol, and the state it leads to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.ledger.carried import Readings


@dataclass(frozen=True, slots=True)
class Lines:
    """Encoded readings, or points of the agent's own making.

    Attributes:
        body: line protocol.
        points: readings, gaps and derived points in it.
        span_ns: oldest and newest time.
        resume: journal state these lines lead to, by key.
        replaced: whether taken again after a crash, they would be other points: a time in them is the agent's own
            instead of the source's, or two of them would count twice. Nobody may see them before they are durable.
        readings: the values of tags among them, as the ledger counts them.
    """

    body: bytes
    points: int
    span_ns: tuple[int, int]
    resume: Mapping[str, bytes]
    replaced: bool = False
    readings: tuple[Readings, ...] = ()

    def followed_by(self, other: Lines) -> Lines:
        """Both in one, which no record divides."""
        spans = [one.span_ns for one in (self, other) if one.points] or [self.span_ns]
        return Lines(
            self.body + other.body,
            self.points + other.points,
            (min(first for first, _ in spans), max(last for _, last in spans)),
            {**self.resume, **other.resume},
            self.replaced or other.replaced,
            self.readings + other.readings,
        )
