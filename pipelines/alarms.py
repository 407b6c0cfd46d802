"""Alarms and events of devices to points of measurement `alarm`: one series per machine and alarm, none overwritten.

Two events of one alarm with the same time are moved by +1 ns each, also across a restart: `state` says which were. A
time off by more than the connection's `max_skew_s`, or none at all, is replaced by the agent's and kept as
`source_time`. A name that cannot be a series' tag is kept whole as `alarm_name`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

import orjson

from pipelines.encode.line import line
from pipelines.watched import PLAUSIBLE_NS

if TYPE_CHECKING:
    from pipelines.place import Place
    from pipelines.point import AlarmEvent

MOST_REMEMBERED: Final = 4096
"""Alarms whose last time is kept; beyond, the one that was quiet for longest is forgotten."""
MOST_KEPT: Final = 128
"""Of these, how many the journal keeps for the next process: it writes them with every event."""
_INT64: Final = range(-(2**63), 2**63)
_UNFIT: Final = re.compile(r"[\x00-\x1f\x7f\\]")
"""What no tag value of line protocol holds: control characters, and a backslash, which at its end eats a comma."""
_LONGEST: Final = 256
MOST_TEXT: Final = 16_384
"""Longest text of an event, characters, so that its UTF-8 fits the 65,535 bytes of a store; the rest is cut off, and
`cut` names the fields of which."""


def _series_name(alarm: str) -> str:
    return _UNFIT.sub("_", alarm)[:_LONGEST] or "_"


class Alarms:
    """Lines of one connection's events.

    Args:
        places: where each source of events stands, by its index.
        max_skew_s: largest believable difference of a device's clock, seconds.
        state: what `state` returned in an earlier process, or None.
    """

    def __init__(self, places: Sequence[Place], max_skew_s: float, state: bytes | None = None) -> None:
        self._places = places
        self._max_skew_ns = int(max_skew_s * 1e9)
        self._last: dict[str, list[int]] = orjson.loads(state) if state else {}

    def state(self) -> bytes:
        """Last source time and last time of each of the newest alarms, for the next process: JSON."""
        newest = islice(reversed(self._last.items()), MOST_KEPT)
        return orjson.dumps(dict(reversed(list(newest))))

    def encode(
        self, events: Sequence[AlarmEvent], now_ns: int, *, believed: bool = True
    ) -> tuple[bytes, list[int], bool]:
        """(the events as lines, the time of each in ns since 1970 UTC, whether one of them is the agent's own).

        A source's clock is measured by `now_ns` only where that is `believed`.
        """
        latest_ns = now_ns + self._max_skew_ns if believed else PLAUSIBLE_NS
        lines, times, replaced = [], [], False
        for event in events:
            place, fields = self._places[event.source], dict(event.fields)
            source_ns, name = event.time_ns, _series_name(event.alarm)
            if name != event.alarm:
                fields["alarm_name"] = event.alarm
            if source_ns <= 0 or source_ns > latest_ns:
                fields["source_time"] = source_ns if source_ns in _INT64 else _INT64[-1 if source_ns > 0 else 0]
                source_ns, replaced = now_ns, True
            if long := [key for key, value in fields.items() if isinstance(value, str) and len(value) > MOST_TEXT]:
                fields |= {key: f"{str(fields[key])[: MOST_TEXT - 1]}…" for key in long} | {"cut": " ".join(long)}
            time_ns = self._free(f"{place.machine}/{name}", source_ns)
            lines.append(line(place.series("alarm", (("alarm", name),)), fields, time_ns))
            times.append(time_ns)
        return b"".join(lines), times, replaced

    def _free(self, key: str, source_ns: int) -> int:
        """A time that no event of this alarm has taken."""
        last_source_ns, last_ns = self._last.pop(key, (0, 0))
        time_ns = last_ns + 1 if source_ns == last_source_ns else source_ns
        self._last[key] = [source_ns, time_ns]
        if len(self._last) > MOST_REMEMBERED:
            del self._last[next(iter(self._last))]
        return time_ns
