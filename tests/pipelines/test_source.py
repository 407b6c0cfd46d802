"""What a source does beside values: parts, events, history, gaps that were filled, tags that fall silent."""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np
import orjson
import pytest

from pipelines.lines import Lines
from pipelines.place import Place
from pipelines.point import (
    BAD_NO_COMMUNICATION,
    BAD_SENSOR_FAILURE,
    UNCERTAIN_LAST_USABLE,
    AlarmEvent,
    Delivery,
    Gap,
    Scan,
    scan_of,
)
from pipelines.settings import ConnectionSettings, Deadband, TagSettings
from pipelines.source import Source

NOW = 1_790_000_000_000_000_000
SECOND = 10**9
PLACE = Place("press", "acme", "", "", "P1")


class Connection(ConnectionSettings):
    tags: tuple[TagSettings, ...]


def source(state: dict[str, bytes] | None = None, **keys: object) -> Source:
    tags = (TagSettings(name="a", **keys), TagSettings(name="b"))  # type: ignore[arg-type]
    return Source(Connection(name="plc", tags=tags), [PLACE] * 2, state or {}, [PLACE])


def told(lines: list[Lines]) -> list[str]:
    return [line.split(" ", 1)[1] for one in lines for line in one.body.decode().splitlines()]


def read(one: Source, scan: Scan, now_ns: int = NOW, *, historical: bool = False) -> list[str]:
    return told(one.encode(Delivery((scan,), historical=historical), now_ns))


def test_parts_are_fields_of_their_own() -> None:
    one = source(scale=0.1)
    rows = [one.parts.row(0, "_0"), one.parts.row(0, "_1"), one.parts.row(1, "_text")]
    assert rows == [2, 3, 4]
    assert read(one, scan_of([2, 3], NOW, [11, 12])) == [f"a_0=1.1,a_1=1.2,a_0_quality=0i,a_1_quality=0i {NOW}"]
    assert read(one, scan_of([4], NOW, ["run"], dtype=object)) == [f'b_text="run",b_text_quality=0i {NOW}']
    assert one.parts.row(0, "_2") == 5
    assert read(one, scan_of([5, 0], NOW + 1, [13, 5])) == [f"a_2=1.3,a=0.5,a_2_quality=0i,a_quality=0i {NOW + 1}"]


def test_a_lost_link_is_told_for_parts_too() -> None:
    one = source()
    read(one, scan_of([one.parts.row(0, "_0")], NOW, [1]))
    (line,) = told([one.lost(BAD_NO_COMMUNICATION, NOW + 1)])
    assert line.split()[0] == ",".join(f"{name}_quality={BAD_NO_COMMUNICATION}i" for name in ("a", "b", "a_0"))


def test_a_part_keeps_its_type_and_its_word_across_a_restart() -> None:
    one = source()
    row = one.parts.row(0, "_0")
    (lines,) = one.encode(Delivery((scan_of([row], NOW, [1]),)), NOW)
    state = dict(lines.resume) | dict(one.lost(BAD_NO_COMMUNICATION, NOW + 5 * SECOND).resume)
    again = source(state)
    again.parts.row(1, "_0")
    row = again.parts.row(0, "_0")
    back = read(again, scan_of([row], NOW, [2.5]), NOW + 9 * SECOND)
    mismatch = 0x8074_0000
    assert back == [f"a_0_quality={mismatch}i {NOW}", f"a_0_quality={mismatch}i {NOW + 9 * SECOND}"]


def test_history_keeps_its_times_and_leaves_the_live_stream_alone() -> None:
    one = source(deadband=Deadband(type="absolute", value=10))
    assert read(one, scan_of([0], NOW, [100.0])) == [f"a=100.0,a_quality=0i {NOW}"]
    past = scan_of([0, 0, 0], [NOW - 3, NOW - 2, NOW - 1], [1.0, 1.5, 2.0], [0, 0, BAD_SENSOR_FAILURE])
    assert read(one, past, historical=True) == [
        f"a=1.0,a_quality=0i {NOW - 3}",
        f"a=1.5,a_quality=0i {NOW - 2}",
        f"a_quality={BAD_SENSOR_FAILURE}i {NOW - 1}",
    ]
    assert read(one, scan_of([0], [NOW + 1], [101.0])) == []
    assert read(one, scan_of([0], [NOW + 2], [111.0])) == [f"a=111.0 {NOW + 2}"]


