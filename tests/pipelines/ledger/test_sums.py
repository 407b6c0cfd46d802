"""Sums beside the ledger."""

from __future__ import annotations

import threading
from pathlib import Path

from pipelines.journal.segment import Segment
from pipelines.ledger.book import Numbers
from pipelines.ledger.carried import Load
from pipelines.ledger.sums import Sums


def test_segments_left_faster_than_they_are_summed_hold_up_nothing(tmp_path: Path) -> None:
    sums = Sums(tmp_path, Numbers(), 1 << 20)
    busy = threading.Event()
    sums._worker.submit(busy.wait)
    for number in range(8):
        sums._left(Load(Segment(tmp_path / f"{number:016x}.seg", "ab" * 16)))
    busy.set()
    closing = threading.Thread(target=sums.close, daemon=True)
    closing.start()
    closing.join(20)
    assert not closing.is_alive()
    assert len(list(tmp_path.glob("*.tally"))) == 8
