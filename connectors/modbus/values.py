"""What the tags of a connection need beyond one response: a second look, counters that go on, proof of the device.

A request none of whose tags needs it costs nothing but the question.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson

from connectors.modbus.decode import Column
from connectors.modbus.tag import MODULUS
from connectors.modbus.tick import resume_ns
from pipelines.derive.counter import Total
from pipelines.point import (
    BAD,
    BAD_CONFIGURATION_ERROR,
    BAD_WAITING_FOR_INITIAL_DATA,
    GOOD,
    SEVERITY_MASK,
    UNCERTAIN,
    Gap,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from connectors.base import LinkContext
    from connectors.modbus.config import ModbusConnection
    from connectors.modbus.device import Guard
    from connectors.modbus.isolate import Poll
    from connectors.modbus.tag import ModbusTag

_TIME: Final = 8
"""Bytes of a resume state in front of the counters."""
_SUFFIX: Final = "_total"
_PROVEN_S: Final = 60.0
_PROVEN_PERIODS: Final = 3
_STALE_PERIODS: Final = 10
"""A value older than so many periods says nothing of what is plausible now."""


@dataclass(slots=True)
class Watched:
    """A tag with `max_jump` or `counter`.

    Attributes:
        row: its row.
        most: largest plausible change of the raw value in one period; None = not known.
        period_ns: that period, ns.
        wide: it takes several registers, so that it can be torn.
        value: its last good value; None = not known.
        time_ns: time of that value, ns since 1970 UTC.
        key: under which the counter is kept in the resume state; empty = no counter.
        total: the counter; None = it is none.
        total_row: row of its total.
        since_ns: end of the last known reading of an earlier link when its count was not kept, ns; 0 = nothing lost.
    """

    row: int
    most: float | None
    period_ns: float
    wide: bool = False
    value: Any = None
    time_ns: int = 0
    key: str = ""
    total: Total | None = None
    total_row: int = -1
    since_ns: int = 0

    def allowed(self, time_ns: int) -> float | None:
        """Largest plausible change since the last value until `time_ns`."""
        if self.most is None:
            return None
        return self.most * max(1.0, (time_ns - self.time_ns) / self.period_ns)


@dataclass(slots=True, eq=False)
class Proof:
    """Whether a device is the one its profile means.

    Attributes:
        guard: what proves it.
        lasts_s: so long a proof holds, seconds: a unit that was away may come back as another device.
        status: of its other tags: BadWaitingForInitialData until it is proven, BadConfigurationError once refuted.
        seen_s: when it was proven or refuted, monotonic seconds.
    """

    guard: Guard
    lasts_s: float
    status: int = BAD_WAITING_FOR_INITIAL_DATA
    seen_s: float = 0.0

    def status_at(self, now_s: float) -> int:
        """Status of its other tags at `now_s`, monotonic seconds."""
        return self.status if now_s - self.seen_s <= self.lasts_s else BAD_WAITING_FOR_INITIAL_DATA


@dataclass(slots=True, eq=False)
class Watch:
    """The watched tags of one request.

    Attributes:
        tags: (column, position in it, tag).
        proofs: (column, position in it, proof) of registers that prove a device.
        guarded: (column, positions in it, proof) of tags that need the proof.
        first: values of the first look while the second is awaited, by row; None = none is.
        early: all columns of the first look, and their time, ns since 1970 UTC.
    """

    tags: list[tuple[int, int, Watched]]
    proofs: list[tuple[int, int, Proof]]
    guarded: list[tuple[int, NDArray[np.intp], Proof]]
    first: dict[int, Any] | None = field(default=None)
    early: tuple[list[Column], int] = field(default=([], 0))


class Values:
    """Decodes responses and adds what only the past can tell.

    Args:
        context: the link's; its resume state holds what the counters counted.

    Attributes:
        gaps: gaps found since they were last taken.
        confirmed: columns of first looks that the second confirmed, and their times, since they were last taken.
    """

    def __init__(self, context: LinkContext) -> None:
        self._context = context
        connection: ModbusConnection = context.settings
        kept = _kept(context.resume)
        known_ns = resume_ns(context.resume)
        self._watched: dict[int, Watched] = {}
        for row, tag in enumerate(connection.tag_list()):
            if tag.max_jump is None and not tag.counter:
                continue
            one = Watched(row, tag.max_jump, (tag.period_s or connection.period_s) * 1e9, tag.width() > 1)
            total_row = context.parts.row(row, _SUFFIX) if tag.counter else None
            if total_row is not None:
                self._count(one, _key(connection, tag), tag, total_row, kept, known_ns)
            self._watched[row] = one
        self._counters = [one for one in self._watched.values() if one.total is not None]
        tags = connection.tag_list()
        self._proofs = [
            Proof(guard, max(_PROVEN_S, _PROVEN_PERIODS * (tags[guard.row].period_s or connection.period_s)))
            for guard in connection.guards()
        ]
        self._watching = bool(self._watched or self._proofs)
        self._watches: dict[Poll, Watch | None] = {}
        context.stats.facts.update(connection.facts())
        self.gaps: list[Gap] = []
        self.confirmed: list[tuple[list[Column], int]] = []

    def take(self, poll: Poll, data: bytes, time_ns: int) -> list[Column] | None:
        """Columns of a response that came at `time_ns`; None: read it again before anything of it is believed."""
        columns = poll.decoder.decode(data)
        if not self._watching:
            return columns
        watch = self._watch(poll, columns)
        if watch is None:
            return columns
        self._prove(watch, columns)
        return self._judge(watch, columns, time_ns) if watch.tags else columns

    def failed(self, poll: Poll, status: int) -> list[Column]:
        """Columns that say `status` for every tag of a request, totals included."""
        columns = poll.decoder.failed(status)
        watch = self._watch(poll, columns) if self._watching else None
        if watch is None:
            return columns
        watch.first = None
        rows = [one.total_row for _, _, one in watch.tags if one.total is not None]
        return [*columns, _totals(rows, [0] * len(rows), [status] * len(rows))] if rows else columns

    def state(self) -> bytes:
        """What the counters counted, to be kept behind the time in the resume state; empty without counters."""
        if not self._counters:
            return b""
        return orjson.dumps(
            {one.key: (one.total.raw, one.total.total, one.time_ns) for one in self._counters if one.total}
        )

    def forget(self, poll: Poll) -> None:
        """A poll that is asked no more."""
        self._watches.pop(poll, None)

    @staticmethod
    def _count(one: Watched, key: str, tag: ModbusTag, row: int, kept: dict[str, Any], known_ns: int) -> None:
        one.key, one.total_row, one.total = key, row, Total((MODULUS[tag.datatype],))
        match kept.get(key):
            case [int(raw), int(total), int(time_ns)]:
                one.total.raw, one.total.total = raw, total
                one.value, one.time_ns = raw, time_ns
            case _:
                one.since_ns = known_ns

    def _watch(self, poll: Poll, columns: list[Column]) -> Watch | None:
        if poll not in self._watches:
            tags = [
                (number, at, self._watched[row])
                for number, column in enumerate(columns)
                for at, row in enumerate(column.tag.tolist())
                if row in self._watched
            ]
            watch = Watch(tags, *self._proving(columns))
            self._watches[poll] = watch if watch.tags or watch.guarded or watch.proofs else None
        return self._watches[poll]

    def _proving(
        self, columns: list[Column]
    ) -> tuple[list[tuple[int, int, Proof]], list[tuple[int, NDArray[np.intp], Proof]]]:
        proofs: list[tuple[int, int, Proof]] = []
        guarded: list[tuple[int, NDArray[np.intp], Proof]] = []
        for number, column in enumerate(columns):
            for proof in self._proofs:
                row, rows = proof.guard.row, proof.guard.rows
                proofs += [(number, at, proof) for at in np.flatnonzero(column.tag == row).tolist()]
                mine = np.flatnonzero((column.tag >= rows.start) & (column.tag < rows.stop) & (column.tag != row))
                guarded += [(number, mine, proof)] if len(mine) else []
        return proofs, guarded

    def _prove(self, watch: Watch, columns: list[Column]) -> None:
        """Look at the registers that prove a device; without its proof none of its other tags is a value."""
        if not watch.proofs and not watch.guarded:
            return
        now_s = self._context.clock.monotonic_s()
        for number, at, proof in watch.proofs:
            if columns[number].status[at] & SEVERITY_MASK == BAD:
                continue
            holds, guard = columns[number].value[at].item(), proof.guard
            told, before = guard.told.replace("{}", str(holds), 1), proof.status
            proof.seen_s = now_s
            proof.status = GOOD if holds == guard.equals else BAD_CONFIGURATION_ERROR
            if proof.status == GOOD:
                self._context.stats.notices.pop(f"profile_{guard.row}", None)
            elif proof.status != before:
                self._context.stats.notices[f"profile_{guard.row}"] = told
                self._context.note("profile_refuted", reason=told)
        for number, where, proof in watch.guarded:
            if (code := proof.status_at(now_s)) != GOOD:
                column = columns[number]
                status = column.status.copy()
                status[where] = code
                columns[number] = Column(column.dtype, column.tag, column.value, status)

    def _judge(self, watch: Watch, columns: list[Column], time_ns: int) -> list[Column] | None:
        good = [
            (number, at, one, columns[number].value[at].item())
            for number, at, one in watch.tags
            if columns[number].status[at] & SEVERITY_MASK != BAD
        ]
        first, watch.first = watch.first, None
        jumped = [item for item in good if _jumps(item[2], item[3], time_ns)]
        if jumped and first is None:
            watch.first, watch.early = {one.row: value for _, _, one, value in good}, (columns[:], time_ns)
            return None
        if first is not None and any(_torn(one, value, first, time_ns) for _, _, one, value in good):
            self._context.stats.rejected["torn"] += 1
        elif first is not None:
            self.confirmed.append(watch.early)
        for number, at, one, value in jumped:
            assert first is not None
            if not _near(value, first.get(one.row), one.most):
                columns[number] = _uncertain(columns[number], at)
        seen = {one.row: (value, columns[number].status[at]) for number, at, one, value in good}
        totals = [self._total(one, seen.get(one.row), time_ns) for _, _, one in watch.tags if one.total is not None]
        for _, _, one, value in good:
            one.value, one.time_ns = value, time_ns
        if not totals:
            return columns
        rows = [one.total_row for _, _, one in watch.tags if one.total is not None]
        return [*columns, _totals(rows, [total for total, _ in totals], [status for _, status in totals])]

    def _total(self, one: Watched, seen: tuple[Any, Any] | None, time_ns: int) -> tuple[int, int]:
        """Total and status of a counter whose reading is `seen`; None = it was bad."""
        assert one.total is not None
        if seen is None:
            return 0, BAD
        value, status = seen
        if one.since_ns:
            self.gaps.append(Gap(one.total_row, "counter_rebased", one.since_ns, time_ns))
            one.since_ns = 0
        before = one.total.raw
        code, found = one.total.take(value, one.allowed(time_ns))
        if found:
            self._context.note(f"counter_{found}", counter=one.key, before=before, after=value, total=one.total.total)
        return one.total.total, code or int(status)


def _jumps(one: Watched, value: Any, time_ns: int) -> bool:
    """Whether a value is to be seen twice: it is too far from the last, or a wide one has no recent one to be near."""
    allowed = one.allowed(time_ns)
    if allowed is None:
        return False
    if one.wide and (one.value is None or time_ns - one.time_ns > _STALE_PERIODS * one.period_ns):
        return True
    if one.value is None:
        return False
    step = value - one.value
    if one.total is not None and step < 0 and step + one.total.moduli[0] <= allowed:
        return False
    return not abs(step) <= allowed


def _near(value: Any, other: Any, most: float | None) -> bool:
    return other is not None and most is not None and abs(value - other) <= most


def _torn(one: Watched, value: Any, first: dict[int, Any], time_ns: int) -> bool:
    """Whether the first look jumped and the second says that it was not so."""
    return one.row in first and _jumps(one, first[one.row], time_ns) and not _near(value, first[one.row], one.most)


def _uncertain(column: Column, at: int) -> Column:
    status = column.status.copy()
    if status[at] == GOOD:
        status[at] = UNCERTAIN
    return Column(column.dtype, column.tag, column.value, status)


def _totals(rows: list[int], totals: list[int], status: list[int]) -> Column:
    return Column("int64", np.array(rows, np.int32), np.array(totals, np.int64), np.array(status, np.uint32))


def _key(connection: ModbusConnection, tag: ModbusTag) -> str:
    """Another register is another counter, whatever its name."""
    unit = connection.unit if tag.unit is None else tag.unit
    return f"{tag.machine or connection.machine or ''}/{tag.name}@{unit}.{tag.table}.{tag.address}.{tag.datatype}"


def _kept(resume: bytes | None) -> dict[str, Any]:
    """Counters in a resume state; none if it has none or is not of this connector."""
    if not resume or not resume_ns(resume) or len(resume) == _TIME:
        return {}
    try:
        kept = orjson.loads(resume[_TIME:])
    except orjson.JSONDecodeError:
        return {}
    return kept if isinstance(kept, dict) else {}
