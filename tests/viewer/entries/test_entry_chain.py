"""Corrections are appended; of a chain the newest counts."""

from __future__ import annotations

import random
import uuid

from hypothesis import given
from hypothesis import strategies as st

from tests.viewer.entries.said import NOW_NS, entry, written
from viewer.entries.chain import chains, counting, newest
from viewer.entries.written import Written, lines_of, written_of

BASE = entry()


def one(number: int, replaces: int | None, at: int, *, withdrawn: bool = False) -> Written:
    names = {"id": str(uuid.UUID(int=number)), "replaces": None if replaces is None else str(uuid.UUID(int=replaces))}
    return written(BASE.model_copy(update={**names, "withdrawn": withdrawn}), NOW_NS + at)


@st.composite
def histories(draw: st.DrawFn) -> list[Written]:
    """What desks append: each corrects nothing, or something that was there before; clocks are what they are."""
    found: list[Written] = []
    for number in range(draw(st.integers(0, 12))):
        before = draw(st.none() | st.integers(0, number - 1)) if number else None
        gone = before is not None and draw(st.booleans())
        found.append(one(number, before, draw(st.integers(-5, 5)), withdrawn=gone))
    return found


@given(histories(), st.randoms(use_true_random=False))
def test_the_order_in_which_they_come_and_repeats_change_nothing(entries: list[Written], chance: random.Random) -> None:
    again = [*entries, *chance.choices(entries, k=3)] if entries else []
    chance.shuffle(again)
    assert counting(again) == counting(entries)


@given(histories())
def test_each_chain_counts_once_and_by_one_that_nothing_corrects(entries: list[Written]) -> None:
    found = chains(entries)
    assert sorted(each.id for chain in found for each in chain) == sorted(each.id for each in entries)
    corrected = {each.replaces for each in entries}
    assert not corrected & {newest(chain).id for chain in found}
    assert all(newest(chain) in chain for chain in found)
    roots = [each for each in entries if each.replaces is None]
    assert len(found) == len(roots), "what was never corrected, or first, begins a chain"
    assert {each.id for each in counting(entries)} == {
        newest(chain).id for chain in found if not newest(chain).entry.withdrawn
    }


@given(histories(), st.integers(-5, 5))
def test_a_correction_changes_its_own_chain_alone(entries: list[Written], at: int) -> None:
    if not entries:
        return
    before, target = counting(entries), newest(chains(entries)[0])
    number = int(uuid.UUID(target.id))
    after = counting([*entries, one(99, number, at)])
    assert {each.id for each in after} - {each.id for each in before} == {one(99, None, 0).id}
    assert {each.id for each in before} - {each.id for each in after} <= {target.id}


def test_a_clock_that_was_set_back_does_not_bring_back_what_was_corrected() -> None:
    first, second = one(1, None, 0), one(2, 1, -3600 * 10**9)
    assert counting([first, second]) == [second]


def test_of_two_corrections_of_the_same_the_later_counts_and_a_ring_ends_nothing() -> None:
    first, early, late = one(1, None, 0), one(2, 1, 5), one(3, 1, 6)
    assert counting([early, late, first]) == [late]
    ring = [one(4, 5, 1), one(5, 4, 2)]
    assert len(counting(ring)) == 1


def test_what_corrects_something_that_is_not_here_counts() -> None:
    assert counting([one(2, 1, 5), one(3, 1, 6)]) == [one(3, 1, 6)]


def test_withdrawn_is_gone_and_may_be_brought_back() -> None:
    first, gone = one(1, None, 0), one(2, 1, 1, withdrawn=True)
    assert counting([first, gone]) == []
    assert counting([first, gone, one(3, 2, 2)]) == [one(3, 2, 2)]


@given(
    st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), max_size=30).map(str.strip),
    st.none() | st.floats(0, 1e12),
    st.booleans(),
)
def test_a_point_is_read_back_as_it_was_written(note: str, of: float | None, withdrawn: bool) -> None:
    from pipelines.sinks.lineprotocol import parse  # noqa: PLC0415 - only here

    whole = written(BASE.model_copy(update={"note": note, "of": of, "withdrawn": withdrawn, "replaces": BASE.id}))
    columns = parse(lines_of(whole).body)
    tags = dict(columns[0].tags)
    fields = {column.field: column.value.tolist()[0] for column in columns}
    assert {column.measurement for column in columns} == {"entry"}
    assert tags == {
        "company": whole.company,
        "site": whole.site,
        "line": "프레스라인",
        "machine": "PRS-01",
        "kind": "defect",
    }
    assert written_of(tags, int(columns[0].time_ns[0]), fields) == whole
