"""What a line's configuration says of each tag is whole: labels in both languages, source, period, range, unit."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

import pytest

from connectors.modbus.config import ModbusConnection
from connectors.mtconnect.config import MtConnectConnection
from connectors.opcua.config import OpcUaConnection
from pipelines.derive.rule import Ref
from pipelines.settings import TagSettings
from simulators.device import Signal
from simulators.plant import line_names, load_plant
from tests.lines.playing import Line, site_of
from tests.lines.test_faults import TABLES

WITHOUT_UNIT: Final = {
    "a code whose numbers stand for words": {
        "alarm_code", "bms_fault", "job_status", "laser_state", "mode", "model", "phase", "segment", "state",
        "state_current", "status", "trip", *(f"ch{number}_step" for number in range(1, 9)),
    },
    "the number of a lot, a product, a tool, a person or a procedure": {
        "batch_id", "lot", "lot_id", "product", "product_code", "tool_no", "welder", "wps",
    },
    "a ratio of two quantities of one unit": {"li_ratio", "pf", "power_factor"},
}  # fmt: skip
"""Why some tags have no unit; nothing else is let off."""
EXEMPT: Final = frozenset().union(*WITHOUT_UNIT.values())


def is_number(tag: TagSettings, signal: Signal) -> bool:
    """Neither text nor a bit: these have neither unit nor range."""
    bit = getattr(tag, "bit", None) is not None or signal.table in {"coil", "discrete"}
    return not bit and signal.category != "CONDITION" and signal.datatype not in {"String", "Boolean"}


def period_s(connection: Any, tag: TagSettings) -> float:
    """How often it is looked at, at the latest: polled, sampled by its server, or asked for with all others."""
    if isinstance(connection, MtConnectConnection):
        return connection.period_s
    if isinstance(connection, OpcUaConnection):
        return connection.polled_s(tag) or connection.sampling_interval_s
    return connection.polled_s(tag) or 0.0


@pytest.mark.parametrize("name", line_names())
def test_every_tag_says_what_it_is(name: str) -> None:
    site, signals = site_of(name), Line(name).signals()
    lacking = []
    for connection in site.connections:
        facts = connection.facts() if isinstance(connection, ModbusConnection) else {}
        for row, tag in enumerate(connection.tag_list()):
            machine = site.place(connection, tag).machine
            number = is_number(tag, signals[Ref(machine, tag.name)])
            found = {
                "Korean label": tag.label.ko,
                "English label": tag.label.en,
                "source": tag.source or (row in facts and facts[row].description),
                "period": period_s(connection, tag) > 0,
                "range": tag.range or not number,
                "unit": tag.engineering_unit or tag.name in EXEMPT or not number,
            }
            lacking += [f"{machine}/{tag.name}: no {key}" for key, there in found.items() if not there]
    assert lacking == []


def test_no_exemption_is_left_over() -> None:
    bare = {
        tag.name
        for name in line_names()
        for connection in site_of(name).connections
        for tag in connection.tag_list()
        if not tag.engineering_unit
    }
    assert bare >= EXEMPT


@pytest.mark.parametrize("name", line_names())
def test_every_machine_and_alarm_is_named_in_both_languages(name: str) -> None:
    site = site_of(name)
    for label in [*(one.label for one in site.machines.values()), *(one.label for one in site.alarms)]:
        assert label.ko
        assert label.en
    for alarm in site.alarms:
        assert alarm.action.ko, alarm.name
        assert alarm.action.en, alarm.name
    assert site.calendar is not None
    assert site.kpis
    assert site.alarms


def kind(tag: TagSettings, signal: Signal) -> str:
    """Type of its field in a store."""
    if getattr(tag, "bit", None) is not None or signal.datatype in {"bool", "Boolean"}:
        return "bool"
    if "string" in {getattr(tag, "datatype", ""), signal.datatype.lower()} or signal.category == "CONDITION":
        return "string"
    whole = "int" in signal.datatype.lower() or signal.datatype in {"Byte", "bcd16", "bcd32", "bcd64"}
    measured = signal.category == "SAMPLE" or (signal.category and signal.units)
    scaled = tag.scale != 1 or tag.offset != 0 or getattr(tag, "decimals_from", None) is not None
    return "int" if whole and not measured and not scaled else "float"


def test_a_field_of_a_class_has_one_type_in_all_lines() -> None:
    """A store refuses a second type of a field of a measurement, and lines may share one."""
    found: dict[tuple[str, str], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for name in line_names():
        site, signals = site_of(name), Line(name).signals()
        for connection in site.connections:
            for tag in connection.tag_list():
                place = site.place(connection, tag)
                told = kind(tag, signals[Ref(place.machine, tag.name)])
                found[place.measurement, tag.name][told].add(f"{name}: {place.machine}")
    assert {key: dict(kinds) for key, kinds in found.items() if len(kinds) > 1} == {}


@pytest.mark.parametrize("name", line_names())
def test_a_device_refuses_long_requests_and_shows_open_sensors_as_its_profile_says(name: str) -> None:
    site, signals, plant = site_of(name), Line(name).signals(), load_plant([name])
    for connection in site.connections:
        if not isinstance(connection, ModbusConnection):
            continue
        most = [one.map.max_registers for one in connection.devices]
        assert plant.devices[connection.name].max_registers <= max(most, default=125), connection.name
        for tag in connection.tag_list():
            broken = {raw for raw, meaning in tag.sentinels.items() if meaning == "sensor_open"}
            signal = signals[Ref(site.place(connection, tag).machine, tag.name)]
            assert not broken or signal.open in broken, f"{connection.name}: {tag.name}"


def test_every_line_has_a_table_of_faults() -> None:
    assert sorted(TABLES) == line_names()
