"""Every profile against registers written down from the manuals, served by pyModbusTCP: values computed by hand."""

from __future__ import annotations

import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pyModbusTCP.server import DataBank, ModbusServer

from agent.server import catalog_of
from connectors.base import LinkContext
from connectors.modbus.device import DeviceSettings
from connectors.modbus.isolate import poll_of
from connectors.modbus.plan import plan
from connectors.modbus.profile import ProfileName, load_profile
from connectors.modbus.tag import BIT_TABLES
from connectors.modbus.values import Values
from pipelines.normalize import Normalizer
from pipelines.point import (
    BAD_CONFIGURATION_ERROR,
    BAD_DATA_ENCODING_UNSUPPORTED,
    BAD_OUT_OF_RANGE,
    BAD_SENSOR_FAILURE,
    BAD_WAITING_FOR_INITIAL_DATA,
    SEVERITY_MASK,
)
from pipelines.stats import LinkStats

from .conftest import connection, link_to, read
from .profiles_page import PAGE, START, profiles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connectors.modbus.config import ModbusConnection

FOLDER = Path(__file__).parents[3] / "connectors/profiles"
NAMES = typing.get_args(ProfileName)


@pytest.fixture
def bank() -> Iterator[tuple[DataBank, int]]:
    """Memory of a device of another make, and its port."""
    memory = DataBank()
    server = ModbusServer(host="127.0.0.1", port=0, no_block=True, data_bank=memory)
    server.start()
    try:
        yield memory, server._service.server_address[1]
    finally:
        server.stop()


def site(port: int, *devices: dict[str, Any], **more: Any) -> ModbusConnection:
    return connection(port, devices=devices, timeout_s=2, period_s=0.05, **more)


async def values(settings: ModbusConnection) -> dict[str, tuple[Any, int]]:
    """(value, status) by tag as they are stored after the first tick."""
    tags = settings.tag_list()
    link = link_to(settings)
    (delivery,) = await read(link)
    normalizer = Normalizer(tags)
    out: dict[str, tuple[Any, int]] = {}
    for raw in delivery.scans:
        for scan in normalizer.normalize(raw.take(raw.tag < len(tags))):
            for tag, value, status in zip(scan.tag.tolist(), scan.value.tolist(), scan.status.tolist(), strict=True):
                out[tags[tag].name] = (value, status)
    assert out.keys() == {tag.name for tag in tags}
    return out


def rounded(got: dict[str, tuple[Any, int]], digits: int = 4) -> dict[str, Any]:
    assert all(status & SEVERITY_MASK == 0 for _, status in got.values()), got
    return {name: round(value, digits) if isinstance(value, float) else value for name, (value, _) in got.items()}


def test_every_file_is_a_profile_and_every_profile_has_its_file() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(NAMES)
    for name in NAMES:
        profile = load_profile(name)
        assert profile.title
        assert all(profile.sources)
        assert profile.items or profile.areas
        for key, item in profile.items.items():
            assert item.source, "where it stands in the manual"
            assert item.label.ko, f"{name}: {key}"
            assert item.label.en, f"{name}: {key}"
            assert item.address + item.width() <= 0x1_0000
        assert profile.serial is not None or name in {"melsec", "remote_io"}


@pytest.mark.parametrize("name", NAMES)
def test_all_items_of_a_profile_can_be_planned_within_its_limits(name: ProfileName) -> None:
    profile = load_profile(name)
    if not profile.items:
        return
    settings = site(1, {"profile": name, "items": list(profile.items)})
    requests = plan(settings)
    assert sorted(tag for request in requests for tag in request.tags) == list(range(len(settings.tag_list())))
    assert all(request.table in BIT_TABLES or request.count <= profile.max_registers for request in requests)


def test_the_page_is_what_the_profiles_say() -> None:
    page = PAGE.read_text(encoding="utf-8")
    told = "run: PYTHONPATH=. .venv/bin/python tests/connectors/modbus/profiles_page.py"
    assert page[page.index(START) :] == profiles(), told


def test_requests_of_usual_items() -> None:
    """What a poll costs on the bus."""
    counts = {name: len(plan(site(1, {"profile": name}))) for name in NAMES if load_profile(name).items}
    assert counts == {
        "autonics_tk": 1, "ls_ig5a": 2, "pm5110": 4, "pm5300": 6, "remote_io": 1, "sdm230": 4, "sdm630": 4,
    }  # fmt: skip


