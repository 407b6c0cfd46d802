"""When a commit begins."""

from __future__ import annotations

import pytest

from pipelines.commit_due import CommitDue


def test_the_first_that_came_sets_the_time() -> None:
    due = CommitDue(10.0)
    due.came(10.0)
    due.came(10.3)
    assert due.begin_s(10.4) == pytest.approx(19.5)


def test_what_comes_while_a_commit_runs_waits_for_the_next() -> None:
    due = CommitDue(10.0)
    due.came(10.0)
    due.taken()
    due.came(10.5)
    assert due.begin_s(10.6) == pytest.approx(20.0)


def test_where_nothing_waits_there_is_nothing_to_wait_for() -> None:
    due = CommitDue(0.5)
    assert due.begin_s(20.0) == 20.0
    due.came(20.0)
    due.taken()
    assert due.begin_s(21.0) == 21.0