def test_a_gap_that_was_filled_updates_its_point_and_says_nothing_else() -> None:
    one = source()
    read(one, scan_of([0], NOW, [1]))
    gap = Gap(0, "no_communication", NOW, NOW + SECOND)
    open_line = told(one.encode(Delivery((), gaps=(gap,)), NOW + SECOND))
    assert open_line == [f"filled=false,end={NOW + SECOND}i {NOW}"]
    assert read(one, scan_of([0], NOW + SECOND, [2])) == [f"a=2i,a_quality=0i {NOW + SECOND}"]
    filled = Gap(0, "no_communication", NOW, NOW + SECOND, 7, filled=True)
    assert told(one.encode(Delivery((), gaps=(filled,)), NOW)) == [f"filled=true,end={NOW + SECOND}i,count=7i {NOW}"]
    assert read(one, scan_of([0], NOW + 2 * SECOND, [3])) == [f"a=3i {NOW + 2 * SECOND}"]


def test_events_are_committed_with_their_state() -> None:
    one = source()
    lines = one.encode(Delivery((), b"here", events=(AlarmEvent(0, "door", NOW, {"active": True}),)), NOW)
    assert sum(part.points for part in lines) == 1
    resume = {key: value for part in lines for key, value in part.resume.items()}
    assert resume["link:plc"] == b"here"
    assert orjson.loads(resume["events:plc"]) == {"P1/door": [NOW, NOW]}


def test_a_gap_of_events_stands_at_their_place_and_leaves_tags_alone() -> None:
    one = source()
    read(one, scan_of([0, 1], NOW, [1, 2]))
    (lines,) = one.encode(Delivery((), gaps=(Gap(-1, "queue_overflow", NOW, NOW + 5),)), NOW)
    series, fields, time = lines.body.decode().strip().split(" ")
    assert series.startswith("gap,")
    assert "tag=*events" in series
    assert "machine=P1" in series
    assert (fields, time) == (f"filled=false,end={NOW + 5}i", str(NOW))
    assert read(one, scan_of([1], NOW + 9, [3])) == [f"b=3i {NOW + 9}"], "its quality is not told again"


def test_a_silent_tag_becomes_stale_once_and_good_again() -> None:
    one = source(stale_after_s=5)
    assert one.overdue(NOW) is None
    read(one, scan_of([0, 1], NOW, [1, 1]))
    assert one.overdue(NOW + 5 * SECOND) is None
    said = one.overdue(NOW + 6 * SECOND)
    assert said is not None
    assert told([said]) == [f"a_quality={UNCERTAIN_LAST_USABLE}i {NOW + 6 * SECOND}"]
    assert one.stale == {0}
    assert one.overdue(NOW + 60 * SECOND) is None
    assert read(one, scan_of([0], NOW + 61 * SECOND, [2]), NOW + 61 * SECOND) == [
        f"a=2i,a_quality=0i {NOW + 61 * SECOND}"
    ]
    assert one.stale == set()


def test_a_tag_that_speaks_through_its_parts_is_not_stale() -> None:
    one = source(stale_after_s=5)
    x, y = one.parts.row(0, "_x"), one.parts.row(0, "_y")
    read(one, scan_of([0], NOW, ["[2]"], dtype=object))
    for second in range(0, 20, 4):
        read(one, scan_of([x, y], NOW + second * SECOND, [1, 2]), NOW + second * SECOND)
        assert one.overdue(NOW + second * SECOND) is None
    said = one.overdue(NOW + 22 * SECOND)
    assert said is not None
    assert told([said]) == [
        f"a_x_quality={UNCERTAIN_LAST_USABLE}i,a_y_quality={UNCERTAIN_LAST_USABLE}i {NOW + 22 * SECOND}"
    ]
    assert one.stale == {0}
    read(one, scan_of([x], NOW + 23 * SECOND, [3]), NOW + 23 * SECOND)
    assert one.stale == set()


def test_a_number_with_its_text_is_stale_as_a_whole() -> None:
    one = source(stale_after_s=5)
    text = one.parts.row(0, "_text")
    one.overdue(NOW)
    read(one, scan_of([0], NOW, [1]))
    read(one, scan_of([text], NOW, ["run"], dtype=object))
    said = one.overdue(NOW + 6 * SECOND)
    assert said is not None
    assert sorted(told([said])[0].split()[0].split(",")) == [
        f"a_quality={UNCERTAIN_LAST_USABLE}i", f"a_text_quality={UNCERTAIN_LAST_USABLE}i",
    ]  # fmt: skip