@pytest.mark.wire
async def test_sdm630(bank: tuple[DataBank, int]) -> None:
    memory, port = bank
    for address, words in {
        0x00: [0x4366, 0x3333],  # 30001: 230.2 V
        0x06: [0x4048, 0xF5C3],  # 30007: 3.14 A
        0x0C: [0xC42F, 0x0000],  # 30013: -700 W, exported
        0x34: [0x44BB, 0x8000],  # 30053: 1500 W
        0x3E: [0xBF73, 0x3333],  # 30063: -0.95
        0x46: [0x4247, 0xF5C3],  # 30071: 49.99 Hz
        0x48: [0x4640, 0xE4CD],  # 30073: 12345.2 kWh
        0x54: [0x44BB, 0x8000],  # 30085: 1500 W
        0x156: [0x4640, 0xE4CD],  # 30343
    }.items():
        memory.set_input_registers(address, words)
    settings = site(port, {"profile": "sdm630", "unit": 3, "machine": "MTR-03"})
    got = rounded(await values(settings))
    assert {name: got[name] for name in got if got[name]} == {
        "voltage_l1": 230.2, "current_l1": 3.14, "power_l1": -700.0, "total_power": 1500.0, "total_power_factor": -0.95,
        "frequency": 49.99, "import_energy": 12345.2002, "total_energy": 12345.2002, "demand": 1500.0,
    }  # fmt: skip
    assert {(tag.unit, tag.machine) for tag in settings.tag_list()} == {(3, "MTR-03")}
    swapped = await values(site(port, {"profile": "sdm630", "byte_order": "CDAB"}))
    assert swapped["voltage_l1"][1] == BAD_DATA_ENCODING_UNSUPPORTED, "4.2e-08 V is no voltage"


@pytest.mark.wire
async def test_sdm230(bank: tuple[DataBank, int]) -> None:
    memory, port = bank
    for address, words in {
        0x00: [0x4366, 0x3333], 0x06: [0x4048, 0xF5C3], 0x0C: [0x44BB, 0x8000], 0x12: [0x44BB, 0x8000],
        0x18: [0xC42F, 0x0000], 0x1E: [0x3F73, 0x3333], 0x46: [0x426F, 0xF5C3], 0x48: [0x4640, 0xE4CD],
        0x4A: [0x3F80, 0x0000], 0x156: [0x4640, 0xE4CD],
    }.items():  # fmt: skip
        memory.set_input_registers(address, words)
    assert rounded(await values(site(port, {"profile": "sdm230"}))) == {
        "voltage": 230.2, "current": 3.14, "power": 1500.0, "apparent_power": 1500.0, "reactive_power": -700.0,
        "power_factor": 0.95, "frequency": 59.99, "import_energy": 12345.2002, "export_energy": 1.0,
        "total_energy": 12345.2002,
    }  # fmt: skip


@pytest.mark.wire
@pytest.mark.parametrize("name", ["pm5110", "pm5300"])
async def test_schneider(bank: tuple[DataBank, int], name: str) -> None:
    """The register list counts from 1: what it calls 3060 is 3059 on the wire."""
    memory, port = bank
    for register, words in {
        2700: [0x4640, 0xE4CD], 3000: [0x4048, 0xF5C3], 3010: [0x4048, 0xF5C3], 3020: [0x43C7, 0x4CCD],
        3028: [0x4366, 0x3333], 3060: [0x4148, 0x0000], 3068: [0xC0A0, 0x0000], 3076: [0x4157, 0x0A3D],
        3084: [0x3FA0, 0x0000], 3110: [0x426F, 0xF5C3], 21300: [0x4148, 0x0000],
    }.items():  # fmt: skip
        memory.set_holding_registers(register - 1, words)
    items = ["power_factor", "power_factor_code", "total_power", "frequency", "energy_delivered", "voltage_ab"]
    items += ["voltage_an", "current_a", "current_average", "total_reactive_power", "total_apparent_power"]
    items += ["thd_current_a"] if name == "pm5300" else []
    got = rounded(await values(site(port, {"profile": name, "items": items})))
    assert got == {
        "power_factor": 0.75, "power_factor_code": 1.25, "total_power": 12.5, "frequency": 59.99,
        "energy_delivered": 12345.2002, "voltage_ab": 398.6, "voltage_an": 230.2, "current_a": 3.14,
        "current_average": 3.14, "total_reactive_power": -5.0, "total_apparent_power": 13.44,
    } | ({"thd_current_a": 12.5} if name == "pm5300" else {})  # fmt: skip


