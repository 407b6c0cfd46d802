"""A field of another type on one point of thousands: the others are stored, it is quarantined, in few requests."""

from __future__ import annotations

import math
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pipelines.clock import SystemClock
from pipelines.errors import RecordRejected
from pipelines.quarantine import kept
from pipelines.sinks.base import Sink
from pipelines.sinks.influx import InfluxV1Sink, InfluxV2Sink
from pipelines.sinks.lineprotocol import parse
from tests.faults.conftest import Figure, Size
from tests.faults.delivery.storing import bridge_to, give, line, sending, stored
from tests.pipelines.conftest import broker
from tests.pipelines.waiting import until
from tests.services.influx_v2 import running_influx_v2
from tests.services.influxd import Influxd, running_influxd
from tests.services.mosquitto import Mosquitto

__all__ = ["broker"]
pytestmark = [pytest.mark.wire, pytest.mark.fault(17)]
POINTS = 5000
DEADLINE_S = 60.0
HOUR_NS = 3600 * 10**9


class Counting(InfluxV1Sink):
    """How many requests the bridge made."""

    requests = 0

    def _request(self, database: str, body: bytes) -> None:
        self.requests += 1
        super()._request(database, body)


class Mute(Sink):
    """A store that takes all of a body or nothing, and does not say which point it means."""

    name = "mute"

    def __init__(self) -> None:
        self.requests = 0
        self.times: set[int] = set()

    async def write(self, company: str, body: bytes) -> None:  # noqa: ARG002 - one for all
        self.requests += 1
        columns = parse(body)
        if any(column.kind == "string" for column in columns):
            raise RecordRejected(self.name, "no")
        for column in columns:
            self.times.update(column.time_ns.tolist())


@pytest.fixture(scope="module")
def influxd() -> Iterator[Influxd]:
    with running_influxd() as server:
        yield server


def body(start_ns: int, poisoned: int, points: int = POINTS) -> bytes:
    return b"".join(
        line("C", "P", "f", '"bad"' if number == poisoned else f"{number}.5", start_ns + number)
        for number in range(points)
    )


