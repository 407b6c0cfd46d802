"""Recorded from real servers, served again by real servers, and recorded again: both recordings say the same."""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary

from agent.config import load_site
from agent.paths import LINES
from agent.record.kept import Mask, kept_site
from agent.record.recorder import Recorder
from agent.record.seen import seen_by
from agent.record.writer import Writer
from agent.site import Site
from pipelines.clock import SystemClock
from simulators.__main__ import Process
from simulators.clock import SimClock
from simulators.plant import Plant, load_plant
from simulators.replay.plant import ReplayPlant
from simulators.replay.recording import FORMAT, VERSION, Recording
from simulators.replay.tape import LEAD_S
from simulators.replay.values import WAITING
from simulators.truth import TruthLog, read_truth
from simulators.witness import ns_of

pytestmark = [pytest.mark.wire, pytest.mark.slow]
S = 1_000_000_000
LEAD = round(LEAD_S * S)


@asynccontextmanager
async def running(plant: Plant, truth: Path) -> AsyncIterator[Process]:
    """Its servers, stepping along the machine's clock."""
    log = TruthLog(truth)
    process = Process(plant, log, SimClock(0), 1)
    for name, panel in plant.panels.items():  # process.start would freeze the garbage of all tests
        process.servers[name] = plant.server(panel, log, process.clock.now_ns)
        await process.servers[name].start()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(process.run_signals())
        yield process
        task.cancel()
    for server in process.servers.values():
        await server.end()
    log.close()


async def recorded(path: Path, site: Site, process: Process, enough: Callable[[Recorder], bool]) -> None:
    """A recording of the servers of `process`."""
    places = {name: server.endpoint() for name, server in process.servers.items()}
    site = site.at({name: f"{one['host']}:{one['port']}" for name, one in places.items()})
    names = [one.name for one in site.connections]
    writer = Writer(path)
    recorder = Recorder(site.connections, writer, SystemClock(), path.parent, Mask([]))
    connections = [{"name": one.name, "type": one.type} for one in site.connections]
    kept = kept_site(site, names)
    began = SystemClock().now_ns()
    writer.write("header", format=FORMAT, version=VERSION, started=began, site=kept, connections=connections)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group, asyncio.timeout(60):
        work = group.create_task(recorder.run(stop, 10**9))
        while not enough(recorder):
            await asyncio.wait([work], timeout=0.05)
            assert not work.done()
        stop.set()
        await work
    writer.close()


async def replayed(path: Path, again: Path, truth: Path) -> ReplayPlant:
    """The recording served to its end, and what came recorded again."""
    site = Site.model_validate(Recording(path).header["site"])
    plant = ReplayPlant(path, seen_by(site), SimClock(0))
    async with running(plant, truth) as process:
        await recorded(again, site, process, lambda _: plant.over)
        process.freeze()
    return plant


def lines(path: Path, kind: str) -> Iterator[dict[str, Any]]:
    return (line for line in Recording(path).lines() if line["k"] == kind)