@pytest.mark.wire
async def test_autonics_tk(bank: tuple[DataBank, int]) -> None:
    memory, port = bank
    memory.set_input_registers(1000, [8405, 1, 0, 8500, 455, 0, 0b101, 123])
    settings = site(port, {"profile": "autonics_tk", "unit": 5, "machine": "FUR-01", "prefix": "z1_"})
    assert rounded(await values(settings)) == {
        "z1_pv": 840.5, "z1_sv": 850.0, "z1_heating_mv": 45.5, "z1_cooling_mv": 0.0, "z1_status": 5,
        "z1_heater_current": 12.3,
    }  # fmt: skip
    memory.set_input_registers(1000, [(-125) & 0xFFFF, 0])
    assert (await values(settings))["z1_pv"] == (-125.0, 0)
    for raw, status in {
        31000: BAD_SENSOR_FAILURE,
        30000: BAD_OUT_OF_RANGE,
        (-30000) & 0xFFFF: BAD_OUT_OF_RANGE,
    }.items():
        memory.set_input_registers(1000, [raw, 1])
        got = await values(settings)
        assert (got["z1_pv"][1], got["z1_sv"]) == (status, (850.0, 0))
    memory.set_input_registers(1000, [8405, 9])
    got = await values(settings)
    assert got["z1_pv"][1] == got["z1_sv"][1] == BAD_DATA_ENCODING_UNSUPPORTED, "unknown decimals: no number"


IG5A = [10, 5, 0, 0, 0, 6000, 0, 50, 100, 123, 3000, 220, 311, 15, 0b0100_0010, 0]
"""Common area 0000-000F of a running drive."""


@pytest.mark.wire
async def test_ls_ig5a(bank: tuple[DataBank, int]) -> None:
    memory, port = bank
    memory.set_holding_registers(0, IG5A)
    device = {"profile": "ls_ig5a", "unit": 7}
    expected = {
        "model": 10, "frequency_reference": 60.0, "output_current": 12.3, "output_frequency": 30.0, "stopped": False,
        "forward": True, "reverse": False, "fault": False, "at_speed": True, "trip": 0,
    }  # fmt: skip
    assert rounded(await values(site(port, device))) == expected
    memory.set_holding_registers(0, [*IG5A[1:], 0])  # a drive that counts from 1
    link = link_to(site(port, device))
    (delivery,) = await read(link)
    status = {
        link.context.settings.tag_list()[tag].name: code
        for scan in delivery.scans
        for tag, code in zip(scan.tag.tolist(), scan.status.tolist(), strict=True)
    }
    assert status.pop("model") == 0
    assert set(status.values()) == {BAD_CONFIGURATION_ERROR}, "not silently wrong"
    (told,) = link.context.stats.notices.values()
    assert told == (
        "unit 7 is no ls_ig5a: model is 5, expected 10 (SV-iG5A) at manual address 0000: another drive, or set "
        "parameters: {address_offset: -1}"
    )
    del expected["model"]
    assert rounded(await values(site(port, {**device, "parameters": {"address_offset": -1}}))) == expected


@pytest.mark.wire
async def test_a_drive_proven_later_is_believed_then(bank: tuple[DataBank, int]) -> None:
    memory, port = bank
    memory.set_holding_registers(0, [11, *IG5A[1:]])
    settings = site(port, {"profile": "ls_ig5a", "items": ["output_frequency"], "period_s": 0.02})
    link = link_to(settings)
    async with link:
        deliveries = link.deliveries()
        await anext(deliveries)
        assert link.context.stats.notices
        memory.set_holding_registers(0, IG5A)
        while link.context.stats.notices:
            delivery = await anext(deliveries)
    (scan,) = delivery.scans
    assert dict(zip(scan.tag.tolist(), scan.value.tolist(), strict=True)) == {0: 10, 1: 3000}
    assert not scan.status.any()


