"""Polls of a collector whose clock was off: held to the time and quality they are stored with."""

from __future__ import annotations

from simulators.clocks import UNCERTAIN, Shift, as_received, as_stamped
from simulators.evidence import READ, SUBSCRIBE, Item, items_of

S = 10**9


def poll(at_s: float, value: float = 1.0) -> Item:
    at_ns = int(at_s * S)
    return Item(at_ns, at_ns + 1000, value, 0, at_ns + 1000, slack_ns=S // 4)


def test_a_shifted_poll_is_held_to_its_shifted_time_and_order_is_kept() -> None:
    items = [poll(10), poll(20, 2.0), poll(50, 3.0)]
    times = [10 * S, 50 * S, 65 * S]
    found = as_stamped(items, times, [1.0, 3.0, 2.0], [0, 0, 0], [Shift(19 * S, 21 * S, 45 * S)])
    assert [(one.start_ns // S, one.value) for one in found] == [(10, 1.0), (50, 3.0), (65, 2.0)]


def test_an_estimate_may_be_uncertain_at_the_right_or_the_wrong_time() -> None:
    shift = Shift(19 * S, 21 * S, -3600 * S)
    (right,) = as_stamped([poll(20)], [20 * S], [1.0], [UNCERTAIN], [shift])
    assert (right.start_ns, right.status) == (20 * S, UNCERTAIN)
    (wrong,) = as_stamped([poll(20)], [-3580 * S], [1.0], [UNCERTAIN], [shift])
    assert (wrong.start_ns, wrong.status) == (-3580 * S, UNCERTAIN)


def test_outside_of_the_stretch_nothing_else_is_accepted() -> None:
    items = [poll(30)]
    assert as_stamped(items, [75 * S], [1.0], [0], [Shift(19 * S, 21 * S, 45 * S)]) == items
    assert as_stamped(items, [30 * S], [1.0], [UNCERTAIN], [Shift(19 * S, 21 * S, 45 * S)]) == items


def test_what_is_stored_in_no_form_stays_where_it_was() -> None:
    items = [poll(20)]
    assert as_stamped(items, [20 * S], [9.0], [0], [Shift(19 * S, 21 * S, 45 * S)]) == items


def changes() -> list[Item]:
    """Of a device whose clock was ahead by an hour from 10 s to 20 s."""
    skew = {"k": "fault", "fault": "clock_skew", "device": "d", "by_s": 3600.0, "start_ns": 10 * S}
    header = {"k": "header", "signals": [{"id": 0, "device": "d", "node": "n"}]}
    said = [(5, 1.0), (3612, 2.0), (3613, 3.0), (20.5, 4.0), (30, 5.0)]
    lines = [{"k": "change", "id": 0, "time": int(at * S), "value": value, "status": 0} for at, value in said]
    first = lines[0] | {"k": "item", "event": "created"}
    ended = skew | {"end_ns": 20 * S, "ended": True}
    truth = [header, first, skew | {"end_ns": 20 * S}, *lines[1:3], ended, *lines[3:]]
    return items_of([truth], {"tag": ("d", "n")}, {"tag": SUBSCRIBE})["tag"]


def test_a_change_of_a_device_with_a_wrong_clock_bears_its_time_or_that_of_receipt() -> None:
    items = changes()
    assert [one.received_ns is not None for one in sorted(items, key=lambda one: one.value)] == [
        False,
        *[True] * 3,
        False,
    ]
    believed = [one.start_ns for one in items]
    assert as_received(items, believed, [one.value for one in items], [0] * 5) == items
    times = [5 * S, 12 * S + 7, 14 * S, 20 * S + 9 * S // 10, 30 * S]
    found = as_received(items, times, [1.0, 2.0, 3.0, 4.0, 5.0], [0, UNCERTAIN, UNCERTAIN, 0, 0])
    assert [(one.start_ns // S, one.status) for one in found] == [
        (5, 0),
        (12, UNCERTAIN),
        (13, UNCERTAIN),
        (20, 0),
        (30, 0),
    ]
    assert [one.end_ns - one.start_ns for one in found] == [0, 2 * S, 2 * S, 2 * S, 0]


def test_the_point_of_the_change_after_it_is_not_taken_for_what_was_lost() -> None:
    """Of one value; the first was forgotten by a server that restarted, the second bears the time of the restart."""
    lost = Item(8 * S, 8 * S, 1.0, 0, 8 * S, received_ns=(8 * S, 10 * S))
    items = [lost, Item(9 * S, 9 * S, 1.0, 0, 9 * S)]
    assert as_received(items, [9 * S], [1.0], [0]) == items


def test_the_point_of_the_poll_beside_it_is_not_taken_for_its_own() -> None:
    """Half a second apart and of one value, with the slack of a machine that stood still."""
    items = [poll(19.75), poll(20)]
    times = [int(19.75 * S), 65 * S]
    found = as_stamped(items, times, [1.0, 1.0], [0, 0], [Shift(int(19.9 * S), 21 * S, 45 * S)])
    assert [one.start_ns for one in found] == times


def test_a_shifted_poll_does_not_take_the_point_of_the_poll_of_that_time() -> None:
    """It is stored by its estimate, a little late; 45 s later a poll of the same value falls on its wrong time."""
    items = [poll(20), poll(65)]
    times = [int(20.1 * S), 65 * S]
    found = as_stamped(items, times, [1.0, 1.0], [UNCERTAIN, 0], [Shift(19 * S, 21 * S, 45 * S)])
    assert [(one.start_ns, one.status) for one in found] == [(20 * S, UNCERTAIN), (65 * S, 0)]


def test_what_is_read_again_under_a_wrong_clock_may_be_another_point() -> None:
    skew = {"k": "fault", "fault": "clock_skew", "device": "d", "by_s": 3600.0, "start_ns": 10 * S, "end_ns": 20 * S}
    header = {"k": "header", "signals": [{"id": 0, "device": "d", "node": "n"}]}
    reads = [
        {"k": "read", "device": "d", "t0": at * S, "t1": at * S + 1, "ids": [0], "values": [1.0], "times": [time * S]}
        for at, time in ((5, 5), (6, 5), (12, 3611), (13, 3611))
    ]
    lines = [one | {"status": [0]} for one in reads]
    items = items_of([[header, *lines[:2], skew, *lines[2:]]], {"tag": ("d", "n")}, {"tag": READ})["tag"]
    assert [(one.start_ns // S, one.required) for one in items] == [(5, True), (3611, True), (3611, False)]
    found = as_received(items, [5 * S, 12 * S, 13 * S], [1.0] * 3, [0, UNCERTAIN, UNCERTAIN])
    assert [one.start_ns // S for one in found] == [5, 12, 13]
