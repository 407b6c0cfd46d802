"""Times identify readings: none shared, none backwards, none made up."""

from pipelines.point import BAD_SENSOR_FAILURE, GOOD, UNCERTAIN, Scan, scan_of
from pipelines.stamp import Stamper

NOW = 1_790_000_000_000_000_000
HOUR = 3_600 * 10**9


def times(stamper: Stamper, scan: Scan, now_ns: int = NOW, device_time_ns: int | None = None) -> list[int]:
    return stamper.stamp(scan, now_ns, device_time_ns).scan.time_ns.tolist()


def test_increasing_times_are_untouched() -> None:
    stamper = Stamper([HOUR, HOUR])
    assert times(stamper, scan_of([0, 1, 0], [NOW, NOW, NOW + 5], [1.0, 2.0, 3.0])) == [NOW, NOW, NOW + 5]


def test_different_values_of_one_time_move_by_a_nanosecond() -> None:
    stamper = Stamper([HOUR])
    assert times(stamper, scan_of([0, 0, 0], NOW, [1.0, 2.0, 3.0])) == [NOW, NOW + 1, NOW + 2]
    assert times(stamper, scan_of([0], NOW + 1, [4.0])) == [NOW + 3]


def test_the_same_reading_keeps_its_stamp() -> None:
    stamper = Stamper([HOUR])
    assert times(stamper, scan_of([0, 0], NOW, [1.0, 2.0])) == [NOW, NOW + 1]
    assert times(stamper, scan_of([0], NOW, [2.0])) == [NOW + 1]


def test_a_moved_stamp_is_found_again_after_a_restart() -> None:
    stamper = Stamper([HOUR])
    times(stamper, scan_of([0, 0], NOW, [1.0, 2.0]))
    again = Stamper([HOUR], stamper.changed_blocks(everything=True).values())
    assert times(again, scan_of([0], NOW, [2.0])) == [NOW + 1]


def test_a_moved_stamp_stays_with_its_tag_when_the_configuration_is_edited() -> None:
    stamper = Stamper([HOUR], keys=["P1/a"])
    times(stamper, scan_of([0, 0], NOW, [1.0, 2.0]))
    again = Stamper([HOUR, HOUR], stamper.changed_blocks(everything=True).values(), ["P1/new", "P1/a"])
    assert times(again, scan_of([0, 1], [NOW - 5, NOW], [9.0, 2.0])) == [NOW - 5, NOW + 1]


def test_nothing_is_kept_when_nothing_moved() -> None:
    stamper = Stamper([HOUR])
    times(stamper, scan_of([0], NOW, [1.0]))
    assert set(stamper.changed_blocks(everything=True).values()) <= {b"[]"}


def test_a_clock_that_runs_backwards_is_replaced_and_kept() -> None:
    stamper = Stamper([HOUR])
    times(stamper, scan_of([0], NOW - 10, [1.0]))
    stamped = stamper.stamp(scan_of([0], NOW - 500, [2.0]), NOW)
    assert stamped.scan.time_ns.tolist() == [NOW]
    assert stamped.scan.status.tolist() == [UNCERTAIN]
    assert stamped.source_ns is not None
    assert stamped.source_ns.tolist() == [NOW - 500]


def test_a_clock_that_is_far_off_is_replaced() -> None:
    stamper = Stamper([HOUR])
    assert times(stamper, scan_of([0], NOW + 2 * HOUR, [1.0])) == [NOW]
    assert times(stamper, scan_of([0], 1000, [2.0]), NOW + 5) == [NOW + 5]


def test_an_old_value_of_a_right_clock_keeps_its_time() -> None:
    stamper = Stamper([HOUR])
    assert times(stamper, scan_of([0], NOW - 5 * HOUR, [1.0]), NOW, device_time_ns=NOW - 1) == [NOW - 5 * HOUR]


def test_a_change_of_status_at_one_time_is_another_reading() -> None:
    stamper = Stamper([HOUR])
    assert times(stamper, scan_of([0, 0, 0], NOW, [1.0, 1.0, 1.0], [UNCERTAIN, GOOD, GOOD])) == [NOW, NOW + 1, NOW + 1]


def test_a_zero_whose_sign_changes_at_one_time_is_another_reading() -> None:
    assert times(Stamper([HOUR]), scan_of([0, 0], NOW, [0.0, -0.0])) == [NOW, NOW + 1]