def many(rows: int, state: dict[str, bytes] | None = None, first: int = 0) -> Source:
    tags = tuple(TagSettings(name=f"t{row}") for row in range(first, rows))
    return Source(Connection(name="plc", tags=tags), [PLACE] * len(tags), state or {})


def test_one_row_does_not_write_the_moved_times_of_thousands() -> None:
    one = many(2000)
    state = {key: raw for part in _ahead(one, range(2000), NOW) for key, raw in part.resume.items()}
    assert sorted(state) == sorted({"kinds:plc", "stamps:plc", *(f"stamps:plc#{block}" for block in range(1, 8))})
    (again,) = _ahead(one, [1999], NOW + SECOND)
    assert list(again.resume) == ["stamps:plc#7"]
    assert len(again.resume["stamps:plc#7"]) < 20_000


def test_moved_times_hold_across_a_restart_also_when_rows_stand_elsewhere() -> None:
    one = many(600)
    state = {key: raw for part in _ahead(one, range(600), NOW) for key, raw in part.resume.items()}
    later = many(600, state, first=300)  # the first 300 tags were taken out of the configuration
    (same,) = _ahead(later, [299], NOW + SECOND)
    assert f" {NOW + SECOND}\n" in same.body.decode(), "a wrong clock is still wrong"
    assert same.resume["stamps:plc#2"] == b"[]"
    kept = {**state, **same.resume}
    names = [entry[0] for key, raw in kept.items() if key.startswith("stamps:") for entry in orjson.loads(raw)]
    assert sorted(names) == sorted(f"P1/t{row}" for row in range(300, 600))


def _ahead(one: Source, rows: object, now_ns: int) -> list[Lines]:
    """Readings of a device whose clock is two days ahead."""
    tags = list(rows)  # type: ignore[call-overload]
    return one.encode(Delivery((scan_of(tags, now_ns + 48 * 3600 * SECOND, [1.0] * len(tags)),)), now_ns)


def test_a_tag_that_never_came_is_stale_after_its_time_and_a_lost_link_starts_anew() -> None:
    one = source(stale_after_s=5)
    assert one.overdue(NOW) is None
    assert one.overdue(NOW + 6 * SECOND) is not None
    one.lost(BAD_NO_COMMUNICATION, NOW + 7 * SECOND)
    assert one.stale == set()
    assert one.overdue(NOW + 20 * SECOND) is None
    assert one.overdue(NOW + 26 * SECOND) is not None


def test_a_scan_of_thousands_with_parts_stays_in_columns() -> None:
    one = source()
    rows = [one.parts.row(0, f"_{index}") for index in range(1000)]
    lines = one.encode(Delivery((scan_of(rows, NOW, np.arange(1000)),)), NOW)
    assert sum(part.points for part in lines) == 1000


def test_what_may_be_told_again_after_a_restart_is_stored_whatever_the_deadband_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The process before may have published any of it, by a comparison that went with the power."""
    one = source(deadband=Deadband(type="absolute", value=10))
    again = Scan(
        np.zeros(3, np.int32), NOW - np.array([3, 2, 1]) * SECOND, np.array([1.0, 5.0, 2.0]), np.zeros(3, "u4")
    )
    assert len(read(one, again)) == 3
    assert len(read(one, scan_of([0], NOW - 1, [3.0]))) == 1
    assert not read(one, scan_of([0], NOW, [4.0]))
    later_s = time.monotonic() + 60
    monkeypatch.setattr("pipelines.source.time", SimpleNamespace(monotonic=lambda: later_s))
    assert not read(one, scan_of([0], NOW - 1, [4.0]), NOW - 3600 * SECOND), "nor when the wall clock is set back"


def test_a_device_whose_clock_is_ahead_tells_again_by_its_own_time() -> None:
    one = source(deadband=Deadband(type="absolute", value=10))
    ahead = NOW + 5 * SECOND
    for value in (1.0, 2.0):
        delivery = Delivery((scan_of([0], ahead - 1, [value]),), device_time_ns=ahead)
        assert told(one.encode(delivery, NOW))
    assert not told(one.encode(Delivery((scan_of([0], ahead, [3.0]),), device_time_ns=ahead), NOW))
