"""The referee: compares what a store holds with what the plant says it produced. Pure, and independent of the agent.

Terms (design §6): `produced` = changes of subscribed tags plus polled responses; `suppressed` = removed by the deadband
reference; `missing` = produced − suppressed − stored − gap_explained; `altered` = value, type, status or time differs;
`duplicated` = stored points that match no remaining item of the truth.

Rules:

- A poll matches a stored time inside its request–response interval, in order. What the client measures is wider than
  what the plant sees, by the time both wait for a processor: the interval is widened by `slack_ns` and by twice the
  longest stall seen within 0.5 s, together at most half a period, or that stall where it is longer; by half a period in
  the 2 s after the first poll after a kill, while the collector still loads its parts.
- A change or a read matches its source time exactly, or up to `nudge_ns` later; while the device's clock is wrong on
  purpose, and for a moment after it, also the time of its receipt (`simulators.clocks`).
- A request that also covers tags it was not sent for (bridged registers) produces nothing for those
  (`simulators.matching.own_items`).
- Every tag must be asked for, polls at about their period (`simulators.pace`).
- Without an outage nothing is explained by a gap.
- Deadband: a reading is stored when its status differs from the last stored one or |value − last stored good value| ≥
  deadband. What is stored although the deadband would hold it back (a first reading, one after a gap) is no error
  and is counted as `unsuppressed`.
- What came while a device's words were in the wrong order may be refused as that of another device.
- A value outside `range`, or not finite, is expected as BadOutOfRange. Where the status is bad the value is no value.
- A stored BadNoCommunication that matches nothing is the agent's word on its link, counted as `link_status`.
- A lost item is explained by a gap near an outage, or by what no client could have had (`simulators.excuses`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simulators.clocks import UNCERTAIN, Shift, as_received, as_stamped
from simulators.evidence import ANY_BAD, POLL, Item, Key, items_of
from simulators.excuses import GapPoint, Outage, befalling, explained
from simulators.matching import BAD, Shape, expected, match, meant, own_items, same, scaled, within
from simulators.pace import Pace, too_slow

BAD_NO_COMMUNICATION: Final = 0x8031_0000
AFTER_KILL_NS: Final = 2_000_000_000
MOST_EXAMPLES: Final = 20
MOST_FINDINGS: Final = 100_000


@dataclass(frozen=True, slots=True)
class TagOptions:
    """How a tag is read and stored.

    Attributes:
        mode: `poll`, `subscribe` or `read`.
        slack_ns: polls: the stored time may lie outside the request–response interval by this much.
        nudge_ns: changes and reads: the stored time may be later than the source time by this much.
        deadband: smallest change that is stored, engineering units (percent × range / 100); 0 = none.
        range: lowest and highest possible value, engineering units.
        period_ns: polls: planned time between two; 0 = not known: no limit to the slack, no check of the pace.
        requests: polls: what is sent for this tag, see `own_items`; None = every request that covers it.
        bit: the tag is this bit of a word, 0 = least significant; None = the whole.
        sentinels: values outside of `range` may mean that there is no number.
        divided: the device says how many decimals the value has.
        scale: factor where the truth is raw (4-20 mA counts, milliseconds of a Duration); `offset` is added then.
    """

    mode: str = POLL
    slack_ns: int = 0
    nudge_ns: int = 1
    deadband: float = 0.0
    range: tuple[float, float] | None = None
    period_ns: int = 0
    requests: tuple[Shape, ...] | None = None
    bit: int | None = None
    sentinels: bool = False
    divided: bool = False
    scale: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class StoredPoints:
    """What the store holds for one tag.

    Attributes:
        time_ns: int64, shape (n,), any order.
        value: float64, int64, bool or object (str), shape (n,); meaningless where `quality` is bad.
        quality: StatusCode, 0 = Good, uint32, shape (n,).
    """

    time_ns: NDArray[np.int64]
    value: NDArray[Any]
    quality: NDArray[np.uint32]


@dataclass
class Counts:
    """The terms of one tag, or of all together."""

    produced: int = 0
    suppressed: int = 0
    stored: int = 0
    missing: int = 0
    gap_explained: int = 0
    duplicated: int = 0
    altered: int = 0
    link_status: int = 0
    unsuppressed: int = 0

    def add(self, other: Counts) -> None:
        """Add another tag's terms."""
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(frozen=True, slots=True)
class Finding:
    """One reading that is not as it should be.

    Attributes:
        tag: of which tag.
        kind: `missing`, `altered` or `duplicated`.
        time_ns: when it left the plant, or the stored time of what came from nowhere.
        words: what is wrong with it.
    """

    tag: str
    kind: str
    time_ns: int
    words: str


