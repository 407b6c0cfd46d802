"""One connection's way from a delivery to lines: normalize, stamp, mark quality, encode.

Its tag table grows while it runs: elements of arrays and fields of structures come as rows behind the configured tags.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from pipelines.alarms import Alarms
from pipelines.derive.ear import Ear
from pipelines.derive.engine import Engine
from pipelines.derive.own_time import OwnTime
from pipelines.derive.rule import Ref
from pipelines.encode.gap import gap_line
from pipelines.encode.line import Column, LineEncoder
from pipelines.ledger.carried import Names, Readings
from pipelines.lines import Lines
from pipelines.normalize import Normalizer
from pipelines.parts import Parts, new_rows
from pipelines.place import Place
from pipelines.point import (
    BAD,
    BAD_NO_COMMUNICATION,
    SEVERITY_MASK,
    UNCERTAIN,
    UNCERTAIN_LAST_USABLE,
    AlarmEvent,
    Delivery,
    Gap,
    Scan,
)
from pipelines.settings import ConnectionSettings, TagSettings
from pipelines.stamp import Stamper
from pipelines.watched import WatchedClock
from pipelines.word import Words

CHUNK: Final = 5000
"""Readings encoded at once: a record of this size costs the bridge and the store the least per value."""
_AGAIN_S: Final = 60.0
"""After its first delivery a source has told again by now what it had told before a restart."""
_KEPT: Final = ("link", "kinds", "stamps", "newest", "words", "events")
"""Kinds of resume state that a connection has in the journal."""
EVENTS: Final = "*events"
"""What stands for the tag in the gap of a source of events; no tag can have this name."""


class Source:
    """The pipeline of one connection.

    Args:
        settings: the connection.
        places: where each of its tags stands, in table order.
        state: the journal's resume state; keys of this connection are read from it.
        event_places: where each of its sources of events stands.
        clock: says whether the agent's own times are estimates; None = they never are.
        engine: has the rules that read its tags; None = none does.

    Attributes:
        name: of the connection.
        tags: settings of every row of the tag table, parts included.
        parts: rows behind the configured tags; shared with the connection's links.
        link_resume: the last resume state that is durable.
    """

    def __init__(
        self,
        settings: ConnectionSettings,
        places: Sequence[Place],
        state: Mapping[str, bytes],
        event_places: Sequence[Place] = (),
        clock: WatchedClock | None = None,
        engine: Engine | None = None,
    ) -> None:
        tags = settings.tag_list()
        self.name = settings.name
        self._clock = clock
        self._default_skew_s = settings.max_skew_s
        self._keys = {kind: f"{kind}:{settings.name}" for kind in _KEPT}
        self._places = list(places)
        self.tags = [_resolved(tag, place) for tag, place in zip(tags, places, strict=True)]
        names = self._names(0)
        self.parts = Parts(len(tags), names)
        kinds = state.get(self._keys["kinds"])
        self._normalizer = Normalizer(self.tags, orjson.loads(kinds) if kinds else None)
        self._pinned = dict(self._normalizer.kinds)
        self._stamps = {key: one for key, one in state.items() if key.partition("#")[0] == self._keys["stamps"]}
        self._stamper = Stamper(self._skews_ns(0), self._stamps.values(), names, state.get(self._keys["newest"]))
        self._newest = self._stamper.newest()
        self._fresh = True
        self._again: tuple[float, int] | None = None
        self._readings: list[Readings] = []
        self._encoder = self._make_encoder()
        self._told = np.zeros(len(tags), dtype=bool)
        self._replaced = False
        self._words = Words(names)
        self._words.restore(state.get(self._keys["words"]))
        self._event_places = event_places
        self._alarms = Alarms(event_places, settings.max_skew_s, state.get(self._keys["events"]))
        self._watched = np.array([index for index, tag in enumerate(tags) if tag.stale_after_s], dtype=np.int32)
        self._patience_ns = np.array([int((tags[index].stale_after_s or 0) * 1e9) for index in self._watched])
        self._heard_ns = np.zeros(len(tags), dtype=np.int64)
        self._whole = np.arange(len(tags), dtype=np.int32)
        self.stale: set[int] = set()
        self.link_resume = state.get(self._keys["link"])
        self._ear = Ear(engine or Engine({}))
        self._own_time = OwnTime()
        self.follow_rules()

    @property
    def suppressed(self) -> int:
        """Readings held back by a deadband since the start."""
        return self._normalizer.suppressed

    @property
    def mismatched(self) -> dict[int, tuple[str, str]]:
        """Rows that come as another type than they are stored: both, (that of the last reading, the stored one)."""
        return self._normalizer.mismatched

    def follow_rules(self) -> None:
        """The engine has other rules, or the tag table more rows."""
        refs = [Ref(place.machine, tag.name) for tag, place in zip(self.tags, self._places, strict=True)]
        self._ear.follow(refs, [tag.tells_changes_alone() for tag in self.tags])

    def recall(self, now_ns: int) -> Lines | None:
        """What rules make of tags that say nothing although the link is up again: they have not changed.

        Args:
            now_ns: the agent's time, ns since 1970 UTC; the link must be up.
        """
        self._ear.recall(now_ns, self._steady(now_ns))
        return self._ear.gather(now_ns)

    def encode(self, delivery: Delivery, now_ns: int) -> list[Lines]:
        """The delivery as lines in chunks; the resume state goes with the last one, and what is derived from it."""
        if len(self.parts) > len(self.tags) - self.parts.first:
            self._grow()
        out: list[Lines] = []
        if delivery.gaps:
            out.append(self._gaps(delivery.gaps))
            behind = np.array([gap.tag for gap in delivery.gaps if not gap.filled and gap.tag >= 0], dtype=np.int32)
            self._told[behind] = False
            self._normalizer.forget_deadband(behind)
        if delivery.events:
            out.append(self._events(delivery.events, now_ns))
        self._see_times(delivery, now_ns)
        columns: list[Column] = []
        points, again_ns = 0, self._again_ns(delivery, now_ns) if delivery.scans else 0
        for part in _chunks(delivery.scans):
            for one in self._stored(part, delivery, now_ns, again_ns):
                columns += self._past(one) if delivery.historical else self._columns(one, now_ns, delivery)
                points += len(one)
            if points >= CHUNK:
                out.append(self._close(columns, points))
                columns, points = [], 0
        if columns:
            out.append(self._close(columns, points))
        state = self._state(delivery.resume)
        for more in (Lines(b"", 0, (now_ns, now_ns), state) if state else None, self._ear.gather(now_ns)):
            if more is not None:
                out.append(out.pop().followed_by(more) if out else more)
        return out

    def _stored(self, scan: Scan, delivery: Delivery, now_ns: int, again_ns: int) -> list[Scan]:
        """The readings as they are stored; rules hear live ones, at their time by the agent's clock."""
        typed = self._normalizer.typed(scan)
        believed = self._clock is None or self._clock.believed
        for one in () if delivery.historical else filter(None, map(self._ear.wanted, typed)):
            skewed = self._stamper.skewed(one, now_ns, delivery.device_time_ns, believed=believed)
            own_ns = np.where(skewed, now_ns, self._own_time.of(one.time_ns, now_ns))
            self._ear.hear(one, own_ns, np.where(skewed, now_ns, one.time_ns))
        return self._normalizer.kept(typed, historical=delivery.historical, known_from_ns=again_ns)

    def _see_times(self, delivery: Delivery, now_ns: int) -> None:
        """Take note of how far the clock behind these readings is off; times that cannot be right say nothing."""
        if delivery.historical or not self._ear.listens:
            return
        believed = self._clock is None or self._clock.believed
        device_ns, scans = delivery.device_time_ns, delivery.scans
        sound = (self._stamper.newest_sound(one, now_ns, device_ns, believed=believed) for one in scans)
        if newest_ns := max(sound, default=0):
            shift_ns = 0 if self._clock is None else self._clock.shift_ns
            self._own_time.see(newest_ns, now_ns, time.monotonic(), shift_ns)

    def _again_ns(self, delivery: Delivery, now_ns: int) -> int:
        """Readings before this time may be told for the second time: one process stored them and forgot it.

        What it had published when the power went is in the store, by a comparison that nobody knows any more. The
        source tells it again in the first deliveries; whatever a deadband would say now, it is stored again.
        """
        if self._again is None:
            self._again = time.monotonic() + _AGAIN_S, max(now_ns, delivery.device_time_ns or 0)
        until_s, again_ns = self._again
        return again_ns if time.monotonic() < until_s else 0

    def accepted(self, delivery: Delivery) -> None:
        """A delivery is on disk for good: tell who gave it."""
        if delivery.resume is not None:
            self.link_resume = delivery.resume
        delivery.accepted()

    def overdue(self, now_ns: int) -> Lines | None:
        """A word on tags that say less often than `stale_after_s` promises, once each time; None when there is none.

        Args:
            now_ns: the agent's time, ns since 1970 UTC; the link must be up, or silence says nothing of a tag.
        """
        if not len(self._watched):
            return None
        now_ns, told_ns = self._steady(now_ns), now_ns
        heard_ns = self._heard_ns[self._watched]
        np.maximum(heard_ns, np.where(heard_ns == 0, now_ns, 0), out=heard_ns)
        self._heard_ns[self._watched] = heard_ns
        late = self._watched[now_ns - heard_ns > self._patience_ns]
        late = np.array([tag for tag in late.tolist() if tag not in self.stale], dtype=np.int32)
        if not len(late):
            return None
        self.stale.update(late.tolist())
        rows = np.flatnonzero(np.isin(self._whole, late))
        shapes = [row for row in set(self._whole[self.parts.first :].tolist()) if self._normalizer.is_text(row)]
        # What a whole says of its shape, `[3]`, comes once: it would stay uncertain when its parts speak again.
        said = self._say(np.setdiff1d(rows, shapes).astype(np.int32), UNCERTAIN_LAST_USABLE, told_ns)
        self._ear.doubt(rows, BAD_NO_COMMUNICATION, told_ns)  # for rules it is not what is there now
        derived = self._ear.gather(told_ns)
        return said.followed_by(derived) if derived else said

    def lost(self, status: int, now_ns: int) -> Lines:
        """A bad reading of every tag at once, when the link is gone; it leaves source times alone."""
        self._heard_ns[:] = 0
        self.stale.clear()
        said = self._say(np.arange(len(self.tags), dtype=np.int32), status, now_ns)
        self._ear.lost(status, now_ns)
        self._own_time.lost()
        derived = self._ear.gather(now_ns)
        return said.followed_by(derived) if derived else said

    def _say(self, tag: NDArray[np.int32], status: int, now_ns: int) -> Lines:
        """The agent's own word on the quality of these tags, until their next reading."""
        status_of = np.full(len(tag), status, dtype=np.uint32)
        column = self._encoder.qualities(tag, self._words.say(tag, now_ns, status_of), status_of)
        self._told[tag] = False
        self._normalizer.forget_deadband(tag)
        return replace(self._close([column], len(tag)), resume={self._keys["words"]: self._words.state()})

    def _columns(self, scan: Scan, now_ns: int, delivery: Delivery) -> list[Column]:
        if self._clock is not None and delivery.device_time_ns is None:
            scan = self._doubted(scan, self._clock)
        believed = self._clock is None or self._clock.believed
        stamped = self._stamper.stamp(scan, now_ns, delivery.device_time_ns, believed=believed)
        scan, source = stamped.scan, stamped.source_ns
        if len(self._watched):
            whole = self._whole[scan.tag]  # a tag that comes in parts speaks through them
            self._heard_ns[whole] = self._steady(now_ns)
            if self.stale:
                self.stale.difference_update(whole.tolist())
        columns = []
        if not scan.status.any() and self._told[scan.tag].all():
            columns.append(self._values(scan))
        else:
            told = (scan.status != 0) | ~self._told[scan.tag]
            columns += self._with_quality(scan, told)
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

    def _steady(self, now_ns: int) -> int:
        """`now_ns` on a scale that leaves out the jumps of the wall clock."""
        return now_ns - (0 if self._clock is None else self._clock.shift_ns)

    def _doubted(self, scan: Scan, clock: WatchedClock) -> Scan:
        """Readings by the agent's own time, Uncertain where that is an estimate."""
        doubtful = clock.estimated(scan.time_ns)
        if doubtful is None or not doubtful.any():
            return scan
        doubtful &= scan.status & SEVERITY_MASK == 0
        return Scan(scan.tag, scan.time_ns, scan.value, np.where(doubtful, np.uint32(UNCERTAIN), scan.status))

    def _past(self, scan: Scan) -> list[Column]:
        """Readings of the device's own history: their times stay, and each says its quality, whatever stands there."""
        columns = self._with_quality(scan, np.ones(len(scan), dtype=bool))
        return [column for column in columns if len(column.slot)]

    def _with_quality(self, scan: Scan, told: NDArray[np.bool_]) -> list[Column]:
        """Values that are not bad, and the StatusCodes of those that are `told`."""
        usable = scan.status & SEVERITY_MASK != BAD
        return [
            self._values(scan.take(usable)),
            self._encoder.qualities(scan.tag[told], scan.time_ns[told], scan.status[told]),
        ]

    def _values(self, scan: Scan) -> Column:
        """The values themselves, and a copy for who counts them: what they were taken from may be used again."""
        self._readings.append(Readings(self._counted, scan.tag.copy(), scan.time_ns.copy(), scan.value.copy()))
        return self._encoder.values(scan.tag, scan.time_ns, scan.value)

    def _grow(self) -> None:
        """Take in the parts that a link has met since."""
        first, rows = len(self.tags), new_rows(self.tags, self.parts)
        whole = [tag for tag, _ in rows]
        self._whole = np.append(self._whole, np.array(whole, dtype=np.int32))
        self.tags += [settings for _, settings in rows]
        self._places += [self._places[tag] for tag in whole]
        self._normalizer.extend(self.tags[first:])
        self._stamper.extend(self._skews_ns(first), self._names(first))
        self._words.extend(self._names(first))
        self._encoder = self._make_encoder()
        self._told = np.append(self._told, np.zeros(len(rows), dtype=bool))
        self.follow_rules()

    def _names(self, first: int) -> list[str]:
        rows = zip(self.tags[first:], self._places[first:], strict=True)
        return [f"{place.machine}/{tag.name}" for tag, place in rows]

    def _skews_ns(self, first: int) -> list[int]:
        return [round((tag.max_skew_s or self._default_skew_s) * 1e9) for tag in self.tags[first:]]

    def _make_encoder(self) -> LineEncoder:
        fields = [(place.series(), tag.name) for tag, place in zip(self.tags, self._places, strict=True)]
        self._counted = Names(fields)
        return LineEncoder(fields)

    def _events(self, events: Sequence[AlarmEvent], now_ns: int) -> Lines:
        believed = self._clock is None or self._clock.believed
        body, times, replaced = self._alarms.encode(events, now_ns, believed=believed)
        state = {self._keys["events"]: self._alarms.state()}
        return Lines(body, len(events), (min(times), max(times)), state, replaced)

    def _close(self, columns: list[Column], points: int) -> Lines:
        times = np.concatenate([column.time_ns for column in columns])
        replaced, self._replaced = self._replaced, False
        readings, self._readings = tuple(self._readings), []
        span = (int(times.min()), int(times.max()))
        return Lines(self._encoder.lines(columns), points, span, {}, replaced, readings)

    def _gaps(self, gaps: Sequence[Gap]) -> Lines:
        body = b"".join(
            gap_line(self._places[gap.tag], self.tags[gap.tag].name, gap)
            if gap.tag >= 0
            else gap_line(self._event_places[-1 - gap.tag], EVENTS, gap)
            for gap in gaps
        )
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
        if (newest := self._stamper.newest()) is not None and newest != self._newest:
            self._newest = state[self._keys["newest"]] = newest
        return state | self._moved_times()

    def _moved_times(self) -> dict[str, bytes]:
        """Blocks of moved times that changed; the first is kept under the name alone.

        Rows may stand in another block than in the process before, so that everything is written again at first.
        """
        name, found = self._keys["stamps"], {}
        blocks = self._stamper.changed_blocks(everything=bool(self._stamps) and self._fresh)
        if self._fresh:
            found = dict.fromkeys(self._stamps, b"[]")
        self._fresh = False
        found |= {f"{name}#{block}" if block else name: one for block, one in blocks.items()}
        changed = {key: one for key, one in found.items() if one != self._stamps.get(key, b"[]")}
        self._stamps |= changed
        return changed


def _chunks(scans: Sequence[Scan]) -> Iterator[Scan]:
    for scan in scans:
        if len(scan) <= CHUNK:
            yield scan
        else:
            yield from (scan.take(np.arange(at, min(at + CHUNK, len(scan)))) for at in range(0, len(scan), CHUNK))


def _resolved(tag: TagSettings, place: Place) -> TagSettings:
    return tag.model_copy(update={"machine": place.machine})
