"""`agent alarms` and `agent chain`: from a reading to the record, by way of a running agent and across a restart."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from agent.cli import run
from agent.collector import Collector
from agent.commands.status import _show
from agent.links import compare
from pipelines.derive.alarm import FAULT_S
from pipelines.derive.chain_file import FOLDER
from tests.agent.gas_room import GAS, LEVEL, points, running, site_of
from tests.connectors.modbus.device import Device
from tests.pipelines.waiting import until

pytestmark = pytest.mark.wire


async def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert await asyncio.to_thread(run, list(arguments)) == code
    found = capsys.readouterr()
    return found.out + found.err


def last_line(text: str) -> str:
    return text.splitlines()[-1]


async def raise_and_act(collector: Collector, device: Device, where: tuple[str, str], capsys: Any) -> None:
    """Gas and level come; people acknowledge the one and shelve the other."""
    await until(lambda: collector.readings[0].stats.readings > 2)
    assert "경보 없음" in await said(capsys, "alarms", *where)
    device.registers[GAS] = 30
    await until(lambda: collector.status()["alarms"]["active"]["urgent"])
    assert collector.status()["alarms"]["urgent"] == ["GD-01/nh3_high"]
    _show(collector.status())
    assert "긴급 미확인 urgent, unacknowledged: GD-01/nh3_high" in capsys.readouterr().out
    [one] = json.loads(last_line(await said(capsys, "alarms", "list", "--json", *where)))["alarms"]
    assert (one["alarm"], one["state"], one["label"]["ko"]) == ("GD-01/nh3_high", "UNACK", "암모니아 고농도")
    assert "긴급" in await said(capsys, "alarms", *where)
    shelve = ("alarms", "shelve", "GD-01/nh3_high", "--by", "반장-1", "--for", "10m", *where)
    assert "a safety alarm cannot be shelved" in await said(capsys, *shelve, code=1)
    ack = ("alarms", "ack", "--all", "--by", "반장-1", "--comment", "환기 확인", *where)
    assert "확인됨 acknowledged: GD-01/nh3_high" in await said(capsys, *ack)
    assert "확인할 경보 없음" in await said(capsys, *ack)
    device.registers[LEVEL] = 95
    await until(lambda: collector.status()["alarms"]["active"]["caution"])
    shelve = ("alarms", "shelve", "GD-01/level_high", "--by", "기사-2", "--for", "2h", *where)
    assert "보류 shelved: GD-01/level_high" in await said(capsys, *shelve)
    assert collector.status()["alarms"]["shelved"] == 1
    await until(lambda: not collector.links.chain.unwritten)


async def go_on_and_lose_the_device(collector: Collector, device: Device, where: tuple[str, str], capsys: Any) -> None:
    """After a restart: the gas is gone, the shelving ends, and then the detector is."""
    await until(lambda: collector.status()["alarms"]["unacknowledged"]["urgent"])
    assert collector.status()["alarms"]["shelved"] == 1
    assert "보류 해제" in await said(capsys, "alarms", "unshelve", "GD-01/level_high", "--by", "기사-2", *where)
    await said(capsys, "alarms", "ack", "GD-01/nh3_high", "--by", "반장-1", *where)
    await device.stop()
    await until(lambda: collector.status()["alarms"]["active"]["urgent"], 20)
    await until(lambda: not collector.links.chain.unwritten)


def test_from_a_reading_to_the_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "state"
    where = ("--state-dir", str(folder))

    async def process(what: Callable[..., Awaitable[None]]) -> None:
        device = Device(registers={GAS: 3, LEVEL: 50})
        async with device, running(site_of(device.port), folder) as collector:
            await what(collector, device, where, capsys)

    asyncio.run(process(raise_and_act))
    assert run(["chain", "verify", *where]) == 0
    assert "온전함 whole: 2 entries" in capsys.readouterr().out
    asyncio.run(process(go_on_and_lose_the_device))
    gas = ["raised", "acknowledged", "cleared", "acknowledged", "raised"]
    events = [event for _, event in points(folder, "alarm", "event")]
    assert sorted(events) == sorted([*gas, "raised", "shelved", "unshelved"])
    [fault_ns] = [at_ns for at_ns, cause in points(folder, "alarm", "cause") if cause == "fault"]
    bad = [at_ns for at_ns, quality in points(folder, "gas_detector", "gas_quality") if quality]
    assert FAULT_S * 1e9 in {fault_ns - at_ns for at_ns in bad}
    assert [row[1:] for row in points(folder, "alarm_action", "action", "by", "comment")] == [
        ("acknowledged", "반장-1", "환기 확인"),
        ("shelved", "기사-2", None),
        ("unshelved", "기사-2", None),
        ("acknowledged", "반장-1", None),
    ]
    chained = [row[1:] for row in points(folder, "event_log", "seq", "hash", "prev")]
    assert [seq for seq, *_ in chained] == [1, 2, 3, 4, 5]
    assert [prev for *_, prev in chained][1:] == [one for _, one, _ in chained][:-1]
    assert run(["chain", "--json", *where]) == 0
    verdict = json.loads(last_line(capsys.readouterr().out))
    assert (verdict["whole"], verdict["last"], verdict["hash"]) == (True, 5, chained[-1][1])
    [path] = (folder / FOLDER).glob("*.jsonl")
    written = path.read_text(encoding="utf-8")
    path.write_text(written.replace("반장-1", "반장-9"), encoding="utf-8")
    assert run(["chain", *where]) == 1
    assert f"손상됨 broken: {path}:2" in capsys.readouterr().out
    before = sorted((folder / "journal").iterdir())
    shutil.rmtree(folder / FOLDER)
    assert run(["chain", *where]) == 1
    shown = capsys.readouterr().out
    assert "손상됨 broken" in shown
    assert "was written" in shown
    assert "기록 없음" not in shown
    assert sorted((folder / "journal").iterdir()) == before, "a journal is only read"
    (folder / FOLDER).mkdir()
    path.write_text("".join(written.splitlines(keepends=True)[:2]), encoding="utf-8")
    assert run(["chain", *where]) == 1, "head.json is gone with the end"


async def test_a_log_that_takes_nothing_is_trouble_and_costs_no_entry(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    (folder / FOLDER).write_text("in the way")
    async with Device(registers={GAS: 30, LEVEL: 50}) as device:
        async with running(site_of(device.port), folder) as collector:
            await until(lambda: any("cannot open the log" in one for one in collector.status()["troubles"]))
        (folder / FOLDER).unlink()
        async with running(site_of(device.port), folder) as collector:
            await until(lambda: not collector.links.chain.unwritten)
            assert collector.status()["alarms"]["log"]["entries"] == 1
    assert run(["chain", "--state-dir", str(folder)]) == 0


async def test_an_alarm_that_a_reload_or_a_start_takes_away_is_ended(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    async with Device(registers={GAS: 30, LEVEL: 95}) as device:
        site = site_of(device.port)
        only_gas = site.model_copy(update={"alarms": site.alarms[:1]})
        async with running(site, folder) as collector:
            await until(lambda: sum(collector.status()["alarms"]["unacknowledged"].values()) == 2)
            await collector.follow(compare(site, only_gas), only_gas)
            assert collector.status()["alarms"]["configured"] == 1
            await until(lambda: "alarm/GD-01/level_high" not in collector.links.engine.kept)
        async with running(only_gas.model_copy(update={"alarms": ()}), folder) as collector:
            await until(lambda: collector.links.chain.head.seq == 2 and not collector.links.chain.unwritten)
    events = [event for _, event in points(folder, "alarm", "event")]
    assert events == ["raised", "removed", "removed"], "both came with one reading, at one time"
    assert run(["chain", "--state-dir", str(folder)]) == 0


async def test_an_alarm_that_a_reload_adds_hears_a_connection_that_stays(tmp_path: Path) -> None:
    async with Device(registers={GAS: 0, LEVEL: 95}) as device:
        site = site_of(device.port)
        only_gas = site.model_copy(update={"alarms": site.alarms[:1]})
        async with running(only_gas, tmp_path / "state") as collector:
            await until(lambda: collector.readings[0].stats.readings > 2)
            change = compare(only_gas, site)
            assert change.kept == ("plc",)
            await collector.follow(change, site)
            await until(lambda: collector.status()["alarms"]["active"]["caution"] == 1)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["ack", "A/b"], "say who does it with --by"),
        (["ack", "--by", "a"], "name alarms as MACHINE/ALARM; `agent alarms` lists them"),
        (["ack", "A/b", "--all", "--by", "a"], "name alarms as MACHINE/ALARM; `agent alarms` lists them"),
        (["unshelve", "--all", "--by", "a"], "name alarms as MACHINE/ALARM; --all is for list and ack"),
        (["shelve", "A/b", "--by", "a"], "say how long with --for"),
        (["ack", "A/b", "--by", "a", "--for", "1h"], "--for is for shelve"),
    ],
)
def test_arguments_that_make_no_sense(
    arguments: list[str], reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["alarms", *arguments, "--state-dir", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"error: alarms {arguments[0]}: {reason}\n"


async def test_alarms_that_are_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with Device(registers={GAS: 3, LEVEL: 50}) as device, running(site_of(device.port), tmp_path / "state"):
        where = ("--state-dir", str(tmp_path / "state"))
        assert "no such alarm" in await said(capsys, "alarms", "ack", "A/b", "--by", "a", *where, code=3)
        assert "1 to 64 characters" in await said(capsys, "alarms", "ack", "--all", "--by", "a" * 65, *where, code=3)


def test_a_chain_that_was_never_begun(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["chain", "--state-dir", str(tmp_path)]) == 0
    assert "기록 없음" in capsys.readouterr().out
    assert run(["chain", "--state-dir", str(tmp_path / "none")]) == 2


def test_limits_that_nobody_confirmed_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (Path(__file__).parent / "bad/exposure_twice.yaml").read_text(encoding="utf-8")
    path = tmp_path / "site.yaml"
    for tail, note in (("NH3}", True), ("NH3, twa: 20}", False)):
        path.write_text(text.replace(f"  - {{machine: GD-01, tag: nh3, substance: {tail}\n", ""), encoding="utf-8")
        assert run(["check", str(path)]) == 0
        said = capsys.readouterr()
        assert ("exposure[#1].substance: the limits of NH3 are not confirmed" in said.out + said.err) is not note
