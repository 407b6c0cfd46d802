"""One connection of a collector: a backup takes over, and what is not well is said in words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import pytest
from structlog.testing import capture_logs

from agent.reading import Reading
from agent.site import Site
from agent.timekeeping import Timekeeper
from connectors.modbus.link import ModbusLink
from pipelines.clock import SystemClock
from pipelines.derive.engine import Engine
from pipelines.flow import Flow
from pipelines.journal.journal import Journal, JournalSettings
from pipelines.place import Place
from pipelines.point import BAD_CONFIGURATION_ERROR, TagFacts
from pipelines.stats import FlowStats
from tests.connectors.modbus.device import Device
from tests.pipelines.waiting import until
from tests.services.ports import free_port

pytestmark = pytest.mark.wire


def site_of(port: int, backups: list[str], **tag: Any) -> Site:
    connection = {"type": "modbus", "name": "plc", "host": "127.0.0.1", "port": port, "machine": "M1"}
    timing = {"period_s": 0.05, "timeout_s": 0.5, "backups": backups}
    tags = [{"name": "a", "address": 3, "datatype": "uint16", **tag}]
    return Site.model_validate(
        {
            "company": "acme",
            "site": "hall",
            "machines": {"M1": {"class": "press"}},
            "connections": [{**connection, **timing, "tags": tags}],
        }
    )


@asynccontextmanager
async def running(site: Site, folder: Path) -> AsyncIterator[tuple[Reading, Journal]]:
    """The connection of a site that is read into a journal."""
    journal = Journal(folder / "journal", JournalSettings.model_validate({"min_free_bytes": 0}))
    journal.open()
    flow = Flow(journal, SystemClock(), FlowStats(), Place("agent", "acme", "hall", "", "x"))
    reading = Reading(site, site.connections[0], flow, Timekeeper(SystemClock(), {}, folder), folder, Engine({}))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(flow.run()), group.create_task(reading.run())]
        try:
            yield reading, journal
        finally:
            await flow.flush()
            for task in tasks:
                task.cancel()
    journal.close()


async def test_a_backup_takes_over_and_the_first_one_again(tmp_path: Path) -> None:
    async with Device() as first, Device() as second:
        ports = first.port, second.port
        site = site_of(ports[0], [f"127.0.0.1:{ports[1]}"])
        async with running(site, tmp_path) as (reading, journal):
            await until(lambda: reading.stats.readings > 2)
            assert reading.status()["where"] == f"modbus://127.0.0.1:{ports[0]}"
            await first.stop()
            await until(lambda: second.requests and reading.stats.connected)
            assert reading.status()["where"] == f"modbus://127.0.0.1:{ports[1]}"
            before = reading.stats.readings
            await until(lambda: reading.stats.readings > before + 2)
            async with Device(port=ports[0]) as again:
                await second.stop()
                await until(lambda: again.requests and reading.stats.connected)
                before = reading.stats.readings
                await until(lambda: reading.stats.readings > before + 2)
            await until(lambda: journal.points_queued > 6)
    body = b"".join(path.read_bytes() for path in sorted((tmp_path / "journal").iterdir()))
    assert body.count(b"cause=no_communication") == 2, "each change of the address is a known gap"


async def test_what_is_not_well_is_said_in_words(tmp_path: Path) -> None:
    async with Device() as device:
        site = site_of(device.port, [], stale_after_s=0.2)
        async with running(site, tmp_path) as (reading, _):
            assert reading.troubles() == ["plc: not connected yet"]
            await until(lambda: reading.stats.readings)
            assert reading.troubles() == []
            reading.stats.notices["certificate"] = "the server's certificate expires in 6 days"
            reading.stats.refused[0] = BAD_CONFIGURATION_ERROR
            reading.stats.facts[0] = TagFacts("V", 0, 400)
            assert reading.troubles() == [
                "plc: the server's certificate expires in 6 days",
                "plc: the device refuses 1 tags, a: BadConfigurationError",
            ]
            assert reading.status()["refused"] == {"a": "BadConfigurationError"}
            assert reading.status()["facts"]["a"]["engineering_unit"] == "V"
            reading.stats.refused.clear()
            reading.stats.notices.clear()
            device.delay_s = 0.4  # in time for the link, too late for the tag
            await until(lambda: reading.troubles() == ["plc: 1 tags say nothing for too long, a"])
            device.delay_s = 0
            await until(lambda: not reading.source.stale)


async def test_a_tag_that_comes_as_another_type_than_it_is_stored_is_said_with_a_remedy(tmp_path: Path) -> None:
    said = "plc: 1 tags come as another type than they are stored, a: float instead of int"
    async with Device() as device:
        for more, troubles in [
            ({}, []),
            ({"datatype": "float32"}, [f"{said}; let the device send that again, or give the tag another name"]),
        ]:
            async with running(site_of(device.port, [], **more), tmp_path) as (reading, _):
                await until(lambda reading=reading: reading.stats.readings)
                assert reading.troubles() == troubles


async def test_a_port_that_opens_is_not_a_device_that_answers(tmp_path: Path) -> None:
    async with Device(mute={1}) as device:
        site = site_of(device.port, [])
        async with running(site, tmp_path) as (reading, _):
            await until(lambda: reading.stats.opened > 2)
            assert not reading.stats.connected
            assert reading.troubles() == [
                f"plc: modbus://127.0.0.1:{device.port} unit 1: no reply within 0.5 s: check the unit id and the device"
            ]
            device.mute.clear()
            await until(lambda: reading.stats.connected)
            assert reading.troubles() == []


async def test_a_gateway_that_answers_for_a_missing_unit_is_told(tmp_path: Path) -> None:
    async with Device(exceptions={1: 11}) as device, running(site_of(device.port, []), tmp_path) as (reading, _):
        await until(lambda: reading.stats.notices)
        assert not reading.stats.connected
        reason = "the gateway gets no answer from it (exception 11): check its id and wiring"
        assert reading.troubles() == [f"plc: unit 1: {reason}"]
        device.exceptions.clear()
        await until(lambda: reading.stats.connected)
        assert reading.troubles() == []


async def test_the_newest_reason_is_told_and_each_is_logged_once(tmp_path: Path) -> None:
    port = free_port()
    with capture_logs() as logged:
        async with running(site_of(port, []), tmp_path) as (reading, _):
            await until(lambda: "no connection" in reading.stats.error)
            async with Device(port=port, mute={1}):
                await until(lambda: "no reply" in reading.stats.error)
                await until(lambda: reading.stats.opened > 2)
    told = [(one["event"], one["reason"].split(": ")[1].split(" (")[0]) for one in logged if "reason" in one]
    assert told[0] == ("link_down", "no connection")
    assert ("link_still_down", "no reply within 0.5 s") in told
    assert len(told) == len(set(told)), "each reason once"


async def test_a_link_that_never_opens_is_opened_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    class Silent(ModbusLink):
        async def __aenter__(self) -> Self:
            made.append(self)
            if len(made) == 1:
                await asyncio.Event().wait()
            return await super().__aenter__()

    monkeypatch.setattr("agent.reading.make_link", lambda _kind, context: Silent(context))
    monkeypatch.setattr("agent.reading.OPEN_S", 0.05)
    with capture_logs() as said:
        async with Device() as device, running(site_of(device.port, []), tmp_path) as (reading, _):
            await until(lambda: reading.stats.connected)
    (down,) = [line["reason"] for line in said if line["event"] == "link_down"]
    assert down == f"modbus://127.0.0.1:{device.port}: not open within 0.06 s; it is opened anew"
