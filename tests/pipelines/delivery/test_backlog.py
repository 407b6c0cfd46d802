"""What waits on disk is read once it can be."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from pipelines.delivery.backlog import Backlog
from pipelines.journal.segment import Segment
from tests.pipelines.journal.test_journal import commit, opened


def test_a_segment_that_cannot_be_opened_now_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = opened(tmp_path)
    records = [journal.append(b"a", 1, (1, 1), {}) for _ in range(3)]
    commit(journal)
    journal.close()
    again = opened(tmp_path)
    backlog = Backlog(again)

    def failing(_: Segment) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(Segment, "heads", failing)
        for _ in range(2):
            with pytest.raises(OSError, match="Too many open files"):
                backlog.take()
    found = [backlog.take() for _ in records]
    assert [stored and stored.id for stored in found] == [stored.id for stored in records]
    again.close()
