"""What the store refuses of some records, cut down to lines of one field; everything else is stored on the way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pipelines.bridge.record import Record
from pipelines.bridge.sift import Try, dropped, sift
from pipelines.bridge.suspects import is_expired, suspects
from pipelines.encode.split import field_name, field_names, measurement, split_fields, split_lines, time_of
from pipelines.errors import RecordRejected, RecordTooLarge
from pipelines.place import OWN_MEASUREMENTS
from pipelines.settings import RESERVED_ENDINGS
from pipelines.topics import RecordId

_OWN: Final = "agent"
"""The measurement of the agent itself, which is no point."""


@dataclass(slots=True)
class Expired:
    """What the store refused of one record because it is older than what it keeps.

    Attributes:
        points: readings and gaps in it.
        lines: as they were sent.
        span_ns: oldest and newest time in it; None when it has none.
        reason: the store's.
    """

    points: int = 0
    lines: int = 0
    span_ns: tuple[int, int] | None = None
    reason: str = ""

    def add(self, line: bytes, points: int, reason: str) -> None:
        """One line more."""
        self.points += points
        self.lines += 1
        self.reason = self.reason or reason
        if (time_ns := time_of(line)) is not None:
            first, last = self.span_ns or (time_ns, time_ns)
            self.span_ns = (min(first, time_ns), max(last, time_ns))


@dataclass(slots=True)
class Refusal:
    """What the store refused of one record.

    Attributes:
        lines: for the quarantine: line of one field, field, points and reason of each.
        expired: what is older than the store keeps.
    """

    lines: list[dict[str, Any]] = field(default_factory=list)
    expired: Expired = field(default_factory=Expired)

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.lines or self.expired.lines)

    def answer(self, record: RecordId) -> dict[str, Any]:
        """What the agent is told on its topic `rejected`."""
        said: dict[str, Any] = {"record": str(record), "refused": self.lines}
        if self.expired.lines:
            first_ns, last_ns = self.expired.span_ns or (0, 0)
            said["expired"] = {
                "points": self.expired.points,
                "first_ns": first_ns,
                "last_ns": last_ns,
                "reason": self.expired.reason,
            }
        return said


async def write(records: Sequence[Record], attempt: Try) -> dict[RecordId, Refusal]:
    """Store records; what the store refuses of them, by record."""
    culprits = await _culprits([record.body for record in records], attempt)
    refused = {}
    for number in culprits:
        body = records[number].body
        found = await _lines(split_lines(body), attempt)
        refused[records[number].id] = _refusal(split_lines(body), found)
    return refused


async def _culprits(bodies: list[bytes], attempt: Try) -> list[int]:
    """Which bodies hold something the store refuses, or must be tried by themselves; the others are stored."""
    if len(bodies) == 1:
        return [0]
    refusal = await attempt(bodies)
    if refusal is None:
        return []
    if is_expired(refusal.reason):  # after a long outage all of them may be
        return list(range(len(bodies)))
    return sorted(await sift(bodies, refusal, attempt, points=False))


async def _lines(lines: list[bytes], attempt: Try) -> list[tuple[bytes, str]]:
    """Store lines; what the store refuses of them, mostly lines of one field, with its reasons."""
    refused: list[tuple[bytes, str]] = []
    while lines:
        refusal = await attempt(lines)
        if refusal is None:
            break
        if isinstance(refusal, RecordTooLarge) and len(lines) > 1:
            half = len(lines) // 2
            return refused + await _lines(lines[:half], attempt) + await _lines(lines[half:], attempt)
        if is_expired(refusal.reason) and dropped(refusal.reason) == len(lines):
            return refused + [(line, refusal.reason) for line in lines]
        named = suspects(lines, refusal.reason)
        if named is None:
            return refused + await _sift(lines, refusal, attempt)
        lines, bad = named
        if (answer := await attempt(bad)) is not None:
            refused += await _sift(bad, answer, attempt)
    return refused


async def _sift(lines: list[bytes], refusal: RecordRejected, attempt: Try) -> list[tuple[bytes, str]]:
    """The culprits of lines refused together, by halves."""
    if is_expired(refusal.reason) and dropped(refusal.reason) == len(lines):
        return [(line, refusal.reason) for line in lines]
    pieces = sorted((piece for line in lines for piece in split_fields(line)), key=_kin)
    refused = await sift(pieces, refusal, attempt, points=True)
    return [(pieces[number], refused[number]) for number in sorted(refused)]


def _kin(piece: bytes) -> tuple[str, int]:
    """Pieces refused for one reason are one stretch: a field of a changed type, and in it the times of one shard."""
    return field_name(piece), time_of(piece) or 0


def _refusal(lines: list[bytes], found: list[tuple[bytes, str]]) -> Refusal:
    """The pieces refused of a record's lines, counted as the points they are."""
    refusal = Refusal()
    names: dict[tuple[bytes, int | None], set[str]] = defaultdict(set)
    if found:
        touched = {_place(piece) for piece, _ in found}
        for line in lines:
            if (place := _place(line)) in touched:
                names[place].update(field_names(line))
    told: set[tuple[bytes, int | None]] = set()
    for piece, reason in found:
        place = _place(piece)
        points = _points(piece, names[place], first=place not in told)
        told.add(place)
        if is_expired(reason):
            refusal.expired.add(piece, points, reason)
        else:
            shown = {"line": piece.decode(errors="replace"), "field": field_name(piece)}
            refusal.lines.append({**shown, "points": points, "reason": reason})
    return refusal


def _place(line: bytes) -> tuple[bytes, int | None]:
    """Series, roughly, and time of a line."""
    return line.partition(b" ")[0], time_of(line)


def _points(piece: bytes, names: set[str], *, first: bool) -> int:
    """How many readings are lost with a piece of a line whose fields have these names.

    A reading is its value, or its quality when it has no value.
    """
    table = measurement(piece)
    if table == _OWN:
        return 0
    if table in OWN_MEASUREMENTS:
        return int(first)
    lost = set(field_names(piece))
    return len({_base(name) for name in lost if name == _base(name) or _base(name) not in names - lost})


def _base(name: str) -> str:
    for ending in RESERVED_ENDINGS:
        name = name.removesuffix(ending)
    return name
