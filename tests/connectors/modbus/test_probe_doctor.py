"""The doctor against servers that are not ours: holes, other function codes, addresses counted from 1, units."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import pytest

from agent.cli import run
from agent.config import load_site
from connectors.base import Probeable, ProbeOptions
from connectors.modbus.config import ModbusConnection
from connectors.modbus.probe.found import TableFound, UnitFound
from connectors.modbus.probe.profiles import match
from connectors.modbus.profile import ProfileName, load_profile
from connectors.modbus.tag import ModbusTag
from connectors.registry import kind_of, make_doctor
from pipelines.clock import SystemClock

from .conftest import FOREIGN, _port, link_to, read, table
from .device import Device
from .line_servers import serve
from .meters import drive, meter, registers

pytestmark = pytest.mark.wire
QUICK = ["--pause", "0", "--timeout-s", "0.3"]


@contextmanager
def serving(folder: Path, units: dict[int, dict[str, dict[int, int]]]) -> Iterator[str]:
    """The address of a pymodbus server that has these registers and no others."""
    folder.joinpath("map.json").write_text(json.dumps(units))
    command = [sys.executable, str(FOREIGN / "pymodbus-map" / "server.py"), str(folder / "map.json")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield f"modbus://127.0.0.1:{_port(process, 'tests/foreign/pymodbus-map')}"
        finally:
            process.terminate()


def probed(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, Any]:
    assert run(["probe", *arguments, *QUICK, "--json"]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def part(found: dict[str, Any], unit: int, name: str) -> dict[str, Any]:
    (one,) = [one for one in found["units"] if one["unit"] == unit]
    (other,) = [other for other in one["tables"] if other["table"] == name]
    return dict(other)


def placed(words: list[int], first: int = 0) -> dict[int, int]:
    return dict(enumerate(words, first))


def test_a_meter_with_holes_is_written_and_read_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """FC 4 only, low word first: found, written, accepted by `check`, and the link reads the true values."""
    truth = {0: 230.25, 2: 231.5, 4: 229.75, 6: 12.125, 12: 2755.5, 52: 8188.25, 70: 60.03125, 72: 12345.5}
    there = placed([0] * 54) | placed([0] * 18, 60)
    for address, value in truth.items():
        there |= placed(registers(value, "float32", "CDAB"), address)
    file = tmp_path / "site.yaml"
    with serving(tmp_path, {1: {"input": there}}) as address:
        found = probed(capsys, address, "--write-tags", str(file))
        assert part(found, 1, "input")["ranges"] == [[0, 53], [60, 77]]
        assert part(found, 1, "holding")["ranges"] == []
        assert any("only input (function code 4)" in remark for remark in found["remarks"])
        assert found["units"][0]["order"] == "CDAB"
        assert run(["check", str(file)]) == 0
        (settings,) = load_site(file).connections
        assert isinstance(settings, ModbusConnection)
        (delivery,) = asyncio.run(read(link_to(settings)))
        got = table(delivery)
        values = {tag.address: (got[i][0][1], got[i][0][2]) for i, tag in enumerate(settings.tags)}
        assert values == {address: (value, 0) for address, value in truth.items()}
        assert run(["probe", address, "--write-tags", str(file), *QUICK]) == 2
        assert "exists already" in capsys.readouterr().err
        mbpoll = ["mbpoll", "-m", "tcp", "-p", address.rpartition(":")[2], "-a", "1", "-t", "3:float", "-r", "1"]
        assert shutil.which("mbpoll"), "mbpoll is missing: run deploy/test-components.sh"
        said = subprocess.run(
            [*mbpoll, "-c", "3", "-1", "-0", "-r", "0", "127.0.0.1"], capture_output=True, text=True, check=False
        ).stdout
        assert [line.split()[-1] for line in said.splitlines() if line.startswith("[")] == ["230.25", "231.5", "229.75"]


@pytest.mark.parametrize("order", ["ABCD", "BADC"])
def test_every_reading_is_there_with_reasons(order: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = meter(5, order, "float64").reads[0].tolist()
    with serving(tmp_path, {1: {"holding": placed(words)}}) as address:
        found = probed(capsys, address, "--units", "1", "--ranges", "holding:0-99")
    first = part(found, 1, "holding")["values"][0]
    assert first["address"] == 0
    assert first["readings"][0]["type"] == "float64"
    assert first["readings"][0]["why"]
    orders = {one["order"] for one in first["readings"] if one["type"] == "float64"}
    assert orders == {"ABCDEFGH", "GHEFCDAB", "BADCFEHG", "HGFEDCBA", "EFGHABCD", "CDABGHEF", "FEHGBADC", "DCBAHGFE"}
    assert {one["order"] for one in first["readings"] if one["type"] == "float32"} == {"ABCD", "CDAB", "BADC", "DCBA"}
    assert sum(one["score"] for one in first["readings"]) == pytest.approx(1, abs=0.01)


def test_counted_from_one_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = meter(8, "ABCD", "float32").reads[0].tolist()
    with serving(tmp_path, {1: {"holding": placed(words, 1), "input": placed(words, 1)}}) as address:
        found = probed(capsys, address, "--units", "1")
    assert part(found, 1, "holding")["ranges"] == [[1, len(words)]]
    assert part(found, 1, "holding")["values"][0]["address"] == 1
    assert sum("register N of such a manual is address N here" in one for one in found["remarks"]) == 2
    assert any("function codes 3 and 4 both work" in one for one in found["remarks"])


def test_units_that_are_the_same_and_units_that_are_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = (placed(meter(seed, "ABCD", "float32").reads[0].tolist()) for seed in (1, 2))
    with serving(tmp_path, {1: {"input": one}, 2: {"input": one}, 3: {"input": other}}) as address:
        found = probed(capsys, address, "--units", "1-4", "--write-tags", str(tmp_path / "two.yaml"))
    assert [(unit["unit"], unit["same_as"]) for unit in found["units"][:3]] == [(1, None), (2, 1), (3, None)]
    assert any("unit 2 holds the same as unit 1" in remark for remark in found["remarks"])
    assert run(["check", str(tmp_path / "two.yaml")]) == 0
    (settings,) = load_site(tmp_path / "two.yaml").connections
    assert {tag.unit for tag in settings.tags} == {1, 3}  # type: ignore[union-attr]


@pytest.mark.parametrize(("server", "end"), [("libmodbus", 4000), ("modbus_serial", 60000)])
def test_the_last_address_of_other_servers(
    server: str, end: int, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    port = request.getfixturevalue(server)
    ranges = f"holding:{end - 13}-{end + 10},input:64-65"
    found = probed(capsys, f"modbus://127.0.0.1:{port}", "--units", "1", "--ranges", ranges, "--reads", "1")
    assert part(found, 1, "holding")["ranges"] == [[end - 13, end - 1]]
    (value,) = part(found, 1, "input")["values"]
    assert (value["readings"][0]["type"], value["readings"][0]["order"]) == ("float32", "ABCD")
    assert value["readings"][0]["values"][0] == pytest.approx(123.456)


async def test_reads_only_one_at_a_time_and_stays_in_its_budget() -> None:
    async with Device(delay_s=0.02) as device:
        options = ProbeOptions(units="1", ranges="holding:0-20000", budget_s=0.5, pause_s=0, timeout_s=1)
        doctor = make_doctor("modbus", f"modbus://127.0.0.1:{device.port}", options, SystemClock())
        assert isinstance(doctor, Probeable)
        lines = [line async for line in doctor.probe()]
        assert lines
        assert set(device.functions) <= {1, 2, 3, 4}
        assert len(device.requests) <= 0.6 / 0.02
        assert "--budget" in doctor.result()["partial"]
        assert doctor.proposal()


@pytest.mark.parametrize("name", ["pymodbus rtu_over_tcp", "modbus-serial rtu", "pymodbus ascii", "pymodbus udp"])
def test_every_kind_of_line(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    schemes = {"rtu_over_tcp": "modbus+rtu+tcp", "rtu": "modbus+rtu", "ascii": "modbus+ascii", "udp": "modbus+udp"}
    with serve(name, tmp_path, Path("libmodbus is not asked for")) as settings:
        scheme = schemes[settings["transport"]]
        serial = settings.get("serial")
        address = (
            f"{scheme}://{serial['device']}?baudrate=115200" if serial else f"{scheme}://127.0.0.1:{settings['port']}"
        )
        found = probed(capsys, address, "--units", "1", "--ranges", "holding:64-65,input:3994-4005", "--reads", "1")
    (value,) = part(found, 1, "holding")["values"]
    assert (value["readings"][0]["type"], value["readings"][0]["order"]) == ("float32", "ABCD")
    assert value["readings"][0]["values"][0] == pytest.approx(123.456)
    assert part(found, 1, "input")["ranges"] == [[3994, 3999 if name.startswith("pymodbus") else 4005]]


async def test_a_mute_unit_costs_two_timeouts_and_is_told() -> None:
    async with Device(mute={1}) as device:
        options = ProbeOptions(units="1,2", ranges="holding:0-9", pause_s=0, timeout_s=0.4, reads=1)
        doctor = make_doctor("modbus", f"modbus://127.0.0.1:{device.port}", options, SystemClock())
        assert next(iter([line async for line in doctor.probe()])) == "unit 1: no answer"
        assert doctor.result()["silent_units"] == [1]
        assert sum(unit == 1 for unit, _ in device.requests) == 2
        assert "no answer from unit 1" in "\n".join(doctor.lines())


async def test_nobody_answers_and_what_to_look_at_is_told() -> None:
    async with Device(mute={1}) as device:
        options = ProbeOptions(units="1", ranges="holding:0-9", pause_s=0, timeout_s=0.4, reads=1)
        doctor = make_doctor("modbus", f"modbus://127.0.0.1:{device.port}", options, SystemClock())
        assert [line async for line in doctor.probe()]
        *_, said = doctor.lines()
        assert said == "note: no answer from unit 1; name others with --units, or look at the device"


async def test_ctrl_c_shows_what_was_found() -> None:
    async with Device(delay_s=0.01) as device:
        command = [sys.executable, "-m", "agent.cli", "probe", f"modbus://127.0.0.1:{device.port}", "--units", "1,9"]
        process = await asyncio.create_subprocess_exec(
            *command, "--pause", "0", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        assert process.stderr is not None
        while b"in holding" not in await asyncio.wait_for(process.stderr.readline(), 20):
            pass
        device.delay_s = 20.0  # what it looks at now does not end before it is interrupted
        process.send_signal(signal.SIGINT)
        said, error = await asyncio.wait_for(process.communicate(), 20)
        assert process.returncode == 130
        assert b"unit 1 holding: 0-127" in said
        assert b"Traceback" not in error


@pytest.mark.parametrize(
    ("name", "shift", "swapped"), [("sdm630", 0, False), ("sdm630", 1, False), ("pm5110", 0, True)]
)
def test_known_devices_are_recognised(
    name: ProfileName, shift: int, swapped: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also when every address is one higher than in the map, and when the values are behind the other function code."""
    usual = {"V": 230.2, "A": 12.3, "W": 2755.1, "kW": 2.7, "Hz": 60.01, "kWh": 12345.6}
    profile = load_profile(name)
    there: dict[str, dict[int, int]] = {"holding": {}, "input": {}}
    for item in profile.items.values():
        assert item.datatype == "float32"
        table = {"holding": "input", "input": "holding"}[item.table] if swapped else item.table
        words = registers(usual.get(item.engineering_unit, 0.93), "float32", "ABCD")
        there[table] |= placed(words, item.address + shift)
    file = tmp_path / "site.yaml"
    with serving(tmp_path, {1: there}) as address:
        found = probed(capsys, address, "--write-tags", str(file), "--reads", "1")
    best = found["units"][0]["profiles"][0]
    assert (best["profile"], best["shift"], best["other_table"]) == (name, shift, swapped)
    assert best["score"] > 0.7
    (settings,) = load_site(file).connections
    names = {tag.name: tag for tag in settings.tag_list()}
    assert set(profile.usual()) & set(names) >= set(list(profile.usual())[:5])
    first = names[profile.usual()[0]]
    assert isinstance(first, ModbusTag)
    assert first.address == profile.items[first.name].address + shift
    assert first.engineering_unit == profile.items[first.name].engineering_unit


