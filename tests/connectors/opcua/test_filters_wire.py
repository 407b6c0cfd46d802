"""Filters on a server that is not ours: what it holds back, and what is done when it refuses."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from connectors.opcua import plan

from .conftest import Consumer, Foreign, connection, tag

pytestmark = pytest.mark.wire


def counter(foreign: Foreign, name: str, **more: Any) -> Any:
    return tag(name, f"nsu={foreign.namespace};s=Counter0", sampling_interval_s=0, **more)


async def test_a_deadband_on_the_server_is_in_its_own_units(foreign: Foreign) -> None:
    band = {"type": "absolute", "value": 0.4}
    held = counter(foreign, "held", deadband=band, deadband_on="server", scale=0.1)
    consumer = Consumer(connection(foreign.endpoint, held, counter(foreign, "all")))
    await consumer.until(lambda: len(consumer.values(0)) > 8)
    assert {later - earlier for earlier, later in pairwise(consumer.values(0))} == {5}, "4 counts are within 0.4"
    assert {later - earlier for earlier, later in pairwise(consumer.values(1))} == {1}
    assert consumer.noted("filter_not_on_server") == []


async def test_a_refused_deadband_is_left_to_the_agent(foreign: Foreign) -> None:
    absolute, percent = {"type": "absolute", "value": 5}, {"type": "percent", "value": 5}
    consumer = Consumer(
        connection(
            foreign.endpoint,
            tag("text", f"nsu={foreign.namespace};s=String1", deadband=absolute, deadband_on="server"),
            counter(foreign, "no_range_at_the_server", deadband=percent, deadband_on="server"),
        )
    )
    await consumer.until(lambda: consumer.values(0) and len(consumer.values(1)) > 8)
    assert {later - earlier for earlier, later in pairwise(consumer.values(1))} == {1}
    (told,) = consumer.noted("filter_not_on_server")
    assert told["tags"] == 2
    assert consumer.stats.refused == {}


async def test_a_trigger_of_status_hears_no_values(foreign: Foreign) -> None:
    consumer = Consumer(
        connection(foreign.endpoint, counter(foreign, "status", trigger="status"), counter(foreign, "all"))
    )
    await consumer.until(lambda: len(consumer.values(1)) > 10)
    assert len(consumer.values(0)) == 1


def test_percent_of_the_servers_own_range() -> None:
    percent = tag("a", "i=1", deadband={"type": "percent", "value": 5}, deadband_on="server")
    assert plan.server_filter(percent) == (1, 2, 5)
