"""When a commit begins."""

from __future__ import annotations

import pytest

from pipelines.commit_due import CommitDue


def test_the_first_that_came_sets_the_time() -> None:
    due = CommitDue(10.0)
    due.came(10.0)
    due.came(10.3)
    due.took(0.2)
    assert due.begin_s(10.4) == pytest.approx(19.8)


def test_what_comes_while_a_commit_runs_waits_for_the_next() -> None:
    due = CommitDue(10.0)
    due.came(10.0)
    due.taken()
    due.came(10.5)
    due.took(0.2)
    assert due.begin_s(10.6) == pytest.approx(20.3)


def test_where_nothing_waits_there_is_nothing_to_wait_for() -> None:
    due = CommitDue(0.5)
    assert due.begin_s(20.0) == 20.0
    due.came(20.0)
    due.taken()
    assert due.begin_s(21.0) == 21.0


def test_a_slow_disk_is_asked_a_twentieth_sooner_at_most() -> None:
    due = CommitDue(0.5)
    due.came(0.0)
    due.took(30.0)
    assert due.begin_s(0.0) == pytest.approx(0.475)


def test_one_slow_commit_is_forgotten() -> None:
    due = CommitDue(0.5)
    due.took(0.2)
    for _ in range(100):
        due.took(0.001)
    due.came(0.0)
    assert due.begin_s(0.0) == pytest.approx(0.499, abs=1e-4)
