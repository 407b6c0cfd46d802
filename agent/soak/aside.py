"""What the agent lawfully keeps instead of the store: lines that the store was made to refuse, in the quarantine."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from pipelines.sinks.lineprotocol import parse
from viewer.stores import base

_SERIES: Final = re.compile(rb"(?:\\.|[^ \\])*")
"""Measurement and tags of a line, up to the first space that is not escaped."""
Entry = Mapping[str, Any]
"""`{"record": …, "refused": [{"line": …, "reason": …}, …]}`."""


@dataclass(frozen=True, slots=True)
class Aside:
    """The quarantine.

    Attributes:
        points: what the store was made to refuse, by machine and field.
        reasons: lines by the reason told.
        convicted: lines that the store was not made to refuse.
    """

    points: Mapping[tuple[str, str], base.Points]
    reasons: Mapping[str, int]
    convicted: Sequence[bytes]


def aside_of(entries: Iterable[Entry], refused: Mapping[bytes, bytes]) -> Aside:
    """What of the quarantine the store was really made to refuse.

    Args:
        entries: of the quarantine.
        refused: lines of line protocol that the relay before the store refused, and the bytes in them it refused them
            for; a kept line of the same series and time that holds these bytes is kept lawfully.
    """
    lawful: dict[tuple[bytes, bytes], set[bytes]] = {}
    for line, mark in refused.items():
        lawful.setdefault(_identity(line), set()).add(mark)
    reasons: Counter[str] = Counter()
    kept: list[bytes] = []
    convicted: list[bytes] = []
    for entry in entries:
        for one in entry["refused"]:
            line = str(one["line"]).encode()
            reasons[str(one["reason"])] += 1
            culprit = any(mark in line for mark in lawful.get(_identity(line), ()))
            (kept if culprit else convicted).append(line)
    found: dict[tuple[str, str], list[base.Points]] = {}
    for line in dict.fromkeys(kept):
        for column in parse(line):
            machine = dict(column.tags).get("machine", "")
            found.setdefault((machine, column.field), []).append(base.Points(column.time_ns, column.value))
    return Aside({key: _joined(some) for key, some in found.items()}, dict(reasons), convicted)


class Kept:
    """A store together with what is kept aside.

    Args:
        store: to read from.
        aside: what it was made to refuse.
    """

    def __init__(self, store: base.Store, aside: Aside) -> None:
        self._store = store
        self._aside = aside

    def readings(self, wanted: Sequence[tuple[base.Place, str]], start_ns: int, end_ns: int) -> list[base.Points]:
        """See `viewer.stores.base.Store.readings`."""
        found = self._store.readings(wanted, start_ns, end_ns)
        for which, (place, field) in enumerate(wanted):
            kept = self._aside.points.get((place.machine, field))
            if kept is not None:
                found[which] = _joined([found[which], kept])
        return found

    def gaps(self, company: str | None = None, start_ns: int | None = None) -> list[base.StoredGap]:
        """See `viewer.stores.base.Store.gaps`."""
        return self._store.gaps(company, start_ns)


def _identity(line: bytes) -> tuple[bytes, bytes]:
    """Series and time of a line; its fields may have been divided."""
    found = _SERIES.match(line.strip())
    return found[0] if found else b"", line.strip().rpartition(b" ")[2]


def _joined(some: list[base.Points]) -> base.Points:
    some = [one for one in some if len(one.time_ns)] or some[:1]
    times = np.concatenate([one.time_ns for one in some])
    values = np.concatenate([one.value for one in some])
    _, first = np.unique(times, return_index=True)
    return base.Points(times[first], values[first])
