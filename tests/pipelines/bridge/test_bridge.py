"""The bridge between a real mosquitto and real stores: what it forwards, confirms, and takes from whom."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.bridge.belongs import fault_of
from pipelines.encode.gap import gap_line
from pipelines.encode.line import LineEncoder
from pipelines.place import Place
from pipelines.point import Gap
from pipelines.sinks.duckdb import DuckDbSink
from pipelines.sinks.influx import InfluxV1Sink
from tests.pipelines.bridge.bench import EPOCH, OWN, Gate, Running, agents, lines, rows
from tests.pipelines.waiting import until
from tests.services.influxd import Influxd
from tests.services.mosquitto import Mosquitto

pytestmark = pytest.mark.wire


# ── forwarding and confirming ───────────────────────────────────────────────────────────────────────────────────────


async def test_byte_for_byte_and_nothing_confirmed_or_acked_before_the_store_has_it(broker: Mosquitto) -> None:
    gate = Gate()
    body = b'm,company=C,site=S,x=\\ a s="\n\\"\xed\x95\x9c",f=1.0 1\n# kept\nm,company=C,site=S f=2e300 2'
    async with agents(broker) as one:
        async with Running(broker, gate) as running:
            one.send(1, body)
            await until(lambda: gate.entered)
            assert one.stored == []
            assert running.bridge.stats.records == 0
        gate.open.set()  # that bridge is gone: what it did not acknowledge, the broker has to give to the next
        assert gate.bodies == []
        async with Running(broker, gate) as running:
            one.send(1, body)
            await until(lambda: one.stored)
            assert running.bridge.stats.bytes == len(body)
    assert one.stored == [f"{EPOCH}:1"]
    assert gate.bodies == [("C", body + b"\n")]


async def test_back_pressure_ends_at_receive_maximum(broker: Mosquitto) -> None:
    gate = Gate()
    async with agents(broker) as one, Running(broker, gate) as running:
        for number in range(1000):
            one.send(number + 1, OWN + b" f=1 %d" % (number + 1))
        await until(lambda: len(one.acked) == 1000)
        assert gate.entered == 1
        gate.open.set()
        await until(lambda: running.bridge.stats.records == 1000)
        await until(lambda: len(one.stored) == 1000)
    assert sorted(b"".join(body for _, body in gate.bodies).split()) == sorted(
        b"".join(OWN + b" f=1 %d\n" % (number + 1) for number in range(1000)).split()
    )


async def test_strangers_and_garbage_are_acked_counted_and_never_crash(broker: Mosquitto) -> None:
    gate = Gate(opened=True)
    good = {"agent": "A", "record": f"{EPOCH}:1"}
    async with agents(broker) as one, Running(broker, gate) as running:
        stats = running.bridge.stats
        bad: list[tuple[str, bytes, dict[str, str]]] = [
            ("sf/C/S/A/data", b"x", {}),
            ("sf/C/S/A/data", b"x", {"record": "nonsense"}),
            ("sf/C/S/A/data", b"x", {"record": "x" * 32 + ":²"}),
            ("sf//S/A/data", b"m f=1 1", good),
            ('sf/x"; DROP DATABASE "C/S/A/data', b"m f=1 1", good),
        ]
        for topic, body, properties in bad:
            one.session.publish(topic, body, properties)
        await until(lambda: stats.strangers == len(bad))
        for _ in range(1000):  # a publisher with QoS 0, which no Receive Maximum bounds
            one.session._client.publish("sf/C/S/A/data", b"x", 0)
        one.send(2, b"")
        one.send(3, b"\n\n")
        one.send(4, OWN + b" f=1 1")
        await until(lambda: len(one.stored) == 3)
        assert stats.records == 3
        assert running.ends == []


async def test_tenants_go_to_databases_of_their_own(broker: Mosquitto, influxd: Influxd) -> None:
    sink = InfluxV1Sink(influxd.url, "tenant_{company}")
    async with agents(broker) as one, Running(broker, sink):
        one.send(1, lines(3, 1, "Ace"), "sf/Ace/S/A/data")
        one.send(2, lines(5, 1, "한빛"), "sf/한빛/S/B/data")
        await until(lambda: len(one.stored) == 2)
    assert rows(influxd, "tenant_Ace")[0][1] == 3
    assert rows(influxd, "tenant_한빛")[0][1] == 5
    await sink.close()


async def test_a_record_delivered_again_changes_nothing(broker: Mosquitto, influxd: Influxd, tmp_path: Path) -> None:
    duck = DuckDbSink(tmp_path / "a.duckdb")
    influx = InfluxV1Sink(influxd.url, "again")
    for sink in (duck, influx):
        async with agents(broker) as one, Running(broker, sink):
            for _ in range(3):
                one.send(1, lines(100))
            await until(lambda one=one: len(one.stored) == 3)  # type: ignore[misc]
    assert duck.cursor().execute("SELECT count(*), sum(value) FROM points_float").fetchone() == (100, 5050.0)
    assert rows(influxd, "again", "SELECT count(f), sum(f) FROM m")[0][1:] == [100, 5050]
    await duck.close()
    await influx.close()


# ── one agent or company does not harm another ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("ahead", [20, 256])
async def test_a_company_without_a_bucket_does_not_stop_the_others(tmp_path: Path, ahead: int) -> None:
    """`ahead`: messages the broker sends ahead, mosquitto's own default among them."""
    gate = Gate(opened=True)
    gate.missing |= {"Ace", "Bad"}
    with Mosquitto(tmp_path / "b", lines=[f"max_inflight_messages {ahead}"]) as broker:
        async with agents(broker) as one, Running(broker, gate) as running:
            stats = running.bridge.stats
            for number in range(600):
                company = ("Ace", "Bad")[number % 2]
                one.send(number + 1, lines(1, number + 1, company), f"sf/{company}/S/A/data")
            for number in range(600, 700):
                one.send(number + 1, lines(1, number + 1))
            await until(lambda: len(one.stored) == 100)
            assert {company for company, _ in gate.bodies} == {"C"}
            await until(lambda: stats.handed_back >= 600 - 12)
            assert stats.error.startswith("no bucket")
            gate.missing.clear()  # what is held is tried again by itself; the agents send the others again
            await until(lambda: stats.error == "" and len(one.stored) == 700 - stats.handed_back)
            assert len(one.stored) >= 102
            for number in range(600):
                if f"{EPOCH}:{number + 1}" not in one.stored:
                    company = ("Ace", "Bad")[number % 2]
                    one.send(number + 1, lines(1, number + 1, company), f"sf/{company}/S/A/data")
            await until(lambda: len(set(one.stored)) == 700)
            assert running.ends == []
    assert one.rejected == []


