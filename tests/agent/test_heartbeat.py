"""What an agent says of itself in the store."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.collector import Collector
from agent.config import load_site
from agent.heartbeat import LINK_MEANINGS, MEANINGS, heartbeat
from pipelines.clock import SystemClock
from pipelines.lines import Lines
from pipelines.sinks.lineprotocol import parse
from tests.agent.one_meter import SITE

NOW = 1_800_000_000 * 10**9


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    path = tmp_path / "site.yaml"
    path.write_text(SITE)
    one = Collector(load_site(path), tmp_path / "state", SystemClock())
    yield one
    one.journal.close()


def told(collector: Collector) -> dict[str, dict[str, Any]]:
    """Fields of the agent, under an empty name, and of each connection."""
    found: dict[str, dict[str, Any]] = {}
    for column in parse(heartbeat(collector, NOW).body, "test"):
        tags = dict(column.tags)
        assert (column.measurement, column.time_ns.tolist()) == ("agent", [NOW])
        assert tags["machine"] == collector.agent
        found.setdefault(tags.get("connection", ""), {})[column.field] = column.value.tolist()[0]
    return found


def test_every_field_has_its_meaning_and_no_point_is_counted(collector: Collector) -> None:
    (reading,) = collector.readings
    reading.stats.last_good_ns = NOW - 2 * 10**9
    reading.skew.see(NOW + 500_000_000, NOW, 0.0)
    assert heartbeat(collector, NOW).points == 0
    found = told(collector)
    assert found.keys() == {"", reading.name}
    assert found[""].keys() == MEANINGS.keys()
    assert found[reading.name] == {"up": 0, "readings": 0, "reconnects": 0, "silent_s": 2.0, "skew_s": 0.5}
    assert found[reading.name].keys() == LINK_MEANINGS.keys()


def test_what_is_not_known_of_a_device_is_left_out(collector: Collector) -> None:
    (reading,) = collector.readings
    reading.stats.connected, reading.stats.opened = True, 3
    assert told(collector)[reading.name] == {"up": 1, "readings": 0, "reconnects": 2}


def test_the_process_is_measured(collector: Collector) -> None:
    before_s = time.process_time()
    found = told(collector)[""]
    assert before_s - 0.001 < found["cpu_s"] < time.process_time() + 0.001
    resident = int(Path(f"/proc/{os.getpid()}/status").read_text().partition("VmRSS:")[2].split()[0]) * 1024
    assert resident / 2 < found["rss_bytes"] < resident * 2


async def test_what_waits_makes_the_buffer_and_the_lag(collector: Collector) -> None:
    assert (told(collector)[""]["queued"], told(collector)[""]["lag_s"]) == (0, 0.0)
    empty = told(collector)[""]["buffer_bytes"]
    collector.flow.put(Lines(b"m,t=x a=1 5000000000\n", 1, (5_000_000_000,) * 2, {}))
    await collector.flow.flush()
    found = told(collector)[""]
    assert (found["accepted"], found["queued"], found["stored"], found["imbalance"]) == (1, 1, 0, 0)
    assert found["lag_s"] == NOW / 1e9 - 5
    assert empty <= found["buffer_bytes"] < found["buffer_max_bytes"] == collector.site.journal.max_bytes
    assert (found["broker_up"], found["connections"], found["connected"]) == (0, 1, 0)
