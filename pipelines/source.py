"""One connection's way from a delivery to lines: normalize, stamp, mark quality, encode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import orjson

from pipelines.encode.line import Column, LineEncoder, Series, line
from pipelines.normalize import Normalizer
from pipelines.point import BAD, SEVERITY_MASK, Delivery, Gap, Scan
from pipelines.settings import ConnectionSettings, TagSettings
from pipelines.stamp import Stamper
from pipelines.word import Words

CHUNK: Final = 5000
"""Readings encoded at once: a record of this size costs the bridge and the store the least per value."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a machine stands (ISA-95); empty levels are left out of the series."""

    measurement: str
    company: str
    site: str
    line: str
    machine: str

    def series(self, measurement: str | None = None, extra: tuple[tuple[str, str], ...] = ()) -> Series:
        """The series of this machine, or of another measurement about it."""
        names = (("company", self.company), ("site", self.site), ("line", self.line), ("machine", self.machine))
        return Series(measurement or self.measurement, names + extra)


@dataclass(frozen=True, slots=True)
class Lines:
    """Encoded readings.

    Attributes:
        body: line protocol.
        points: readings and gaps in it.
        span_ns: oldest and newest time.
        resume: journal state these lines lead to, by key.
        replaced: whether a time in them is the agent's own instead of the source's: the same reading taken again would
            get another one, so nobody may see these lines before they are durable.
    """

    body: bytes
    points: int
    span_ns: tuple[int, int]
    resume: Mapping[str, bytes]
    replaced: bool = False