class Watch:
    """A clock that is put forward by hand."""

    rate = 1.0

    def __init__(self) -> None:
        self.at_s = 1000.0

    def now_ns(self) -> int:
        return int(self.at_s * 1e9)

    def monotonic_s(self) -> float:
        return self.at_s


def test_a_proof_does_not_outlast_a_long_absence() -> None:
    """A drive that was away may come back as another one: until the model was read again nothing is believed."""
    settings = site(502, {"profile": "ls_ig5a", "items": ["output_frequency"]})
    clock = Watch()
    values_of = Values(LinkContext(settings, None, clock, LinkStats()))
    model, frequency = (poll_of(settings, request) for request in plan(settings))

    def status() -> int:
        (column,) = values_of.take(frequency, b"\x0b\xb8", 0) or []
        return int(column.status[0])

    assert status() == BAD_WAITING_FOR_INITIAL_DATA
    values_of.take(model, b"\0\x0a", 0)
    assert status() == 0
    clock.at_s += 61
    assert status() == BAD_WAITING_FOR_INITIAL_DATA
    values_of.take(model, b"\0\x0a", 0)
    assert status() == 0
    values_of.take(model, b"\0\x0b", 0)
    assert status() == BAD_CONFIGURATION_ERROR


@pytest.mark.wire
async def test_ls_xgb(bank: tuple[DataBank, int]) -> None:
    """D100 at the first word of the area; a double word keeps its low word first."""
    memory, port = bank
    memory.set_holding_registers(0, [0xFFF6, 0x8001, 0x86A0, 0x0001, 0x3333, 0x4366])
    memory.set_coils(175, [True])
    memory.set_discrete_inputs(2, [True])
    tags = [
        {"name": "temp", "item": "D100", "scale": 0.1}, {"name": "ready", "item": "D101.F"},
        {"name": "busy", "item": "D101.1"}, {"name": "shots", "item": "D102", "datatype": "uint32", "counter": True},
        {"name": "volt", "item": "D104", "datatype": "float32"}, {"name": "lamp", "item": "M0010F"},
        {"name": "button", "item": "P00002"},
    ]  # fmt: skip
    device = {"profile": "ls_xgb", "unit": 1, "parameters": {"word_base": 100}, "tags": tags}
    assert rounded(await values(site(port, device))) == {
        "temp": -1.0, "ready": True, "busy": False, "shots": 100_000, "volt": 230.2, "lamp": True, "button": True,
    }  # fmt: skip


@pytest.mark.wire
async def test_melsec(bank: tuple[DataBank, int]) -> None:
    memory, port = bank
    memory.set_holding_registers(100, [0x86A0, 0x0001])
    memory.set_coils(8192 + 10, [True])
    memory.set_coils(0o20, [True])
    memory.set_discrete_inputs(0o17, [True])
    tags = [
        {"name": "count", "item": "D100", "datatype": "int32"}, {"name": "run", "item": "M10"},
        {"name": "lamp", "item": "Y20"}, {"name": "limit", "item": "X17"},
    ]  # fmt: skip
    device = {"profile": "melsec", "tags": tags}
    expected = {"count": 100_000, "run": True, "lamp": True, "limit": True}
    assert rounded(await values(site(port, device))) == expected
    other_way = {**device, "byte_order": "ABCD"}
    assert rounded(await values(site(port, other_way)))["count"] == 0x86A0_0001 - 2**32


@pytest.mark.wire
async def test_remote_io(bank: tuple[DataBank, int]) -> None:
    memory, port = bank
    memory.set_discrete_inputs(0, [True, False, True])
    memory.set_input_registers(32, [0x0001, 0x86A0])
    items = ["di1", "di2", "di3", "di8", "count1"]
    device = {"profile": "remote_io", "items": items, "parameters": {"counter_start": 32}}
    assert rounded(await values(site(port, device))) == {
        "di1": True, "di2": False, "di3": True, "di8": False, "count1": 100_000,
    }  # fmt: skip


def test_what_the_profile_says_of_its_tags() -> None:
    settings = connection(1, {"address": 9}, devices=[{"profile": "autonics_tk", "items": ["heating_mv", "pv"]}])
    facts = link_to(settings).context.stats.facts
    assert facts.keys() == {1, 2}
    assert (facts[1].engineering_unit, facts[1].low, facts[1].high, facts[1].datatype) == ("%", 0, 100, "int16")
    assert "LLLL" in facts[2].description


