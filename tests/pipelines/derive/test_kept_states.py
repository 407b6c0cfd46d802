"""States of rules in the journal: small, and after any record those that it leads to."""

from __future__ import annotations

import random

import orjson
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import resume
from pipelines.derive.condition import Condition
from pipelines.derive.kept import SINCE, WHOLE, Kept

NAMES = [f"alarm/M/{index}" for index in range(5)]
steps = st.lists(st.dictionaries(st.sampled_from(NAMES), st.binary(max_size=40), max_size=3), max_size=60)


@given(steps)
def test_the_newest_records_lead_to_the_newest_states(changes: list[dict[str, bytes]]) -> None:
    kept, journal, expected = Kept({}), dict[str, bytes](), dict[str, bytes]()
    for index, change in enumerate(changes):
        for name, state in change.items():
            kept[name] = state
        expected |= change
        journal |= kept.resume()
        if index % 7 == 0:
            kept = Kept(journal)
        again = Kept(journal)
        assert {name: again[name] for name in again.names()} == {name: one for name, one in expected.items() if one}
    assert Kept(journal).resume() == {}


def test_what_is_written_again_and_again_ends_with_a_whole_set_without_what_was_forgotten() -> None:
    kept, wholes = Kept({}), []
    for record in range(1000):
        kept[f"alarm/M/{record}"] = b"%d" % record
        kept[f"alarm/M/{record - 3}"] = b""
        written = kept.resume()
        assert len(written[SINCE]) < 1000
        wholes += [len(written[WHOLE])] if WHOLE in written else []
    assert len(wholes) > 10
    assert max(wholes) < 200


def test_what_does_not_change_is_written_now_and_then_only() -> None:
    kept, wholes, since = Kept({}), 0, []
    for name in range(150):
        kept[f"alarm/M/{name}"] = b"%d" % (name * 7919)
    for poll in range(100):
        kept["alarm/M/7"] = b"%d" % poll
        written = kept.resume()
        wholes += WHOLE in written
        since.append(len(written[SINCE]))
    assert wholes < 5
    assert max(since) < 40


def test_many_rules_whose_states_move_stay_small() -> None:
    """150 alarms each, in bytes of a record: their readings alone are 3 to 6 kB; before, it was 26, 103 and 28."""
    found = resume.measured(40)
    assert found["minus"] < 3500
    assert found["rises_by"] < 6000
    assert found["above"] < 100
    assert found["shared_tag"] < 25


def test_what_rises_is_compared_with_the_lowest_value_there_was() -> None:
    """Whatever is left out of the values that are kept could not have become the lowest."""
    (one,) = resume.alarms(rises_by=5, per_s=32)[:1]
    condition, noise, seen = Condition(one), random.Random(3), list[tuple[int, float]]()
    for second in range(400):
        x = round(noise.gauss(0, 2) + 4 * (second % 90 > 70), 1)
        condition.take(one.ref(one.tag or ""), second * 10**9, x, 0)
        seen = [*seen, (second, x)][-33:]
        assert condition.met is (x - min(value for _, value in seen) >= 5)
        again = Condition(one)
        again.restore(orjson.loads(orjson.dumps(condition.state())), condition.value)
        condition = again