@dataclass
class Verdict:
    """The judgement.

    Attributes:
        total: the terms over all tags.
        tags: the terms per tag.
        left_ns: per tag, for each stored point in the order given: when its value left the plant (response left, or
            source time of a change), 0 = matched nothing; int64, shape (n,).
        findings: what is missing, doubled or altered, one by one, at most `MOST_FINDINGS`.
        wrong: sentences on what is wrong with the run, such as a tag that was never read.
    """

    total: Counts = field(default_factory=Counts)
    tags: dict[str, Counts] = field(default_factory=dict)
    left_ns: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def examples(self) -> list[str]:
        """Up to 20 sentences on what is missing, doubled or altered."""
        return [f"{one.tag}: {one.words}" for one in self.findings[:MOST_EXAMPLES]]

    @property
    def clean(self) -> bool:
        """Nothing missing, doubled, altered, or wrong with the run."""
        return not (self.total.missing or self.total.duplicated or self.total.altered or self.wrong)


def judge(
    truths: Iterable[Iterable[Mapping[str, Any]]],
    mapping: Mapping[str, Key],
    options: Mapping[str, TagOptions],
    stored: Mapping[str, StoredPoints],
    gaps: Sequence[GapPoint] = (),
    outages: Sequence[Outage] = (),
    end_ns: int | None = None,
    overruns: Mapping[str, int] | None = None,
    shifts: Sequence[Shift] = (),
) -> Verdict:
    """Compare the store with the truth.

    Args:
        truths: for each truth file its lines (`simulators.truth.read_truth`).
        mapping: configured tag → truth key (`modbus_key`, `opcua_key`).
        options: tag → options, for every tag of `mapping`.
        stored: tag → stored points; a tag that is absent has none.
        gaps: gap points of the store.
        outages: what was injected.
        end_ns: what left the plant after this may be stored but need not be; None = everything must be.
        overruns: device → scheduled polls that its client says it left out.
        shifts: when the collector's clock was wrong on purpose (`simulators.clocks`).

    Raises:
        ValueError: a truth has no header, or a tag's key is in none of them.
    """
    modes = {tag: options[tag].mode for tag in mapping}
    verdict = Verdict()
    found = {tag: own_items(items, options[tag].requests) for tag, items in items_of(truths, mapping, modes).items()}
    for tag, items in found.items():
        if end_ns is not None:
            items = [item._replace(required=item.required and item.left_ns <= end_ns) for item in items]  # noqa: PLW2901
        explaining = [gap for gap in gaps if gap.tag == tag and gap.cause]
        nearby = befalling(mapping[tag][0], outages)
        one = _Tag(tag, options[tag], items, stored.get(tag, _NOTHING), explaining, nearby, verdict, shifts)
        verdict.tags[tag] = one.judge()
        verdict.total.add(verdict.tags[tag])
    for device in sorted({key[0] for key in mapping.values()}):
        tags = {
            tag: Pace(options[tag].mode, items, options[tag].period_ns)
            for tag, items in found.items()
            if mapping[tag][0] == device
        }
        spans = [(outage.start_ns, outage.end_ns) for outage in befalling(device, outages)]
        verdict.wrong += too_slow(tags, spans, end_ns, (overruns or {}).get(device, 0))
    if not mapping:
        verdict.wrong.append("nothing was judged: there is no tag whose values a truth holds")
    if verdict.total.gap_explained and not outages:
        verdict.wrong.append(f"{verdict.total.gap_explained} readings explained by gaps, and nothing was injected")
    return verdict


_NOTHING: Final = StoredPoints(np.empty(0, np.int64), np.empty(0, object), np.empty(0, np.uint32))


