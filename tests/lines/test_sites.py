"""What a line's configuration says of each tag is whole: labels in both languages, source, range, unit."""

from __future__ import annotations

import pytest

from connectors.modbus.config import ModbusConnection
from tests.lines.playing import site_of
from tests.lines.test_faults import TABLES

BARE = {"power_factor", "pf", "li_ratio"}
"""Fractions without a unit."""


@pytest.mark.parametrize("name", TABLES)
def test_every_tag_says_what_it_is(name: str) -> None:
    for connection in site_of(name).connections:
        facts = connection.facts() if isinstance(connection, ModbusConnection) else {}
        for row, tag in enumerate(connection.tag_list()):
            where = f"{connection.name}.{tag.name}"
            assert tag.label.ko, where
            assert tag.label.en, where
            assert tag.source or (row in facts and facts[row].description), where
            if getattr(tag, "datatype", "") in {"bool", "string"} or tag.name == "model":  # what proves a profile
                continue
            fraction = tag.scale != 1 or getattr(tag, "datatype", "").startswith("float")
            assert tag.engineering_unit or tag.name in BARE or not fraction, where
            if getattr(tag, "datatype", ""):
                assert tag.range, where


@pytest.mark.parametrize("name", TABLES)
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
