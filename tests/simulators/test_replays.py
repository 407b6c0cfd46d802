"""Deadbands over a power cut."""

from __future__ import annotations

from simulators.replays import Replayed


def test_around_a_power_cut_each_stored_reading_counts_until_one_is_stored_behind_it() -> None:
    tag = Replayed([(10, 20)], 0.5)
    tag.stored(5, 1.0)
    assert not tag.holds_back(1.1)
    tag.stored(12, 2.0)
    tag.stored(13, 3.0)
    assert [tag.holds_back(value) for value in (1.4, 1.5, 2.2, 3.4, 3.5)] == [True, False, True, True, False]
    tag.stored(25, 3.2)
    assert not tag.holds_back(3.2)


def test_without_a_deadband_nothing_is_held_back() -> None:
    tag = Replayed([(10, 20)], 0.0)
    tag.stored(12, 2.0)
    assert not tag.holds_back(2.0)