def words(path: Path) -> dict[tuple[int, int, int, int], list[tuple[int, int, int]]]:
    """(connection, unit, function, address) → what it held: (asked, answered, register or byte of bits)."""
    found = defaultdict(list)
    for line in lines(path, "modbus"):
        data = bytes.fromhex(line.get("data", ""))
        step = 1 if line["fc"] < 3 else 2
        for at in range(0, len(data), step):
            place = (line["c"], line["unit"], line["fc"], line["at"] + at // step)
            found[place].append((line["q"], line["t"], int.from_bytes(data[at : at + step], "big")))
    return found


def values(path: Path, shift_ns: int) -> dict[tuple[int, int], list[tuple[Any, int, int]]]:
    """(connection, row) → value, status and source time in the time of the first recording, whole microseconds."""
    found: dict[tuple[int, int], list[tuple[Any, int, int]]] = defaultdict(list)
    for line in (one for one in lines(path, "opcua") if one["via"] == "subscription"):
        for row, text in line["items"]:
            value = struct_from_binary(ua.DataValue, Buffer(b64decode(text)))
            time = (ns_of(value.SourceTimestamp) - shift_ns + 500) // 1000
            said = (value.Value.Value, value.StatusCode.value, time)
            if value.StatusCode.value != WAITING and (not found[line["c"], row] or found[line["c"], row][-1] != said):
                found[line["c"], row].append(said)
    return found


async def test_a_replay_says_what_was_recorded_at_the_times_it_was(tmp_path: Path) -> None:
    first, again = tmp_path / "first", tmp_path / "again"
    site = load_site(LINES / "auto_press_machining" / "site.yaml")
    async with running(load_plant(["auto_press_machining"]), tmp_path / "t1") as process:
        await recorded(first, site, process, lambda one: one.tally.answers > 100)
    plant = await replayed(first, again, tmp_path / "t2")
    shift = plant._tape._shift_ns
    assert shift is not None
    held, compared = words(first), 0
    for place, answers in words(again).items():
        for asked, answered, word in answers:
            since, until = asked - shift + LEAD, answered - shift + LEAD
            before = [one for began, _, one in held[place] if began < since]
            meanwhile = [one for began, _, one in held[place] if since <= began <= until]
            assert word in before[-1:] + meanwhile, (place, asked)
            compared += 1
    assert compared > 100
    recorded_values, found = values(first, 0), values(again, shift)
    assert found.keys() == recorded_values.keys()
    for row, said in found.items():
        times = [time for _, _, time in said]
        expected = [one for one in recorded_values[row] if one[2] >= times[0]]
        rounded = [(value, status, [t for _, _, t in expected if abs(t - time) <= 1]) for value, status, time in said]
        assert [(value, status) for value, status, _ in said] == [(value, status) for value, status, _ in expected]
        assert all(near for _, _, near in rounded), row
    assert sum(map(len, found.values())) > 60


ONE = {
    "company": "c", "site": "s", "line": "l", "machines": {"M": {"class": "m"}},
    "connections": [
        {"name": "plc", "type": "modbus", "host": "127.0.0.1", "machine": "M", "period_s": 0.1, "timeout_s": 0.3,
         "tags": [{"name": "a", "address": 0, "datatype": "uint16"}, {"name": "b", "address": 1, "datatype": "int16"}]}
    ],
}  # fmt: skip
"""Two registers, polled ten times a second."""


def troubled(path: Path) -> None:
    """Everything that can go wrong with a Modbus device."""
    writer, began = Writer(path), SystemClock().now_ns()
    connections = [{"name": "plc", "type": "modbus"}]
    writer.write("header", format=FORMAT, version=VERSION, started=began, site=ONE, connections=connections)

    def poll(at_s: float, took_s: float = 0.001, **said: Any) -> None:
        what = {"unit": 1, "fc": 3, "at": 0, "n": 2, "s": began + round((at_s + took_s / 2) * S)}
        writer.write("modbus", c=0, q=began + round(at_s * S), t=began + round((at_s + took_s) * S), **what, **said)

    def link(at_s: float, event: str) -> None:
        writer.write("link", c=0, t=began + round(at_s * S), event=event)

    link(0, "opening")
    link(0.01, "open")
    poll(0.02, data="0001ffff")
    poll(0.3, exception=4)
    poll(0.6, data="00020000")
    poll(0.9, took_s=0.3, silence="timeout")
    link(1.2, "timeout")
    link(1.3, "opening")
    link(1.3, "open")
    poll(1.4, data="00030000")
    poll(1.7, silence="closed")
    link(1.7, "closed")
    link(1.8, "opening")
    link(1.8, "refused")
    link(4.3, "opening")  # longer than the collector waits between two attempts by then
    link(4.3, "open")
    poll(4.4, data="00040000")
    writer.write("end", t=began + round(4.5 * S))
    writer.close()


async def test_what_went_wrong_comes_back(tmp_path: Path) -> None:
    first, again, truth = tmp_path / "first", tmp_path / "again", tmp_path / "t"
    troubled(first)
    site = Site.model_validate(ONE)
    plant = ReplayPlant(first, seen_by(site), SimClock(0))
    async with running(plant, truth) as process:
        await recorded(again, site, process, lambda one: plant.over and "plc" in one.tally.connected)
        process.freeze()
    heard = [line.get("data") or line.get("exception") or line["silence"] for line in lines(again, "modbus")]
    story = [one for at, one in enumerate(heard) if at == 0 or heard[at - 1] != one]
    assert story[0] in {6, "0001ffff"}, "busy until the first answer that was recorded"
    assert [one for one in story if one in {4, "timeout", "closed"}] == [4, "timeout", "closed"]
    seen = [one for one in story if isinstance(one, str) and one.startswith("000")]
    assert seen == sorted(seen)
    assert {"0001ffff", "00020000", "00040000"} <= set(seen)
    assert {"timeout", "closed", "refused"} == {line["event"] for line in lines(again, "link")} - {"opening", "open"}
    cuts = [line for line in read_truth(truth) if line["k"] == "fault"]
    assert all(line["cuts"] for line in cuts)
    assert sum("ended" in line for line in cuts) == len(cuts) / 2, "each loss is told when it begins and when it ends"


def test_a_device_of_which_nothing_is_read_is_not_served(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "deploy" / "examples" / "press-shop.recording"
    site = Site.model_validate(Recording(example).header["site"])
    seen = [one for one in seen_by(site) if one["device"] == "mtr"]
    assert list(ReplayPlant(example, seen, SimClock(0)).panels) == ["mtr"]


def test_values_older_than_the_recording_belong_to_the_run(tmp_path: Path) -> None:
    writer, began = Writer(tmp_path / "r"), SystemClock().now_ns()
    connections = [{"name": "cell", "type": "opcua"}]
    writer.write("header", format=FORMAT, version=VERSION, started=began, site={}, connections=connections)
    old = ua.DataValue(ua.Variant(1.5), SourceTimestamp=datetime.fromtimestamp(began // S - 3600, UTC))
    items = [(0, b64encode(struct_to_binary(old)).decode())]
    writer.write("opcua", c=0, t=began + S, via="subscription", items=items)
    writer.close()
    since = ReplayPlant(tmp_path / "r", [], SimClock(0)).since_ns(began + 60 * S)
    assert -3545 * S < since - began < -3540 * S, "an hour before the run, and a little more"
