"""A lost link is over once the tag is read again, also when its value has not changed since."""

from __future__ import annotations

import numpy as np
import orjson

from pipelines.lines import Lines
from pipelines.place import Place
from pipelines.point import BAD_NO_COMMUNICATION, BAD_SENSOR_FAILURE, GOOD, Delivery, Scan, scan_of
from pipelines.settings import ConnectionSettings, TagSettings
from pipelines.source import Source

NOW = 1_790_000_000_000_000_000
SECOND = 10**9


class Connection(ConnectionSettings):
    tags: tuple[TagSettings, ...]


CONNECTION = Connection(name="plc", tags=(TagSettings(name="a"), TagSettings(name="b")))
PLACE = Place("press", "acme", "", "", "P1")


def source(state: dict[str, bytes] | None = None) -> Source:
    return Source(CONNECTION, [PLACE] * 2, state or {})


def told(lines: list[Lines]) -> list[str]:
    """Fields and time of every line, without the series."""
    return [line.split(" ", 1)[1] for one in lines for line in one.body.decode().splitlines()]


def read(one: Source, scan: Scan, now_ns: int) -> list[str]:
    return told(one.encode(Delivery((scan,)), now_ns))


def test_a_value_older_than_the_loss_is_told_good_now() -> None:
    one = source()
    read(one, scan_of([0, 1], NOW, [1.0, 2.0]), NOW)
    one.lost(BAD_NO_COMMUNICATION, NOW + 5 * SECOND)
    back = read(one, scan_of([0, 1], [NOW, NOW + 9 * SECOND], [1.0, 3.0]), NOW + 9 * SECOND)
    assert back == [
        f"a=1.0,a_quality=0i {NOW}",
        f"b=3.0,b_quality=0i,a_quality=0i {NOW + 9 * SECOND}",
    ]
    assert read(one, scan_of([0], [NOW + 10 * SECOND], [4.0]), NOW + 10 * SECOND) == [f"a=4.0 {NOW + 10 * SECOND}"]


def test_only_a_change_is_told_again_while_the_device_lags() -> None:
    one = source()
    one.lost(BAD_NO_COMMUNICATION, NOW)
    first = read(one, scan_of([0, 0], [NOW - 9, NOW - 8], [1.0, 2.0]), NOW + 1)
    assert [line.split()[0] for line in first] == ["a=1.0,a_quality=0i", "a=2.0,a_quality=0i", "a_quality=0i"]
    assert read(one, scan_of([0], NOW - 7, [3.0]), NOW + 2) == [f"a=3.0 {NOW - 7}"]
    bad = read(one, scan_of([0], NOW - 6, [0.0], BAD_SENSOR_FAILURE), NOW + 3)
    assert bad == [f"a_quality={BAD_SENSOR_FAILURE}i {NOW - 6}", f"a_quality={BAD_SENSOR_FAILURE}i {NOW + 3}"]


def test_a_loss_before_a_restart_is_over_too() -> None:
    lost = source().lost(BAD_NO_COMMUNICATION, NOW)
    assert orjson.loads(lost.resume["words:plc"]) == {
        "P1/a": [NOW, BAD_NO_COMMUNICATION],
        "P1/b": [NOW, BAD_NO_COMMUNICATION],
    }
    again = source(dict(lost.resume))
    assert read(again, scan_of([0], NOW - SECOND, [1.0]), NOW + SECOND) == [
        f"a=1.0,a_quality=0i {NOW - SECOND}",
        f"a_quality=0i {NOW + SECOND}",
    ]


def test_a_restored_word_is_dropped_once_readings_are_newer() -> None:
    one = source({"words:plc": orjson.dumps({"P1/a": [NOW, BAD_NO_COMMUNICATION], "P1/gone": [NOW, 0]})})
    (lines,) = one.encode(Delivery((scan_of([0], NOW + 1, [1.0]),)), NOW + 1)
    assert lines.resume["words:plc"] == b"{}"
    assert told([lines]) == [f"a=1.0,a_quality=0i {NOW + 1}"]


def test_what_is_outlived_is_written_once_at_the_end_not_with_each_of_thousands_of_tags() -> None:
    one = source()
    lost = one.lost(BAD_NO_COMMUNICATION, NOW)
    (first,) = one.encode(Delivery((scan_of([0], NOW + 1, [1.0]),)), NOW + 1)
    assert "words:plc" not in first.resume
    again = source(dict(lost.resume))  # what was outlived is outlived again
    assert read(again, scan_of([0], NOW + 1, [1.0]), NOW + 2) == [f"a=1.0,a_quality=0i {NOW + 1}"]
    (second,) = one.encode(Delivery((scan_of([1], NOW + 2, [1.0]),)), NOW + 2)
    assert second.resume["words:plc"] == b"{}"


def test_words_never_run_backwards() -> None:
    one = source()
    one.lost(BAD_NO_COMMUNICATION, NOW)
    back = read(one, scan_of([0], NOW - SECOND, [1.0], np.uint32(GOOD)), NOW - SECOND // 2)
    assert back[-1] == f"a_quality=0i {NOW + 1}"