def test_a_bad_reading_has_no_value_to_compare() -> None:
    stamper = Stamper([HOUR])
    nothing = float("nan")
    readings = scan_of([0, 0, 0], NOW, [1.0, nothing, nothing], [GOOD, BAD_SENSOR_FAILURE, BAD_SENSOR_FAILURE])
    assert times(stamper, readings) == [NOW, NOW + 1, NOW + 1]
    again = Stamper([HOUR], stamper.changed_blocks(everything=True).values())
    assert times(again, scan_of([0], NOW, [7.0], BAD_SENSOR_FAILURE)) == [NOW + 1]
    assert times(again, scan_of([0], NOW, [1.0])) == [NOW + 2]


def test_a_clock_set_back_does_not_freeze_the_stamps() -> None:
    stamper = Stamper([HOUR])
    ahead = NOW + 9 * HOUR
    assert times(stamper, scan_of([0], ahead, [1.0]), ahead) == [ahead]
    for step in range(3):
        at = NOW + step * 10**9
        stamped = stamper.stamp(scan_of([0], at, [float(step)]), at)
        assert stamped.scan.time_ns.tolist() == [at]
        assert stamped.scan.status.tolist() == [0]


def test_a_future_stamp_of_an_earlier_process_does_not_freeze_the_next() -> None:
    stamper = Stamper([HOUR])
    ahead = NOW + 9 * HOUR
    times(stamper, scan_of([0, 0], ahead, [1.0, 2.0]), ahead)
    again = Stamper([HOUR], stamper.changed_blocks(everything=True).values())
    assert times(again, scan_of([0], NOW, [3.0]), NOW) == [NOW]


def again(stamper: Stamper, tags: int = 1) -> Stamper:
    """The next process."""
    return Stamper([HOUR] * tags, stamper.changed_blocks(everything=True).values(), newest=stamper.newest())


def test_a_device_clock_that_went_back_while_both_were_off_is_noticed() -> None:
    """Half an hour is less than max_skew_s: only what was kept of the process before can tell."""
    before = Stamper([HOUR])
    times(before, scan_of([0], NOW - 1000, [1.0]), NOW, device_time_ns=NOW)
    stamper, now, off = again(before), NOW + 60 * 10**9, HOUR // 2
    stamped = stamper.stamp(scan_of([0], now - off, [2.0]), now, now - off)
    assert stamped.scan.time_ns.tolist() == [now]
    assert stamped.scan.status.tolist() == [UNCERTAIN]
    assert stamped.source_ns is not None
    assert stamped.source_ns.tolist() == [now - off]


def test_a_part_that_comes_later_is_held_to_the_same() -> None:
    before = Stamper([HOUR])
    times(before, scan_of([0], NOW - 1000, [1.0]), NOW, device_time_ns=NOW)
    stamper, now, off = again(before), NOW + 60 * 10**9, HOUR // 2
    times(stamper, scan_of([0], now - off, [2.0]), now, now - off)
    stamper.extend([HOUR], ["late"])
    assert times(stamper, scan_of([1], now - off, [2.0]), now + 5, now - off) == [now + 5]


def test_a_right_device_clock_keeps_old_times_after_a_restart() -> None:
    before = Stamper([HOUR] * 2)
    times(before, scan_of([0, 1], [NOW - 5000, NOW], [1.0, 2.0]), NOW, device_time_ns=NOW)
    stamper, now = again(before, 2), NOW + 60 * 10**9
    assert times(stamper, scan_of([0, 1], [NOW - 5000, NOW], [1.0, 2.0]), now, now) == [NOW - 5000, NOW]


def test_a_device_clock_that_was_ahead_and_is_right_now_is_followed_after_a_restart() -> None:
    before, ahead = Stamper([HOUR]), HOUR // 2
    times(before, scan_of([0], NOW + ahead, [1.0]), NOW, device_time_ns=NOW + ahead)
    stamper, now = again(before), NOW + 60 * 10**9
    assert times(stamper, scan_of([0], now, [2.0]), now, now) == [now]


def test_while_our_own_clock_is_not_believed_a_source_is_not_measured_by_it() -> None:
    stamper, right = Stamper([HOUR]), NOW + 72 * HOUR
    for step in range(3):
        scan = scan_of([0], right + step, [float(step)])
        stamped = stamper.stamp(scan, NOW + step, right + step, believed=False)
        assert stamped.source_ns is None
        assert stamped.scan.time_ns.tolist() == [right + step]
    for wrong in (1000, NOW + 40 * 366 * 24 * HOUR):
        stamped = stamper.stamp(scan_of([0], wrong, [9.0]), NOW + 10, wrong, believed=False)
        assert stamped.source_ns is not None, "what cannot be right by itself is replaced all the same"
