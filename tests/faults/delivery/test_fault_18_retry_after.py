"""429 and 503 with Retry-After: no request of that company before its time, and not all at the same moment."""

from __future__ import annotations

from email.utils import formatdate
from itertools import pairwise
from pathlib import Path

import pytest

from pipelines.sinks.influx import InfluxV2Sink
from tests.faults.conftest import Figure, Size
from tests.faults.delivery.storing import bridge_to, give, line, sending
from tests.pipelines.conftest import broker
from tests.pipelines.waiting import until
from tests.services.influx_v2 import Answer, InfluxV2, refusal, running_influx_v2
from tests.services.mosquitto import Mosquitto

__all__ = ["broker"]
pytestmark = [pytest.mark.wire, pytest.mark.fault(18)]
DEADLINE_S = 60.0
LONG_AGO = 915_148_800.0
"""What the server takes for now: 1999."""


def busy(status: int, wait_s: int, *, date: bool) -> Answer:
    """The answer of a database that asks to wait."""
    asked = formatdate(LONG_AGO + wait_s, usegmt=True) if date else str(wait_s)
    headers = {"Retry-After": asked, "Date": formatdate(LONG_AGO, usegmt=True)}
    return Answer(status, refusal("too many requests", "later"), headers)


def times(store: InfluxV2, bucket: str) -> list[tuple[float, int]]:
    """When each write of a company came, and what it was answered."""
    return [(came_s, answer.status) for came_s, name, answer in store.seen if name == bucket]


def early(seen: list[tuple[float, int]], wait_s: float) -> tuple[int, list[float]]:
    """Requests that came before their time, and how long after it the others came."""
    beyond = [later_s - came_s - wait_s for (came_s, status), (later_s, _) in pairwise(seen) if status in {429, 503}]
    return sum(one < 0 for one in beyond), beyond


async def test_no_request_before_its_time_and_the_other_company_goes_on(
    broker: Mosquitto, tmp_path: Path, size: Size, figure: Figure
) -> None:
    rounds, each, wait_s = size(1, 25), size(1, 2), 1
    with running_influx_v2(buckets=frozenset({"of_Ace", "of_Bee"})) as store:
        sink = InfluxV2Sink(store.url, "factory", "of_{company}", "secret-token")
        async with (
            bridge_to(sink, broker) as bridge,
            sending(tmp_path / "a", broker, "Ace", "A") as ace,
            sending(tmp_path / "b", broker, "Bee", "B") as bee,
        ):
            for number in range(rounds):
                store.scripts["of_Ace"] = store.scripts.pop("of_Ace", type(store.script)())
                answers = [busy(429, wait_s, date=True), busy(503, wait_s, date=False)][:each]
                store.scripts["of_Ace"] += answers
                give(ace, line("Ace", "P", "f", "1.5", number + 1))
                await until(lambda: len(store.scripts["of_Ace"]) < each, DEADLINE_S)
                give(bee, line("Bee", "P", "f", "1.5", number + 1))
                await until(lambda: bee.outbox.idle and bee.stats.stored > number, DEADLINE_S)  # noqa: B023 - awaited
                assert not ace.outbox.idle
                await until(lambda: ace.outbox.idle, DEADLINE_S)
            assert ace.stats.stored == bee.stats.stored == rounds
            assert bridge.stats.store_errors == each * rounds
        await sink.close()
        too_early, beyond = early(times(store, "of_Ace"), wait_s)
    assert too_early == 0
    assert len({round(one, 5) for one in beyond}) == len(beyond)
    figure("requests before Retry-After was over (seconds and dates, 429 and 503)", asked="0", measured=too_early)
    spread = f"{min(beyond) * 1000:.0f} to {max(beyond) * 1000:.0f} ms, {len(beyond)} different of {len(beyond)}"
    figure("jitter behind it", asked="present", measured=spread)
    figure("records of another company that waited", asked="0", measured=0)


async def test_a_session_that_ends_meanwhile_does_not_shorten_it(
    broker: Mosquitto, tmp_path: Path, size: Size, figure: Figure
) -> None:
    breaks, wait_s = size(1, 10), size(1, 4)
    with running_influx_v2() as store:
        sink = InfluxV2Sink(store.url, "factory", "points", "secret-token")
        async with bridge_to(sink, broker), sending(tmp_path, broker) as agent:
            for number in range(breaks):
                store.scripts["points"] = type(store.script)([busy(429, wait_s, date=bool(number % 2))])
                give(agent, line("C", "P", "f", "1.5", number + 1))
                await until(lambda: not store.scripts["points"], DEADLINE_S)
                sessions = agent.sessions
                broker.kill()
                broker.start()
                await until(lambda: agent.sessions > sessions, DEADLINE_S)  # noqa: B023 - awaited here
                await until(lambda: agent.outbox.idle, DEADLINE_S)
        await sink.close()
        too_early, _ = early(times(store, "points"), wait_s)
    assert too_early == 0
    figure("the same while the broker is killed and comes back", asked="0", measured=too_early)