def _widened(item: Item, options: TagOptions, fresh: Sequence[int]) -> Item:
    """The item with the slack it has in the end."""
    if options.mode != POLL:
        return item
    slack_ns = options.slack_ns + item.slack_ns
    if options.period_ns and any(0 <= item.start_ns - first <= AFTER_KILL_NS for first in fresh):
        slack_ns = options.period_ns // 2
    most_ns = max(options.period_ns // 2, item.slack_ns // 2)
    return item._replace(slack_ns=min(slack_ns, most_ns) if options.period_ns else slack_ns)


class _Tag:
    """The judgement of one tag."""

    def __init__(
        self,
        tag: str,
        options: TagOptions,
        items: list[Item],
        points: StoredPoints,
        gaps: Sequence[GapPoint],
        outages: Sequence[Outage],
        verdict: Verdict,
        shifts: Sequence[Shift],
    ) -> None:
        self._tag = tag
        self._options = options
        back = [next((i.start_ns for i in items if i.start_ns >= o.end_ns), None) for o in outages if o.kind == "kill"]
        fresh = [first for first in back if first is not None]
        raw = (meant(item, options.bit, divided=options.divided) for item in items)
        full = (scaled(item, options.scale, options.offset) for item in raw)
        right = (expected(item, options.range, sentinels=options.sentinels) for item in full)
        self._items = [_widened(item, options, fresh) for item in right]
        self._order = np.argsort(points.time_ns, kind="stable")
        self._times: list[int] = points.time_ns[self._order].tolist()
        self._values: list[Any] = points.value[self._order].tolist()
        self._quality: list[int] = points.quality[self._order].tolist()
        if shifts and options.mode == POLL:
            self._items = as_stamped(self._items, self._times, self._values, self._quality, shifts)
        skewed = any(item.received_ns for item in self._items)
        if skewed:
            self._items = as_received(self._items, self._times, self._values, self._quality)
        self._doubted = bool(shifts) or skewed
        self._gaps = gaps
        self._outages = outages
        self._verdict = verdict
        self._counts = Counts()

    def judge(self) -> Counts:
        options, counts = self._options, self._counts
        width = (0, 0) if options.mode == POLL else (0, options.nudge_ns)
        matched = match(self._items, self._times, self._values, self._quality, width)
        left_ns = np.zeros(len(self._times), dtype=np.int64)
        point_of = {item: point for point, item in enumerate(matched) if item is not None}
        for index, point in point_of.items():
            self._compare(self._items[index], point)
            left_ns[self._order[point]] = self._items[index].left_ns
        lost = self._account(point_of)
        self._leftovers([p for p, item in enumerate(matched) if item is None], lost, set(point_of), width)
        counts.missing += len(lost)
        for index in lost:
            item = self._items[index]
            self._say("missing", item.left_ns, f"missing: {self._show(item)}")
        self._verdict.left_ns[self._tag] = left_ns
        return counts

    def _compare(self, item: Item, point: int) -> None:
        if item.required:
            self._counts.stored += 1
        if not same(item, self._values[point], self._quality[point]):
            self._counts.altered += 1
            self._say("altered", item.left_ns, f"altered: {self._show(item)} is stored as {self._point(point)}")

    def _account(self, point_of: Mapping[int, int]) -> list[int]:
        """Walk the truth in order; returns the required items that are lost without explanation.

        What a clock in doubt makes Uncertain is no change of status to a deadband.
        """
        counts, deadband = self._counts, self._options.deadband
        last: float | None = None
        last_status: int | None = None
        lost: list[int] = []
        order: Sequence[int] = range(len(self._items))
        if self._doubted:  # as they left the plant, whatever the collector's clock said
            order = sorted(order, key=lambda index: self._items[index].left_ns)
        for index in order:
            item = self._items[index]
            counts.produced += item.required
            good = item.status != ANY_BAD and item.status < BAD
            status = 0 if self._doubted and item.status == UNCERTAIN else item.status
            small = status == last_status and (
                not good or (last is not None and abs(float(item.value) - last) < deadband)
            )
            held_back = deadband > 0 and small
            if index in point_of:
                counts.unsuppressed += held_back
            elif not item.required:
                continue
            elif held_back:
                counts.suppressed += 1
                continue
            elif explained(item, self._options.mode, self._gaps, self._outages):
                counts.gap_explained += 1
                continue
            else:
                lost.append(index)
            last_status = status
            if good and deadband > 0:
                last = float(item.value)
        return lost

    def _leftovers(self, points: list[int], lost: list[int], taken: set[int], width: tuple[int, int]) -> None:
        """Stored points that matched nothing: the agent's own word, a repeat, a wrong time, or out of nowhere."""
        for point in points:
            value, quality = self._values[point], self._quality[point]
            repeat = any(
                index in taken and within(item, self._times[point], width) and same(item, value, quality)
                for index, item in enumerate(self._items)
            )
            alike = [index for index in lost if same(self._items[index], value, quality)]
            moved = min(alike, key=lambda index: abs(self._items[index].end_ns - self._times[point]), default=None)
            if repeat or (moved is None and quality != BAD_NO_COMMUNICATION):
                self._counts.duplicated += 1
                words = f"duplicated: {self._point(point)} matches nothing that remains in the truth"
                self._say("duplicated", self._times[point], words)
            elif moved is None:
                self._counts.link_status += 1
            else:
                lost.remove(moved)
                self._counts.stored += 1
                self._counts.altered += 1
                item = self._items[moved]
                self._say(
                    "altered", item.left_ns, f"altered time: {self._show(item)} is stored as {self._point(point)}"
                )

    def _show(self, item: Item) -> str:
        when = f"{item.start_ns}" if item.start_ns == item.end_ns else f"[{item.start_ns}, {item.end_ns}]"
        return f"{item.value!r} status 0x{item.status & 0xFFFF_FFFF:08X} of {when}"

    def _point(self, point: int) -> str:
        return f"{self._values[point]!r} quality 0x{self._quality[point]:08X} at {self._times[point]}"

    def _say(self, kind: str, time_ns: int, words: str) -> None:
        if len(self._verdict.findings) < MOST_FINDINGS:
            self._verdict.findings.append(Finding(self._tag, kind, time_ns, words))
