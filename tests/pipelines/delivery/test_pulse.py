"""Silence that is too long, and silence that is not."""

from pipelines.delivery.pulse import Asked, Pulse

SMALL, LARGE = Asked(1_000, 1_000), Asked(500_000, 500_000)


def test_an_answer_that_stays_away_for_two_keepalives() -> None:
    pulse = Pulse(30, 0.0)
    assert pulse.silent_s(20, 10, 0, None) == 0
    assert pulse.silent_s(21, 10, 1_000, SMALL) == 0
    assert pulse.silent_s(80, 10, 1_000, SMALL) == 0
    assert pulse.silent_s(81, 10, 1_000, SMALL) == 61


def test_a_ping_that_went_at_once_is_no_life() -> None:
    pulse = Pulse(5, 0.0)
    assert pulse.silent_s(0.5, 0, 100, None) == 0
    assert pulse.silent_s(5.5, 0, 102, Asked(102, 2)) == 0
    assert pulse.silent_s(10.5, 0, 102, Asked(102, 2)) == 10.5


def test_nothing_asked_is_no_silence() -> None:
    pulse = Pulse(5, 0.0)
    assert pulse.silent_s(1000, 0, 0, None) == 0


def test_bytes_that_come_are_life() -> None:
    pulse = Pulse(5, 0.0)
    assert all(pulse.silent_s(now_s, now_s, 1_000, SMALL) == 0 for now_s in range(1, 100, 9))


def test_bytes_of_a_large_packet_that_go_are_life_and_those_of_later_ones_are_not() -> None:
    pulse = Pulse(5, 0.0)
    assert all(pulse.silent_s(9.0 * step, 0, 50_000 * step, LARGE) == 0 for step in range(1, 10))
    assert pulse.silent_s(90, 0, 500_000, LARGE) == 0
    for step in range(1, 7):  # a broker that stands still: its kernel goes on taking
        assert pulse.silent_s(90 + 10 * step, 0, 500_000 + step, LARGE) == 0
    assert pulse.silent_s(155, 0, 600_000, LARGE) == 65


def test_a_large_packet_that_does_not_move_is_dead_in_time() -> None:
    pulse = Pulse(5, 0.0)
    pulse.silent_s(1, 0, 100_000, LARGE)
    assert pulse.silent_s(12, 0, 100_000, LARGE) == 12
