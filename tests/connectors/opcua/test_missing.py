"""What is missing between which readings, and the bytes of HistoryRead, without a server."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary

from connectors.opcua.history.backfill import _same, joined
from connectors.opcua.history.missing import MOST_EXACT, MOST_OPEN, Missing
from connectors.opcua.history.request import raw_body, results, ticks_of
from connectors.opcua.resume import ResumeState
from pipelines.point import Delivery, Gap, scan_of

NOW = 1_790_000_000_000_000_000
SECOND = 10**9


def seen(missing: Missing, tag: int, *times_ns: int, gaps: tuple[Gap, ...] = ()) -> None:
    scan = scan_of([tag] * len(times_ns), list(times_ns), list(range(len(times_ns)))) if times_ns else None
    missing.observe(Delivery((scan,) if scan else (), gaps=gaps), NOW, 0.0)


def lost(tag: int, cause: str = "no_communication") -> Gap:
    return Gap(tag, cause, NOW - 10 * SECOND, NOW)


def test_a_stretch_lies_between_the_readings_around_the_gap() -> None:
    missing = Missing(2, 5.0)
    seen(missing, 0, NOW - 12 * SECOND, NOW - 11 * SECOND)
    seen(missing, 0, NOW - 3 * SECOND, NOW - 2 * SECOND, gaps=(lost(0),))
    (stretch,) = missing.ready(0.0, 10, 0)
    assert (stretch.after_ns, stretch.before_ns) == (NOW - 11 * SECOND, NOW - 3 * SECOND)
    assert not stretch.began


def test_without_a_first_reading_it_ends_with_the_gap_after_a_while() -> None:
    missing = Missing(1, 5.0)
    missing.observe(Delivery((), gaps=(lost(0),), device_time_ns=NOW + 7), NOW, 0.0)
    assert missing.ready(4.9, 10, 0) == []
    (stretch,) = missing.ready(5.0, 10, 0)
    assert (stretch.after_ns, stretch.before_ns) == (NOW - 10 * SECOND + 7, NOW + 7), "by the device's clock"


def test_an_overflow_names_its_own_bounds() -> None:
    missing = Missing(1, 5.0)
    seen(missing, 0, NOW - 9)
    seen(missing, 0, NOW - 5, gaps=(Gap(0, "queue_overflow", NOW - 9, NOW - 5),))
    (stretch,) = missing.ready(0.0, 10, 0)
    assert (stretch.after_ns, stretch.before_ns, stretch.began) == (NOW - 9, NOW - 5, False)


def test_a_clock_that_was_set_back_leaves_the_gap_open() -> None:
    """A PLC without a battery comes back in 2000: nothing lies between the two times, and everything is missing."""
    missing = Missing(3, 5.0)
    for tag in (0, 1):
        seen(missing, tag, NOW - 11 * SECOND)
    seen(missing, 0, NOW // 2, gaps=(lost(0),))
    seen(missing, 1, NOW - 11 * SECOND, gaps=(lost(1),))
    seen(missing, 2, NOW - 99 * SECOND, gaps=(lost(2),))
    assert sorted(one.gap.tag for one in missing.ready(9.0, 10, 0)) == [1, 2], "these two have not changed"
    assert len(missing) == 2


def test_an_overflow_without_a_reading_before_stays_open() -> None:
    missing = Missing(1, 5.0)
    seen(missing, 0, gaps=(Gap(0, "queue_overflow", NOW, NOW),))
    assert len(missing) == 0


def test_what_is_too_old_is_not_asked_for_and_not_called_filled() -> None:
    missing = Missing(1, 0.0)
    seen(missing, 0, gaps=(lost(0),))
    (stretch,) = missing.ready(0.0, 10, NOW - 4 * SECOND)
    assert stretch.after_ns == NOW - 4 * SECOND
    stretch.began = stretch.covered = True
    assert not stretch.filled().filled


def test_gaps_of_events_open_ones_and_filled_ones_are_not_missing() -> None:
    missing = Missing(1, 0.0)
    seen(missing, 0, gaps=(Gap(-1, "x", NOW, NOW), Gap(0, "x", NOW), Gap(0, "x", NOW, NOW, 3, filled=True)))
    assert len(missing) == 0
    assert missing.state() == b""


@pytest.mark.parametrize("tags", [3, MOST_EXACT + 1])
def test_a_later_link_goes_on(tags: int) -> None:
    first, second = Missing(tags, 1.0), Missing(tags, 1.0)
    for tag in range(tags):
        seen(first, tag, gaps=(lost(tag),))
    second.restore(first.state(), 0.0)
    found = [stretch.gap for stretch in second.ready(1.0, tags, 0)]
    assert sorted(gap.tag for gap in found) == list(range(tags))[:512]
    assert {(gap.cause, gap.start_ns, gap.end_ns) for gap in found} == {("no_communication", NOW - 10 * SECOND, NOW)}
    assert len(first.state()) < 40_000


def test_last_words_hold_the_last_reading_of_every_tag() -> None:
    first, second = Missing(20_000, 1.0), Missing(20_000, 1.0)
    for tag in (0, 7, 19_999):
        seen(first, tag, NOW - 11 * SECOND - tag)
    second.restore(first.last_words(), 0.0)
    seen(second, 7, NOW, gaps=(lost(7),))
    (stretch,) = second.ready(0.0, 1, 0)
    assert stretch.after_ns == NOW - 11 * SECOND - 7


def test_what_is_missing_of_one_tag_is_never_asked_for_another() -> None:
    before = Missing(2, 1.0, ["a", "b"])
    seen(before, 1, NOW - 11 * SECOND, gaps=(lost(1),))
    for table, open_ in ((["a", "b", "c"], 1), (["c", "a", "b"], 0), (["a"], 0)):
        for state in (before.state(), before.last_words()):
            later = Missing(len(table), 1.0, table)
            later.restore(state, 0.0)
            assert len(later) == open_


@pytest.mark.parametrize(
    "raw", [b"", b"x", b"{}", b'{"tags":1,"table":0,"skew_ns":0,"exact":[[1]],"coarse":[]}', b"[1]"]
)
def test_what_is_not_understood_is_left(raw: bytes) -> None:
    missing = Missing(1, 1.0)
    missing.restore(raw, 0.0)
    assert len(missing) == 0


def test_what_has_no_history_is_not_noted_and_the_rest_is_bounded() -> None:
    missing = Missing(2, 0.0)
    missing.without.add(1)
    gaps = tuple(Gap(tag, "queue_overflow", NOW + n, NOW + n + 1) for n in range(MOST_OPEN + 10) for tag in (0, 1))
    seen(missing, 0, gaps=gaps)
    assert len(missing) == MOST_OPEN
    assert missing.due(0.0)[0].gap.start_ns == NOW + 10, "the oldest ones were given up"


def test_twenty_thousand_tags_are_quick_to_note() -> None:
    missing = Missing(20_000, 1.0)
    tags = np.arange(20_000)
    missing.observe(Delivery((), gaps=tuple(lost(int(tag)) for tag in tags)), NOW, 0.0)
    missing.observe(Delivery((scan_of(tags, NOW, tags),)), NOW, 0.0)
    assert len(missing) == 20_000
    assert len(missing.ready(0.0, 10, 0)) == 10
    assert len(missing.state()) < 200, "ranges"


def test_the_state_stands_in_the_second_line() -> None:
    state = ResumeState("opc.tcp://h:1", "", "", "", 0, (), ())
    assert ResumeState.from_bytes(joined(state.to_bytes(), b'{"x":1}')) == state


def test_a_request_is_what_asyncua_reads() -> None:
    node = ua.NodeId("a", 2)
    body = raw_body([(node, b""), (node, b"point")], NOW, NOW + SECOND, 9, release=False)
    found = struct_from_binary(ua.HistoryReadParameters, Buffer(body))
    details = found.HistoryReadDetails
    assert (details.IsReadModified, details.NumValuesPerNode, details.ReturnBounds) == (False, 9, False)
    assert round((details.EndTime - details.StartTime).total_seconds(), 6) == 1.0
    assert round(details.StartTime.timestamp() * 1e6) == NOW // 1000
    assert ticks_of(NOW) * 100 == NOW + 11_644_473_600 * SECOND
    assert [(one.NodeId, one.ContinuationPoint) for one in found.NodesToRead] == [(node, None), (node, b"point")]
    assert not found.ReleaseContinuationPoints


def test_results_of_asyncua_and_every_cut() -> None:
    data = ua.HistoryData(DataValues=[ua.DataValue(ua.Variant(float(value))) for value in range(3)])
    found = [ua.HistoryReadResult(HistoryData=data, ContinuationPoint=b"on"), ua.HistoryReadResult(HistoryData=None)]
    raw = struct.pack("<i", 2) + b"".join(struct_to_binary(one) for one in found)
    first, second = results(raw, 0, NOW)
    assert (first.status, first.continuation) == (0, b"on")
    (columns,) = first.columns
    assert columns.value.tolist() == [0.0, 1.0, 2.0]
    assert (second.continuation, second.columns) == (b"", [])
    for end in range(len(raw)):
        with pytest.raises(ValueError, match=r"history|item|array"):
            results(raw[:end], 0, NOW)


def test_a_history_that_keeps_milliseconds_is_recognized() -> None:
    bound = NOW + 1_234_567
    assert _same(np.array([NOW + 1_000_000, NOW + 9_000_000]), bound).tolist() == [True, False]
    assert _same(np.array([NOW + 1_000_000, NOW + 9_000_100]), bound).tolist() == [False, False]
    assert _same(np.array([bound, NOW + 9_000_100]), bound).tolist() == [True, False]