def test_own_settings_go_before_those_of_the_profile() -> None:
    own = {"item": "total_power", "name": "kw", "scale": 0.001, "engineering_unit": "kW", "period_s": 5}
    device = {"profile": "sdm630", "unit": 3, "machine": "A", "items": ["frequency"], "tags": [{**own, "machine": "B"}]}
    plain, mine = site(1, device).tag_list()
    assert (plain.name, plain.machine, plain.period_s, plain.address) == ("frequency", "A", 1, 70)
    assert (mine.name, mine.machine, mine.period_s, mine.address, mine.scale) == ("kw", "B", 5, 52, 0.001)
    assert (mine.engineering_unit, mine.label.ko, mine.unit) == ("kW", "유효전력", 3)
    settings = site(1, device)
    assert [settings.tag_place(row) for row in (0, 1)] == [("devices", 0), ("devices", 0, "tags", 0)]


def test_a_percent_deadband_may_rest_on_the_range_of_the_profile() -> None:
    band = {"type": "percent", "value": 0.5}
    (tag,) = site(1, {"profile": "sdm630", "tags": [{"name": "v", "item": "voltage_l1", "deadband": band}]}).tag_list()
    assert tag.range is not None
    assert tag.range.high == 500
    with pytest.raises(ValueError, match="a percent deadband needs a range"):
        site(1, {"profile": "sdm630", "tags": [{"name": "p", "item": "total_power", "deadband": band}]})


def test_the_viewer_knows_labels_and_units_of_a_profile(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(
        "company: a\nsite: b\nmachines: {M: {class: meter}}\nconnections:\n"
        "  - {name: c, type: modbus, host: h, devices: [{profile: sdm630, unit: 3, machine: M}]}\n"
    )
    tags = catalog_of([file]).machines["a", "b", "M"].tags
    assert (tags["total_power"].label["ko"], tags["total_power"].unit) == ("유효전력", "W")
    assert tags["import_energy"].period_s == 10


def test_the_smallest_limit_of_a_unit_holds() -> None:
    settings = site(1, {"profile": "ls_ig5a", "unit": 7}, {"profile": "sdm630", "unit": 3}, max_registers=40)
    assert [settings.most_registers(unit) for unit in (3, 7, 9)] == [40, 8, 40]


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ({"items": ["total_pwr"]}, "items: sdm630 has no item 'total_pwr'; did you mean 'total_power'?"),
        ({"items": ["xyz"]}, r"items: sdm630 has no item 'xyz'; it has voltage_l1, .*; docs/profiles.md lists all"),
        ({"tags": [{"name": "a", "item": "D100"}]}, "tags: sdm630 has no item 'D100'"),
        ({"parameters": {"base": 3}}, r"parameters: sdm630 has no 'base' \(it has: none\)"),
        ({"profile": "ls_ig5a", "parameters": {"address_offset": -2}}, "address_offset must be -1 to 0, not -2: wire"),
        (
            {"profile": "ls_ig5a", "parameters": {"address_offset": -1}, "items": ["model"]},
            "at address -1; look",
        ),
        ({"profile": "ls_xgb"}, "items: name some, or list tags; this profile has areas and no items of its own"),
        ({"profile": "ls_xgb", "items": ["D5"], "parameters": {"word_base": 100}}, "D5 would stand at address -95"),
        (
            {"profile": "ls_xgb", "items": ["Z5"]},
            r"no item 'Z5'; it has D… \(such as D100, D100.F for its bit 15\)",
        ),
        ({"profile": "melsec", "items": ["X19"]}, "melsec has no item 'X19'"),
        ({"profile": "melsec", "items": ["X17.3"]}, "melsec has no item 'X17.3'"),
        ({"prefix": "a b "}, "prefix: name: must start with a letter"),
        ({"tags": [{"name": "a", "item": "frequency", "counter": True}]}, "tags: counter needs an unsigned integer"),
        ({"profile": "sdm_630"}, "Input should be 'autonics_tk'"),
    ],
)
def test_what_is_wrong_with_a_device_is_told(device: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        DeviceSettings.model_validate({"profile": "sdm630", **device})
