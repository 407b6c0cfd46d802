"""Numbers at the edge: stored digit by digit, or told bad; never altered in silence."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.place import Place
from pipelines.point import BAD_OUT_OF_RANGE, Delivery, scan_of
from pipelines.settings import ConnectionSettings, TagSettings
from pipelines.sinks.duckdb import DuckDbSink
from pipelines.sinks.influx import InfluxV1Sink
from pipelines.source import Source
from tests.services.influxd import Influxd, influxd

__all__ = ["influxd"]
pytestmark = [pytest.mark.wire, pytest.mark.fault(21)]

NOW = 1_790_000_000_000_000_000
COLUMNS: dict[str, list[Any]] = {
    "float64": [
        float("nan"), float("inf"), float("-inf"), -0.0, 0.0, 5e-324, -5e-324, 2.2250738585072014e-308,
        1.7976931348623157e308, -1.7976931348623157e308, 0.1, float(np.float32(0.1)), float(np.float32(1e38)),
        2.0**53 + 2,
    ],
    "int64": [-(2**63), 2**63 - 1, 2**53 + 1, -(2**53) - 1, 0, -1],
    "uint64": [0, 2**63 - 1, 2**63, 2**64 - 1],
    "bool": [True, False],
}  # fmt: skip


class Connection(ConnectionSettings):
    tags: tuple[TagSettings, ...]


def same(ours: Any, wanted: Any) -> bool:
    if isinstance(wanted, float):
        return isinstance(ours, float) and struct.pack("<d", ours) == struct.pack("<d", wanted)
    return type(ours) is type(wanted) and bool(ours == wanted)


def storable(kind: str, value: Any) -> bool:
    return bool(np.isfinite(value)) if kind == "float64" else kind != "uint64" or value < 2**63


def lines(as_text: bool) -> tuple[bytes, dict[str, tuple[str, Any]]]:
    """Every extreme as a field of its own, and what each field was made from."""
    wanted = {f"{kind}_{n}": (kind, value) for kind, column in COLUMNS.items() for n, value in enumerate(column)}
    tags = tuple(TagSettings(name=name, store_as="string" if as_text else "source") for name in wanted)
    source = Source(Connection(name="plc", tags=tags), [Place("press", "acme", "", "", "P1")] * len(tags), {})
    scans, first = [], 0
    for kind, column in COLUMNS.items():
        scans.append(scan_of(list(range(first, first + len(column))), NOW, np.array(column, kind)))
        first += len(column)
    return b"".join(part.body for part in source.encode(Delivery(tuple(scans)), NOW)), wanted


async def in_influxd(server: Influxd, body: bytes, database: str) -> dict[str, Any]:
    sink = InfluxV1Sink(server.url, database)
    try:
        await sink.write("acme", body)
    finally:
        await sink.close()
    kinds = json.loads(server.query('SHOW FIELD KEYS FROM "press"', database))["results"][0]["series"][0]["values"]
    said = server.query('SELECT * FROM "press"', database)
    series = json.loads(said, parse_int=str, parse_float=str)["results"][0]["series"][0]
    types = {"float": float, "integer": int}
    typed = {name: types.get(kind, lambda same: same) for name, kind in kinds}
    row = dict(zip(series["columns"], series["values"][0], strict=True))
    return {name: typed[name](value) for name, value in row.items() if name in typed and value is not None}


async def in_duckdb(folder: Path, body: bytes) -> dict[str, Any]:
    store = DuckDbSink(folder / "store" / "site.duckdb")
    try:
        await store.write("acme", body)
        found: dict[str, Any] = {}
        for kind in ("float", "int", "bool", "string"):
            reader = store.cursor()
            points = reader.table(f"points_{kind}").join(reader.table("series"), "series = id")
            found |= dict(points.project("field, value").fetchall())
        return found
    finally:
        await store.close()


async def test_every_extreme_is_exact_or_bad(influxd: Influxd, tmp_path: Path, figure: Any) -> None:
    body, wanted = lines(as_text=False)
    altered = 0
    for found in (await in_influxd(influxd, body, "fault21"), await in_duckdb(tmp_path, body)):
        for name, (kind, value) in wanted.items():
            if storable(kind, value):
                altered += not same(found.get(name), value) or found[f"{name}_quality"] != 0
            else:
                altered += name in found or found[f"{name}_quality"] != BAD_OUT_OF_RANGE
    figure("extremes altered or dropped in silence, influxd 1.6.7 and embedded", asked="0", measured=altered)
    assert altered == 0


async def test_as_text_every_digit_is_kept(influxd: Influxd, tmp_path: Path) -> None:
    body, wanted = lines(as_text=True)
    for found in (await in_influxd(influxd, body, "fault21text"), await in_duckdb(tmp_path, body)):
        for name, (kind, value) in wanted.items():
            if kind == "float64" and not np.isfinite(value):
                assert name not in found
                assert found[f"{name}_quality"] == BAD_OUT_OF_RANGE
            elif kind == "float64":
                assert same(float(found[name]), value)
            else:
                assert found[name] == (str(value).lower() if kind == "bool" else str(value))
