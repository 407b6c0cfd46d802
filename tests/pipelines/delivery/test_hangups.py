"""Which ends of sessions look like another client with the same id."""

from pipelines.delivery.hangups import HangUps

TAKEN = {"hung_up": True, "answers": True, "may_be_size": False}


def test_three_short_sessions_that_the_broker_hung_up_on() -> None:
    one = HangUps()
    assert [one.ended(1.0, **TAKEN) for _ in range(4)] == [False, False, True, True]


def test_a_broker_that_was_away_a_word_or_a_session_that_held_begin_anew() -> None:
    for other in ({"answers": False}, {"hung_up": False}):
        one = HangUps()
        ends = [one.ended(1.0, **(TAKEN | end)) for end in ({}, {}, other, {}, {})]
        assert ends == [False] * 5
    one = HangUps()
    assert [one.ended(held_s, **TAKEN) for held_s in (1, 1, 91, 1, 1)] == [False] * 5


def test_a_record_that_may_be_too_large_is_not_another_client() -> None:
    one = HangUps()
    assert not any(one.ended(1.0, **(TAKEN | {"may_be_size": True})) for _ in range(9))