def test_random_devices_look_like_nothing_known() -> None:
    """Of 30 meters and drives whose map is no known one, none is taken for a known device."""
    profiles = {name: load_profile(name) for name in get_args(ProfileName)}
    for seed in range(10):
        for device in (meter(seed, "CDAB", "float32"), meter(seed, "ABCD", "int32"), drive(seed, swapped=False)):
            unit = UnitFound(1)
            for one in ("holding", "input"):
                unit.tables[one] = TableFound(one, [placed(row) for row in device.reads.tolist()])
            assert not match(unit, profiles)


def test_addresses_that_are_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, words in [
        (["192.168.0.9"], "write modbus://192.168.0.9"),
        (["opc.tcp://h:4840"], "probe: "),
        (["modbus://h:99999"], "a port of 1-65535"),
        (["modbus+rtu://ttyUSB0"], "three slashes"),
        (["modbus+rtu:///dev/ttyUSB0?speed=9600"], "unknown 'speed'"),
        (["modbus+rtu:///dev/ttyUSB0?parity=X"], "parity"),
        (["modbus://h", "--units", "1-300"], "unit ids of 0-255"),
        (["modbus://h", "--ranges", "holding:9-1"], "TABLE:FIRST-LAST"),
        (["modbus://h", "--budget", "soon"], "--budget soon"),
    ]:
        assert run(["probe", *arguments]) == 2
        assert words in capsys.readouterr().err
    assert kind_of("modbus+rtu:///dev/ttyUSB0") == "modbus"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert run(["probe", f"modbus://127.0.0.1:{port}"]) == 3
    assert "no connection" in capsys.readouterr().err


def test_serial_addresses_become_settings() -> None:
    from connectors.modbus.address import settings_of  # noqa: PLC0415

    settings = settings_of("modbus+rtu:///dev/ttyUSB0?baudrate=19200&parity=N&stop_bits=2")
    assert settings.where() == "modbus+rtu:///dev/ttyUSB0"
    assert settings.serial is not None
    assert settings.serial.wiring() == "19200 8N2"
    assert settings_of("modbus+rtu-over-tcp://gw:4001").where() == "modbus+rtu+tcp://gw:4001"
    assert settings_of("modbus+tls://plc?ca_file=ca.pem").where() == "modbus+tls://plc:802"
