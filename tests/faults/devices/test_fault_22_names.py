"""Text that breaks parsers, in values, in names and in the names of alarms: kept to the letter, or refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pipelines.alarms import MOST_TEXT
from pipelines.place import Place
from pipelines.point import AlarmEvent, Delivery, Scan, scan_of
from pipelines.settings import ConnectionSettings, TagSettings
from pipelines.sinks.base import Sink
from pipelines.sinks.duckdb import DuckDbSink
from pipelines.sinks.influx import InfluxV1Sink
from pipelines.source import Source
from tests.services.influxd import Influxd, influxd

__all__ = ["influxd"]
pytestmark = [pytest.mark.wire, pytest.mark.fault(22)]

NOW = 1_790_000_000_000_000_000
NASTY = [
    "tail\\", "a=b", "a,b", "a b", "line\nbreak", "cr\rlf\n", 'quote"quote', "'", "#comment", "🏭 공장", "x" * 65_536,
    "", "nul\0nul", "\u202eright to left", "tab\t", "\\\\", '\\"', "sf/+/#", "$SYS/x", "${HOME}", "%s%n", "null", "t",
    "1i", "\ufeffbom", "e\u0301", "\u2028", "\x1b[31m", "\U0010ffff",
]  # fmt: skip
KEPT_NAMES = ["a.b", "a-b", "_1", "온도", "Ünïcödé", "a" * 120, "t", "null", "0"]


class Connection(ConnectionSettings):
    tags: tuple[TagSettings, ...]


def named(name: str) -> TagSettings:
    return TagSettings(name=name)


def texts(scan_tags: int) -> Source:
    tags = tuple(named(f"t{index}") for index in range(scan_tags))
    place = Place("press", "acme", "s", "", "P1")
    return Source(Connection(name="plc", tags=tags), [place] * len(tags), {}, [place])


async def through(source: Source, scan: Scan, sink: Sink) -> None:
    for lines in source.encode(Delivery((scan,)), NOW):
        await sink.write("acme", lines.body)


def column_of(server: Influxd, database: str) -> dict[str, Any]:
    series = json.loads(server.query('SELECT * FROM "press"', database))["results"][0]["series"][0]
    return dict(zip(series["columns"], series["values"][0], strict=True))


async def test_nasty_values_come_back_to_the_letter(influxd: Influxd, tmp_path: Path, figure: Any) -> None:
    value = np.empty(len(NASTY), object)
    value[:] = NASTY
    scan = scan_of(list(range(len(NASTY))), NOW, value)
    sink = InfluxV1Sink(influxd.url, "fault22_{company}")
    store = DuckDbSink(tmp_path / "store" / "site.duckdb")
    try:
        await through(texts(len(NASTY)), scan, sink)
        await through(texts(len(NASTY)), scan, store)
        found = column_of(influxd, "fault22_acme")
        assert [found[f"t{index}"] for index in range(len(NASTY))] == NASTY
        reader = store.cursor()
        points = reader.table("points_string").join(reader.table("series"), "series = id")
        kept = dict(points.project("field, value").fetchall())
        assert [kept[f"t{index}"] for index in range(len(NASTY))] == NASTY
    finally:
        await sink.close()
        await store.close()
    figure("nasty texts altered in influxd 1.6.7 and in the embedded store", asked="0", measured=f"0 of {len(NASTY)}")


async def test_names_of_tags_are_kept_or_refused(influxd: Influxd, figure: Any) -> None:
    refused = 0
    for name in NASTY:
        if name in KEPT_NAMES or name in {"1i", "e\u0301"}:
            continue
        with pytest.raises(ValidationError, match=r"String should have at|must start with a letter"):
            named(name)
        refused += 1
    tags = tuple(named(name) for name in KEPT_NAMES)
    place = Place("press", "acme", "s", "", "P1")
    source = Source(Connection(name="plc", tags=tags), [place] * len(tags), {})
    sink = InfluxV1Sink(influxd.url, "fault22names_{company}")
    try:
        await through(source, scan_of(list(range(len(tags))), NOW, np.arange(len(tags))), sink)
        found = column_of(influxd, "fault22names_acme")
        assert [found[name] for name in KEPT_NAMES] == list(range(len(tags)))
    finally:
        await sink.close()
    figure("names refused before anything starts", asked="each that cannot be kept", measured=refused)


async def test_names_and_messages_of_alarms_come_back(influxd: Influxd) -> None:
    source = texts(1)
    events = tuple(AlarmEvent(0, name, NOW, {"active": True, "message": name}) for name in NASTY)
    sink = InfluxV1Sink(influxd.url, "fault22alarms_{company}")
    try:
        for lines in source.encode(Delivery((), events=events), NOW):
            await sink.write("acme", lines.body)
        answer = json.loads(influxd.query('SELECT * FROM "alarm"', "fault22alarms_acme"))["results"][0]["series"][0]
    finally:
        await sink.close()
    rows = [dict(zip(answer["columns"], row, strict=True)) for row in answer["values"]]
    assert [row["cut"] for row in rows if len(row["message"]) == MOST_TEXT] == ["message alarm_name"]
    whole = [text for text in NASTY if len(text) <= MOST_TEXT]
    rows = [row for row in rows if row["cut"] is None]
    assert sorted(row["message"] for row in rows) == sorted(whole)
    assert sorted(row["alarm"] if row["alarm_name"] is None else row["alarm_name"] for row in rows) == sorted(whole)