class Source:
    """The pipeline of one connection.

    Args:
        settings: the connection.
        places: where each of its tags stands, in table order.
        state: the journal's resume state; keys of this connection are read from it.
    """

    def __init__(self, settings: ConnectionSettings, places: Sequence[Place], state: Mapping[str, bytes]) -> None:
        tags = settings.tag_list()
        self.name = settings.name
        self.tags = tags
        self._places = places
        self._keys = {kind: f"{kind}:{settings.name}" for kind in ("link", "kinds", "stamps", "words")}
        kinds = state.get(self._keys["kinds"])
        self._normalizer = Normalizer(
            [_resolved(tag, place) for tag, place in zip(tags, places, strict=True)],
            orjson.loads(kinds) if kinds else None,
        )
        self._pinned = dict(self._normalizer.kinds)
        skews = [round((tag.max_skew_s or settings.max_skew_s) * 1e9) for tag in tags]
        names = [f"{place.machine}/{tag.name}" for tag, place in zip(tags, places, strict=True)]
        self._stamper = Stamper(skews, state.get(self._keys["stamps"]), names)
        self._stamps = state.get(self._keys["stamps"], b"[]")
        self._encoder = LineEncoder(
            [(place.series(), tag.name) for tag, place in zip(tags, places, strict=True)],
        )
        self._told = np.zeros(len(tags), dtype=bool)
        self._replaced = False
        self._words = Words(names)
        self._words.restore(state.get(self._keys["words"]))
        self.link_resume = state.get(self._keys["link"])

    @property
    def suppressed(self) -> int:
        """Readings held back by a deadband since the start."""
        return self._normalizer.suppressed

    def encode(self, delivery: Delivery, now_ns: int) -> list[Lines]:
        """The delivery as lines in chunks; the resume state goes with the last one."""
        out: list[Lines] = []
        if delivery.gaps:
            out.append(self._gaps(delivery.gaps))
            behind = np.array([gap.tag for gap in delivery.gaps], dtype=np.int32)
            self._told[behind] = False
            self._normalizer.forget_deadband(behind)
        columns: list[Column] = []
        points = 0
        for scan in delivery.scans:
            for start in range(0, len(scan), CHUNK):
                part = scan if len(scan) <= CHUNK else scan.take(np.arange(start, min(start + CHUNK, len(scan))))
                for one in self._normalizer.normalize(part):
                    columns += self._columns(one, now_ns, delivery.device_time_ns)
                    points += len(one)
                if points >= CHUNK:
                    out.append(self._close(columns, points))
                    columns, points = [], 0
        if columns:
            out.append(self._close(columns, points))
        resume = self._state(delivery.resume)
        if resume:
            last = out.pop() if out else Lines(b"", 0, (now_ns, now_ns), {})
            out.append(replace(last, resume=resume))
        return out

    def lost(self, status: int, now_ns: int) -> Lines:
        """A bad reading of every tag at once, when the link is gone; it leaves source times alone."""
        n = len(self.tags)
        tag, time_ns = np.arange(n, dtype=np.int32), np.full(n, now_ns, dtype=np.int64)
        column = self._encoder.qualities(tag, time_ns, np.full(n, status, dtype=np.uint32))
        self._told[:] = False
        self._normalizer.forget_deadband(tag)
        self._words.say(tag, now_ns, np.full(n, status, dtype=np.uint32))
        return replace(self._close([column], n), resume={self._keys["words"]: self._words.state()})

    def _columns(self, scan: Scan, now_ns: int, device_time_ns: int | None) -> list[Column]:
        stamped = self._stamper.stamp(scan, now_ns, device_time_ns)
        scan, source = stamped.scan, stamped.source_ns
        columns = []
        if not scan.status.any() and self._told[scan.tag].all():
            columns.append(self._encoder.values(scan.tag, scan.time_ns, scan.value))
        else:
            usable = scan.status & SEVERITY_MASK != BAD
            columns.append(self._encoder.values(scan.tag[usable], scan.time_ns[usable], scan.value[usable]))
            told = (scan.status != 0) | ~self._told[scan.tag]
            columns.append(self._encoder.qualities(scan.tag[told], scan.time_ns[told], scan.status[told]))
            self._told[scan.tag] = True
        if source is not None:
            self._replaced = True
            moved = source != 0
            columns.append(self._encoder.source_times(scan.tag[moved], scan.time_ns[moved], source[moved]))
        if self._words.pending:
            tag, status = self._words.outdated(scan)
            if len(tag):
                columns.append(self._encoder.qualities(tag, self._words.say(tag, now_ns, status), status))
        return [column for column in columns if len(column.slot)]

    def _close(self, columns: list[Column], points: int) -> Lines:
        times = np.concatenate([column.time_ns for column in columns])
        replaced, self._replaced = self._replaced, False
        return Lines(self._encoder.lines(columns), points, (int(times.min()), int(times.max())), {}, replaced)

    def _gaps(self, gaps: Sequence[Gap]) -> Lines:
        body = b"".join(gap_line(self._places[gap.tag], self.tags[gap.tag].name, gap) for gap in gaps)
        starts = [gap.start_ns for gap in gaps]
        return Lines(body, len(gaps), (min(starts), max(starts)), {})

    def _state(self, link: bytes | None) -> dict[str, bytes]:
        """Only what changed since the last call."""
        state: dict[str, bytes] = {}
        if link is not None:
            state[self._keys["link"]] = link
        if len(self._pinned) != len(self._normalizer.kinds):
            self._pinned = dict(self._normalizer.kinds)
            state[self._keys["kinds"]] = orjson.dumps(self._pinned)
        if self._words.changed:
            state[self._keys["words"]] = self._words.state()
        stamps = self._stamper.state()
        if stamps != self._stamps:
            self._stamps = state[self._keys["stamps"]] = stamps
        return state


def _resolved(tag: TagSettings, place: Place) -> TagSettings:
    return tag.model_copy(update={"machine": place.machine})


def gap_line(place: Place, tag: str, gap: Gap) -> bytes:
    """The point of one gap; a later one with the same tag, cause and start updates it."""
    fields: dict[str, object] = {"filled": False}
    if gap.end_ns is not None:
        fields["end"] = gap.end_ns
    if gap.count is not None:
        fields["count"] = gap.count
    return line(place.series("gap", (("tag", tag), ("cause", gap.cause))), fields, gap.start_ns)