async def test_one_company_waits_at_the_store_and_another_does_not(broker: Mosquitto) -> None:
    gate = Gate(opened=True)
    gate.missing.add("Ace")
    async with agents(broker) as one, Running(broker, gate):
        one.send(1, lines(1, 1, "Ace"), "sf/Ace/S/A/data")
        one.send(2, lines(1))
        await until(lambda: one.stored == [f"{EPOCH}:2"])
        gate.missing.clear()
        await until(lambda: len(one.stored) == 2)


@pytest.mark.parametrize(
    "body",
    [
        OWN + b' f="',
        OWN + b' f="x" 1\n' + OWN + b' f="\\"',
        OWN + b" f=1 1\\",
        OWN + b' f=1,,,,g="\nm,company=D f="" 1',
        OWN + b',x=" f=1 1',
        b'# "',
        b'#m f="\nm,company=D,site=S f=1 1\n" 1',
        OWN + b" f=1 1\nm,company=D,site=S f=1 1",
        OWN + b" f=1 1\nm,company=C,site=T f=1 1",
        OWN + b" f=1 1\nm f=1 1",
        OWN + b" f=1 1\n " + OWN + b" f=1 1",
        b"m,company=C,company=D,site=S f=1 1",
        b"m,x=\\,company=C,site=S f=1 1",
        b"no fields",
    ],
)
async def test_an_agent_cannot_swallow_or_write_what_is_not_its_own(broker: Mosquitto, body: bytes) -> None:
    gate = Gate()
    async with agents(broker) as one, Running(broker, gate) as running:
        one.send(1, OWN + b" f=1 1")
        await until(lambda: gate.entered)  # the next three are one batch
        one.send(2, OWN + b" f=2 2")
        bad = one.send(3, body, "sf/C/S/B/data")
        one.send(4, OWN + b" f=4 4")
        await until(lambda: len(one.acked) == 4 and one.rejected)
        gate.open.set()
        await until(lambda: len(one.stored) == 3)
        assert running.bridge.stats.strangers == 1
    assert sorted(one.stored) == [f"{EPOCH}:{number}" for number in (1, 2, 4)]
    assert [(answer["record"], bool(answer["reason"])) for answer in one.rejected] == [(bad, True)]
    assert b"".join(each for _, each in gate.bodies).count(b"\n") == 3


async def test_what_an_agent_sends_is_its_own(broker: Mosquitto) -> None:
    place = Place("press", "C", "S", "L 1", "P,1")
    gap = gap_line(place, "t=1", Gap(0, 'lost "x"'.replace('"', ""), 5, 6, 7))
    encoder = LineEncoder([(place.series(), "f"), (place.series("other"), "s g")])
    numbers, times = np.arange(2, dtype=np.int32), np.array([1, 1], dtype=np.int64)
    texts = np.array(['a "quoted" \\ one\nin two lines\\', "="], dtype=object)
    bodies = [gap, encoder.lines([encoder.values(numbers, times, texts)]), gap + lines(3)]
    for body in bodies:
        assert fault_of(body.rstrip(b"\n"), "C", "S") == ""
    gate = Gate(opened=True)
    async with agents(broker) as one, Running(broker, gate):
        for number, body in enumerate(bodies):
            one.send(number, body)
        await until(lambda: len(one.stored) == len(bodies))
    assert one.rejected == []
