"""The chained log as the store has it: what was altered, removed or put in is found, and two agents are no break."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from pipelines.derive.calibration import Calibrated, CalibrationSettings, calibrated
from pipelines.derive.chain import Chain, Entry
from viewer.safety.log import Break, Logged, checked, logged

AT = 1_750_000_000_000_000_000


def chained(count: int, machine: str = "GD-01") -> list[Entry]:
    chain = Chain()
    said = {"machine": machine, "alarm": "hcl_high"}
    return [chain.add(said | {"time_ns": str(AT + n)}) for n in range(count)]


def told(entries: list[Entry]) -> list[Logged]:
    """As points of the store say them."""
    return [
        logged(int(one.said["time_ns"]), one.said["machine"], "hcl_high", one.seq, one.hash, one.canonical().decode())
        for one in entries
    ]


def test_a_whole_log_from_wherever_it_begins() -> None:
    entries = told(chained(9))
    found = checked(list(reversed(entries)))
    assert (found.whole, found.entries, found.first, found.last, found.head) == (True, 9, 1, 9, entries[-1].hash)
    assert checked(entries[4:]).whole
    assert checked([]).whole is None


def test_two_agents_of_a_site_have_a_chain_each() -> None:
    found = checked(told(chained(9)) + told(chained(4, "GD-02")))
    assert (found.whole, found.chains) == (True, 2)


@pytest.mark.parametrize(
    ("change", "breaks"),
    [
        (lambda all_: all_[:3] + all_[5:], ((Break.MISSING, 6),)),
        (lambda all_: [*all_[:3], replace(all_[3], entry=None), *all_[4:]], ((Break.ALTERED, 4),)),
        (lambda all_: [*all_, *told([replace(chained(5)[4], said=chained(4)[3].said)])], ((Break.ALTERED, 5),)),
    ],
)
def test_what_was_done_to_it_is_found(change: object, breaks: object) -> None:
    assert callable(change)
    assert checked(change(told(chained(9)))).breaks == breaks


def test_an_entry_beside_another_and_a_wrong_number_are_found() -> None:
    entries = chained(9)
    chain = Chain()
    chain.head = entries[3].head
    other = chain.add({"machine": "GD-01", "alarm": "hcl_high", "time_ns": str(AT + 99)})
    assert checked(told([*entries, other])).breaks == ((Break.PUT_IN, 5),)
    chain.head = replace(entries[8].head, seq=20)
    late = chain.add({"machine": "GD-01", "alarm": "hcl_high", "time_ns": str(AT + 99)})
    assert checked(told([*entries, late])).breaks == ((Break.PUT_IN, 21),)


def test_a_point_must_carry_what_its_entry_says() -> None:
    one = chained(1)[0]
    said = (one.seq, one.hash, one.canonical().decode())
    assert logged(AT, "GD-01", "hcl_high", *said).entry == one
    assert logged(AT + 1, "GD-01", "hcl_high", *said).entry is None
    assert logged(AT, "GD-02", "hcl_high", *said).entry is None
    assert logged(AT, "GD-01", "hcl_high", one.seq, "00" * 32, said[2]).entry is None
    assert logged(AT, "GD-01", "hcl_high", one.seq, one.hash, "no JSON").entry is None


def test_a_calibration_is_due_on_its_last_day_and_over_the_day_after() -> None:
    of = CalibrationSettings(every_days=180, last=date(2026, 1, 1))
    due = date(2026, 6, 30)
    assert of.due == due
    days = (due - timedelta(days=31), due - timedelta(days=30), due, due + timedelta(days=1), date(2025, 12, 31))
    assert [str(calibrated(of, day)) for day in days] == ["holds", "soon", "soon", "overdue", "unknown"]
    assert calibrated(CalibrationSettings(every_days=180), due) is Calibrated.UNKNOWN
