"""Hours are kept beside a bridge for ever, and what is in their way is told once and stops nothing."""

from __future__ import annotations

import asyncio
import time

import pytest
from structlog.testing import capture_logs

from agent.hours import keeping_hours
from pipelines.sinks.influx import InfluxSink, InfluxV1Sink, InfluxV2Sink
from pipelines.sinks.touched import HOUR_NS
from tests.pipelines.waiting import until
from tests.services.influx_v2 import running_influx_v2
from tests.services.influxd import Influxd, influxd
from viewer.stores.base import Place
from viewer.stores.influx import InfluxStore

__all__ = ["influxd"]
pytestmark = pytest.mark.wire
SPEED = 20_000
PLACE = Place("C", machine="M", measurement="m")


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten minutes are 0.03 s."""
    monkeypatch.setenv("SHOPFLOOR_CLOCK", f"{time.time_ns()}:{SPEED}")


async def kept_while(sink: InfluxSink, happens: list[object]) -> None:
    """The loop runs until all of these, which wait for something, are over."""
    async with asyncio.TaskGroup() as group:
        loop = group.create_task(keeping_hours(sink))
        for one in happens:
            await one  # type: ignore[misc]
        loop.cancel()


async def test_hours_are_made_of_every_database_that_is_written(influxd: Influxd) -> None:
    sink = InfluxV1Sink(influxd.url, "of_{company}")
    start_ns = (sink._clock.now_ns() // HOUR_NS - 50) * HOUR_NS
    for company in ("C", "D"):
        await sink.write(company, f"m,company={company},machine=M f=5 {start_ns}\nm,company={company} f=1 1".encode())

    def made() -> bool:
        """Asked of stores that never heard otherwise."""
        return all(InfluxStore(influxd.url, f"of_{company}").keeps_hours for company in ("C", "D"))

    await kept_while(sink, [until(made)])
    trend = InfluxStore(influxd.url, "of_C").trend(PLACE, "f", start_ns, start_ns + 40 * HOUR_NS, 4)
    assert (trend.count.tolist(), trend.mean.tolist()) == ([1], [5.0])
    await sink.close()


async def test_hours_that_nobody_may_keep_are_told_once(influxd: Influxd) -> None:
    influxd.create("told")
    with running_influx_v2(buckets=frozenset({"told"}), engine=influxd.url) as front, capture_logs() as logs:
        sink = InfluxV2Sink(front.url, "factory", "told", front.token)
        await sink.write("C", b"m,company=C,machine=M f=5 1")

        def asked_again() -> bool:
            return front.refused >= 2

        async def allow() -> None:
            influxd.create("told_hours")
            front.buckets |= {"told_hours"}
            await until(lambda: b"back_to" in influxd.query("SELECT back_to FROM hours_state", "told_hours"))

        await kept_while(sink, [until(asked_again), sink.write("C", b"m,company=C,machine=M f=6 2"), allow()])
        await sink.close()
    said = [one for one in logs if one.get("link", "").startswith("hours of ")]
    assert [one["event"] for one in said[:1]] == ["link_down"]
    assert "make the database or bucket" in said[0]["reason"]
    assert [one["event"] for one in said].count("link_down") == 1
