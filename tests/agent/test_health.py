"""What a collector says of itself: metrics, health, and the law that no point is in no account."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from metrics_page import PAGE, page
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from agent import health
from agent.collector import Collector
from agent.config import load_site
from agent.control.client import SOCKET, _send
from agent.control.server import serve_control
from agent.metrics import BUILD, FAMILIES, FSYNC, StatusMetrics
from pipelines.clock import SystemClock
from pipelines.derive.engine import Heard
from pipelines.derive.rule import Ref
from tests.agent.one_meter import SITE
from tests.pipelines.derive.test_engine import NOW, Sum
from tests.pipelines.waiting import until

DEADLINE_S = 20.0


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    path = tmp_path / "site.yaml"
    path.write_text(SITE)
    one = Collector(load_site(path), tmp_path / "state", SystemClock())
    yield one
    one.journal.close()


def scraped(collector: Collector) -> dict[str, list[Any]]:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(StatusMetrics(collector.status))
    text = generate_latest(registry).decode()
    return {one.name: one.samples for one in text_string_to_metric_families(text)}


def test_the_page_says_what_is_scraped(collector: Collector) -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: PYTHONPATH=. .venv/bin/python tests/agent/metrics_page.py"
    found = scraped(collector)
    assert found.keys() == {one.name for one in FAMILIES} | {FSYNC[0], f"{BUILD[0]}_info"}
    for family in FAMILIES:
        for sample in found[family.name]:
            assert (sample.name, tuple(sample.labels)) == (family.scraped, family.labels)


def test_what_did_not_happen_yet_has_no_time(collector: Collector) -> None:
    found = scraped(collector)
    assert found["shopfloor_queue_oldest_point_timestamp_seconds"] == []
    assert found["shopfloor_source_last_good_timestamp_seconds"] == []
    collector.outbox.add(collector.journal.append(b"m,t=x a=1 5000000000\n", 1, (5_000_000_000, 5_000_000_000), {}))
    (oldest,) = scraped(collector)["shopfloor_queue_oldest_point_timestamp_seconds"]
    assert oldest.value == 5.0


def test_a_commit_is_timed(collector: Collector) -> None:
    collector.journal.append(b"m,t=x a=1 5000000000\n", 1, (5_000_000_000, 5_000_000_000), {})
    collector.journal.sync(collector.journal.take_uncommitted()[0])
    samples = {one.name.rpartition("_")[2]: one.value for one in scraped(collector)[FSYNC[0]]}
    assert samples["count"] == 1
    assert 0 < samples["sum"] < 10


def test_a_point_in_no_account_is_trouble(collector: Collector) -> None:
    """The law is broken on purpose: a point is called accepted that nobody has."""
    assert collector.flow.imbalance == 0
    before = health.troubles(collector)
    collector.stats.accepted += 1
    (said,) = set(health.troubles(collector)) - set(before)
    assert "+1 points are in no account" in said
    assert collector.status()["healthy"] is False
    (imbalance,) = scraped(collector)["shopfloor_points_imbalance"]
    assert imbalance.value == 1


def test_a_rule_that_is_set_aside_is_trouble(collector: Collector) -> None:
    (metric,) = scraped(collector)["shopfloor_rules_set_aside"]
    assert (metric.value, collector.status()["rules"]["set_aside"]) == (0, {})
    engine = collector.links.engine
    engine.follow([Sum("power")], {})  # it gives points of a machine that is nowhere
    engine.hear([Heard(NOW, Ref("P1", "power"), 1.0, 0)])
    lines = engine.gather(NOW)
    assert lines is None or not lines.points
    (said,) = [text for text in health.troubles(collector) if "set aside" in text]
    assert said.startswith("rule sum/power is set aside: KeyError: 'P1'; what it derives is missing. `agent reload`")
    (metric,) = scraped(collector)["shopfloor_rules_set_aside"]
    assert metric.value == 1


async def test_alive_is_not_ready(collector: Collector, tmp_path: Path) -> None:
    turning = True

    async def asked(what: str) -> tuple[int, list[str]]:
        code, body = await asyncio.to_thread(_send, tmp_path, "GET", what, None, DEADLINE_S)
        return code, body.decode().splitlines()

    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
        serving = group.create_task(serve_control(tmp_path / SOCKET, collector.status, {}, lambda: turning))
        await until((tmp_path / SOCKET).exists)
        assert await asked("/healthz") == (200, ["alive"])
        code, said = await asked("/readyz")
        assert (code, said) == (503, health.troubles(collector))
        assert "meter: not connected yet" in said
        collector.uplink.error = ""
        collector.readings[0].stats.connected = True
        assert await asked("/readyz") == (200, ["ready"])
        turning = False
        assert (await asked("/healthz"))[0] == 503
        serving.cancel()


def test_a_journal_that_fills_up_is_told_before_it_is_full(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(f"{SITE}journal: {{max_bytes: 1048576, at_cap: reject_new, min_free_bytes: 0}}\n")
    one = Collector(load_site(path), tmp_path / "state", SystemClock())
    try:
        while one.journal.bytes_used <= 0.8 * 1048576:
            assert not any("max_bytes" in text for text in health.troubles(one))
            one.journal.append(b"m,t=x a=1 5000000000\n" * 2000, 1, (5_000_000_000, 5_000_000_000), {})
        assert any(
            re.search("8[0-9] % of max_bytes are used; at 100 % sources will wait", text)
            for text in health.troubles(one)
        )
    finally:
        one.journal.close()


STANDS_STILL = {
    "the look at stale tags": lambda one: setattr(one.readings[0], "_turned_s", 0.0),
    "the poll": lambda one: setattr(one.readings[0].stats, "turn_due_s", 0.0),
    "the writer of the journal": lambda one: setattr(one.flow, "beat_s", 0.0),
    "the way to the broker": lambda one: setattr(one.uplink, "_turned_s", 0.0),
}


@pytest.mark.parametrize("part", STANDS_STILL)
def test_every_part_has_to_turn(part: str, collector: Collector) -> None:
    assert collector.alive()
    STANDS_STILL[part](collector)
    assert not collector.alive()


def test_a_poll_that_waits_for_the_disk_does_not_stand_still(collector: Collector) -> None:
    STANDS_STILL["the poll"](collector)
    collector.readings[0]._handing_over = True
    assert collector.alive()