def positions(count: int) -> Sequence[int]:
    return [POINTS // 2, 0, POINTS - 1, *random.Random(17).sample(range(1, POINTS - 1), 50)][:count]


@asynccontextmanager
async def one_bad(sink: Sink, broker: Mosquitto, folder: Path, start_ns: int, poisoned: int) -> AsyncIterator[None]:
    """A record with one bad point goes all the way."""
    async with bridge_to(sink, broker), sending(folder, broker) as agent:
        give(agent, body(start_ns, poisoned))
        await until(lambda: agent.stats.accepted == POINTS and agent.outbox.idle, DEADLINE_S)
        assert (agent.stats.stored, agent.stats.quarantined) == (POINTS - 1, 1)
        yield


async def test_influxd(influxd: Influxd, broker: Mosquitto, tmp_path: Path, size: Size, figure: Figure) -> None:
    worst = 0
    for number, poisoned in enumerate(positions(size(1, 53))):
        sink = Counting(influxd.url, f"one{number}")
        start_ns = SystemClock().now_ns()
        await sink.write("C", line("C", "P", "f", "0.5", start_ns - 1))
        sink.requests = 0
        folder = tmp_path / str(number)
        async with one_bad(sink, broker, folder, start_ns, poisoned):
            worst = max(worst, sink.requests)
        ((entry, (refused,)),) = kept(folder)
        assert refused["line"].encode() + b"\n" == line("C", "P", "f", '"bad"', start_ns + poisoned)
        assert 'input field "f" on measurement "m" is type string, already exists as type float' in entry.reason
        found = stored(influxd, f"one{number}")
        assert found.pop(("P", "f", start_ns - 1)) == 0.5
        assert found == {("P", "f", start_ns + one): one + 0.5 for one in range(POINTS) if one != poisoned}
        await sink.close()
    asked = f"≤ log2(n) + 2 = {math.log2(POINTS) + 2:.1f}"
    assert worst <= math.log2(POINTS) + 2
    figure("requests for 1 bad point of 5,000, influxd 1.6.7", asked=asked, measured=worst)
    figure("stored of them; quarantined with the reason", asked="4,999; 1", measured="4,999; 1")


async def test_influxdb_2(broker: Mosquitto, tmp_path: Path, size: Size, figure: Figure) -> None:
    worst = 0
    for number, poisoned in enumerate(positions(size(1, 23))):
        with running_influx_v2() as store:
            sink = InfluxV2Sink(store.url, "factory", "points", "secret-token")
            await sink.write("C", line("C", "P", "f", "0.5", 1))
            store.requests.clear()
            async with one_bad(sink, broker, tmp_path / str(number), 10, poisoned):
                worst = max(worst, len(store.requests))
            assert len(store.points) == POINTS
            await sink.close()
    assert worst <= math.log2(POINTS) + 2
    asked = f"≤ log2(n) + 2 = {math.log2(POINTS) + 2:.1f}"
    figure("requests for 1 bad point of 5,000, strict stand-in for InfluxDB 2", asked=asked, measured=worst)


async def test_a_store_that_only_says_no(broker: Mosquitto, tmp_path: Path, size: Size, figure: Figure) -> None:
    worst = 0
    for number, poisoned in enumerate(positions(size(1, 53))):
        store = Mute()
        async with one_bad(store, broker, tmp_path / str(number), 10, poisoned):
            worst = max(worst, store.requests)
        assert store.times == set(range(10, 10 + POINTS)) - {10 + poisoned}
    least = math.ceil(math.log2(POINTS / 3)) + 4
    assert worst <= least
    asked = f"log2(n) + 2 = {math.log2(POINTS) + 2:.1f}; {least} is the least when it says no more than no"
    figure("requests for 1 bad point of 5,000, a store that only says no", asked=asked, measured=worst)


async def test_a_mixed_record_comes_out_exactly_right(
    influxd: Influxd, broker: Mosquitto, tmp_path: Path, size: Size, figure: Figure
) -> None:
    """Too old, of another type and good, in shards of their own and in one."""
    wrong, most = 0, 0
    for number in range(size(1, 30)):
        chance = random.Random(number)
        database = f"mixed{number}"
        influxd.query(f'CREATE DATABASE "{database}" WITH DURATION 3h REPLICATION 1 SHARD DURATION 1h NAME "short"')
        sink = Counting(influxd.url, database)
        now_ns = SystemClock().now_ns()
        for hour in range(3):
            await sink.write("C", line("C", "P", "f", "0.5", now_ns - hour * HOUR_NS))
        sink.requests = 0
        lines, good, old, bad = [], {}, [], []
        for index in range(size(400, 4000)):
            at_ns = now_ns + index + 1 - chance.randrange(3) * HOUR_NS
            kind = chance.choices(("good", "old", "bad"), (20, 2, 1))[0]
            if kind == "old":
                at_ns -= 12 * HOUR_NS
                old.append(at_ns)
            elif kind == "bad":
                bad.append(at_ns)
            else:
                good["P", "f", at_ns] = index + 0.5
            lines.append(line("C", "P", "f", '"bad"' if kind == "bad" else f"{index}.5", at_ns))
        async with bridge_to(sink, broker), sending(tmp_path / str(number), broker) as agent:
            give(agent, b"".join(lines))
            await until(lambda: agent.stats.expired and agent.outbox.idle, DEADLINE_S)
            await until(lambda: agent.stats.stored == len(good) + 1, DEADLINE_S)  # noqa: B023 - with its gap
            wrong += agent.stats.expired != len(old)
            wrong += agent.stats.quarantined != len(bad)
            most = max(most, sink.requests)
        found = {key: value for key, value in stored(influxd, database).items() if value != 0.5 or key in good}
        wrong += found != good
        kept_ns = [int(one["line"].rsplit(" ", 1)[1]) for _, some in kept(tmp_path / str(number)) for one in some]
        wrong += sorted(kept_ns) != sorted(bad)
        gaps = stored(influxd, database, "gap")
        wrong += sorted(value for (_, name, _), value in gaps.items() if name in {"count", "first", "last"}) != sorted(
            [len(old), min(old), max(old)]
        )
        await sink.close()
    assert wrong == 0
    figure("mixed records (good, too old, of another type) with a wrong account or store", asked="0", measured=wrong)
    figure("requests of one such record at most", asked="counted", measured=most)


async def test_two_companies_in_databases_of_their_own(
    influxd: Influxd, broker: Mosquitto, tmp_path: Path, size: Size, figure: Figure
) -> None:
    sink = InfluxV1Sink(influxd.url, "of_{company}")
    points, start_ns = size(200, 20_000), SystemClock().now_ns()
    async with (
        bridge_to(sink, broker),
        sending(tmp_path / "a", broker, "Ace", "A") as ace,
        sending(tmp_path / "b", broker, "Bee", "B") as bee,
    ):
        for number in range(0, points, 100):
            each = range(number, number + 100)
            give(ace, b"".join(line("Ace", "P", "f", f"{one}.5", start_ns + one) for one in each))
            give(bee, b"".join(line("Bee", "P", "f", f'"text {one}"', start_ns + one) for one in each))
        await until(lambda: ace.stats.stored == bee.stats.stored == points, DEADLINE_S)
        assert ace.stats.quarantined == bee.stats.quarantined == 0
    assert stored(influxd, "of_Ace") == {("P", "f", start_ns + one): one + 0.5 for one in range(points)}
    assert stored(influxd, "of_Bee") == {("P", "f", start_ns + one): f"text {one}" for one in range(points)}
    await sink.close()
    figure("two companies of one field in two types, a database each: lost or mixed", asked="0", measured=0)


async def test_two_companies_in_one_database(
    influxd: Influxd, broker: Mosquitto, tmp_path: Path, size: Size, figure: Figure
) -> None:
    """The second one's field goes to quarantine with the reason; its others, and the first one's, are stored."""
    sink = InfluxV1Sink(influxd.url, "for_all")
    points, start_ns = size(200, 20_000), SystemClock().now_ns()
    await sink.write("Ace", line("Ace", "P", "f", "0.25", start_ns - 1))
    async with (
        bridge_to(sink, broker) as bridge,
        sending(tmp_path / "a", broker, "Ace", "A") as ace,
        sending(tmp_path / "b", broker, "Bee", "B") as bee,
    ):
        for number in range(0, points, 100):
            each = range(number, number + 100)
            give(ace, b"".join(line("Ace", "P", "f", f"{one}.5", start_ns + one) for one in each))
            give(bee, b"".join(line("Bee", "Q", "f", f'"text {one}"', start_ns + one) for one in each))
            give(bee, b"".join(line("Bee", "Q", "g", f"{one}i", start_ns + one) for one in each))
        await until(lambda: ace.stats.stored == points, DEADLINE_S)
        await until(lambda: bee.stats.stored == points and bee.stats.quarantined == points, DEADLINE_S)
        assert ace.stats.quarantined == bridge.stats.handed_back == 0
        assert bee.quarantine.points == points
    found = stored(influxd, "for_all")
    assert found.pop(("P", "f", start_ns - 1)) == 0.25
    expected: dict[Any, Any] = {("P", "f", start_ns + one): one + 0.5 for one in range(points)}
    expected |= {("Q", "g", start_ns + one): one for one in range(points)}
    assert found == expected
    refused = [one for _, some in kept(tmp_path / "b") for one in some]
    assert len(refused) == points
    assert all("is type string, already exists as type float" in one["reason"] for one in refused)
    await sink.close()
    figure("the same in one database: of the first company lost or altered", asked="0", measured=0)
    figure("of the second: refused points in quarantine with the reason", asked="all", measured="all")
