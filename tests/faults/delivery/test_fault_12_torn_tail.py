"""Fault 12: the last segment ends anywhere in its last three records: everything before is kept, and it starts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.faults.delivery.damage import left_by_a_collector, start, start_of_copy
from tests.faults.delivery.feeding import START_S, feeding

pytestmark = [pytest.mark.fault(12)]


def test_every_record_before_the_tear_is_kept(tmp_path: Path, size: Any, figure: Any) -> None:
    with feeding(tmp_path / "state", tmp_path) as fed:
        left = left_by_a_collector(fed, rows=1, most=30)
        whole = start_of_copy(left, tmp_path / "whole", lambda _: None)
        assert set(whole.rows) == fed.accepted
        records = [place for place in whole.places if place.rows]
        last = records[-1].path.name
        ends = range(records[-3].start, records[-1].end, size(29, 1))
        starts_s, kept = [], True
        for end in ends:
            found = start_of_copy(left, tmp_path / "torn", lambda copy: os.truncate(copy / last, end))  # noqa: B023
            want = [place.rows[0] for place in records if place.path.name < last or place.end <= end]
            kept &= found.rows == want
            starts_s.append(found.opened_s)
        os.truncate(left / last, records[-1].end - 1)
        feeder = fed.start(rows=1)
        assert fed.lost() == [records[-1].rows[0]]
        feeder.until(lambda: feeder.windows_ms)
    figure("byte offsets at which the last segment was cut", asked="every one of 3 records", measured=len(ends))
    figure("records before the cut kept", asked="all", measured="all" if kept else "not all")
    figure("start after a cut, most, s", asked="≤ 5, no manual step", measured=max(*starts_s, *fed.starts_s))
    assert kept
    assert max(*starts_s, *fed.starts_s) <= START_S
    assert start(left).rows
