"""A server's queue that is too short: what fell out of it lies inside a gap, and what lies outside is there."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.connectors.opcua.conftest import Consumer, connection, run_foreign, tag

pytestmark = pytest.mark.wire

PUBLISH_S = 3.0
QUEUE = 5


async def test_what_fell_out_of_the_queue_lies_inside_a_gap(tmp_path: Path, size: Any, figure: Any) -> None:
    """reliability: publish 3 s, change 10 ms, queue 5."""
    publishes = size(2, 20)
    log = tmp_path / "changes"
    with run_foreign(tmp_path, PERIOD_MS="10", LOG=str(log)) as server:
        consumer = Consumer(
            connection(
                server.endpoint,
                tag("count", f"nsu={server.namespace};s=Counter0"),
                publishing_interval_s=PUBLISH_S,
                sampling_interval_s=0,
                queue_size=QUEUE,
                keepalive_s=10.0,
            )
        )
        await consumer.until(lambda: len(consumer.gaps) >= publishes, PUBLISH_S * (publishes + 3))
        words = [line.split() for line in log.read_text().splitlines()]
    changes = {int(count): int(ns) for name, count, ns in words if name == "Counter0"}
    got = {value: time_ns for _, time_ns, value, _ in consumer.rows}
    assert all(changes.get(value, ns) == ns for value, ns in got.items())
    first, last = min(got), max(got)
    lost = [value for value in range(first, last) if value not in got]
    spans = [(gap.start_ns, gap.end_ns or 0) for gap in consumer.gaps]
    assert {gap.cause for gap in consumer.gaps} == {"queue_overflow"}
    assert lost
    unexplained = [value for value in lost if not any(start < changes[value] < end for start, end in spans)]
    assert unexplained == []
    assert all(before[1] <= after[0] for before, after in pairwise(spans)), "gaps do not overlap"
    inside = [value for value in got if any(start < got[value] < end for start, end in spans)]
    assert inside == [], "no delivered reading lies inside a gap"
    figure("changes that fell out of a server's queue, outside of gaps", asked="0", measured=f"0 of {len(lost)}")
