"""Simulated lines through store, query, figure and page: each figure on a page is the library's for the same inputs."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import numpy as np
import pytest

from agent.server import catalog_of
from pipelines.calendar import Span
from pipelines.sinks.duckdb import DuckDbSink
from tests.lines.playing import LINES, START_NS
from tests.services.influxd import Influxd
from tests.set_clock import SetClock
from tests.viewer.query.played import EVERY_S, Played, played
from tests.viewer.query.test_query import cards
from viewer.app import make_app
from viewer.catalog import Catalog
from viewer.figure_text import unit as unit_of
from viewer.figure_text import value as value_of
from viewer.kpi.catalog import CATALOG
from viewer.kpi.figure import figure
from viewer.kpi.inputs import Inputs
from viewer.query.figures import figures_of
from viewer.query.inputs import inputs_of
from viewer.query.unit import Unit
from viewer.site_info import SiteInfo
from viewer.states import runs
from viewer.stores.base import Points, Store
from viewer.stores.duckdb import DuckDbStore
from viewer.stores.influx import InfluxStore
from viewer.words import Words

pytestmark = [pytest.mark.wire, pytest.mark.slow]

PLAYS = {
    "auto_press_machining": (3000, "- {at: 10m, fault: overload_stop, for: 5m}\n- {at: 40m, fault: lube_low, for: 4m}"),
    "chemical_safety": (1800, "- {at: 5m, fault: big_leak, for: 8m}\n- {at: 22m, fault: detector_zero, for: 3m}"),
}


@dataclasses.dataclass(frozen=True)
class Plant:
    """A line that was played, in both stores."""

    name: str
    played: Played
    catalog: Catalog
    site: SiteInfo
    stores: dict[str, Store]

    @property
    def period(self) -> Span:
        return START_NS, self.played.end_ns

    def units(self) -> list[Unit]:
        lines = [Unit(line) for line in self.site.lines]
        return [Unit(), *lines, *(Unit(one.line, one.name) for one in self.site.machines.values())]


@pytest.fixture(scope="module", params=PLAYS)
def plant(
    request: pytest.FixtureRequest, influxd: Influxd, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Plant]:
    found = played(request.param, *PLAYS[request.param])
    catalog = catalog_of([LINES / request.param / "site.yaml"])
    (site,) = catalog.sites.values()
    sink = DuckDbSink(Path(tmp_path_factory.mktemp("store")) / "a.duckdb")
    database = f"db_{uuid.uuid4().hex}"
    influxd.create(database)
    for body in found.bodies:
        asyncio.run(sink.write(site.company, body))
        influxd.write(database, body)
    stores: dict[str, Store] = {"duckdb": DuckDbStore(sink.cursor), "influxdb": InfluxStore(influxd.url, database)}
    yield Plant(request.param, found, catalog, site, stores)
    for one in stores.values():
        one.close()
    asyncio.run(sink.close())


def same(one: Any, other: Any, place: str = "") -> None:
    """Equal to the last digit, column by column; means are sums of floats, which two stores add up in another order."""
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype, place
        assert one.shape == other.shape, place
        if place.endswith(".mean"):
            assert one == pytest.approx(other, rel=1e-9, nan_ok=True), place
        else:
            assert np.array_equal(one, other, equal_nan=one.dtype.kind == "f"), place
    elif dataclasses.is_dataclass(one):
        for field in dataclasses.fields(one):
            same(getattr(one, field.name), getattr(other, field.name), f"{place}.{field.name}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), place
        for at, (mine, yours) in enumerate(zip(one, other, strict=True)):
            same(mine, yours, f"{place}[{at}]")
    else:
        assert one == other, place


def test_both_stores_give_the_same_inputs(plant: Plant) -> None:
    for unit in plant.units():
        first, second = (inputs_of(store, plant.site, unit, plant.period) for store in plant.stores.values())
        same(first, second, f"{unit}")


def test_inputs_are_what_the_rules_derived(plant: Plant) -> None:
    """Held against the points themselves, which never saw a store."""
    seen = 0
    for machine in plant.site.machines.values():
        of = inputs_of(plant.stores["duckdb"], plant.site, Unit(machine.line, machine.name), plant.period)
        own = [one for one in plant.played.points if one.machine == machine.name and one.time_ns < plant.period[1]]
        counted = [one for one in own if one.measurement == "count"]
        assert of.counts.time_ns.tolist() == [one.time_ns for one in counted if "total" in one.fields]
        assert (of.counts.total is None) == (not counted)
        if of.counts.total is not None:
            assert of.counts.total.tolist() == [one.fields["total"] for one in counted if "total" in one.fields]
        told = [one for one in own if one.measurement == "state"]
        codes = Points(np.array([one.time_ns for one in told]), np.array([int(one.fields["code"]) for one in told]))
        if of.spans is not None:
            expected = [one for one in runs(codes, *plant.period) if one[0] < one[1]]
            assert list(zip(of.spans.start_ns, of.spans.end_ns, of.spans.code, strict=True)) == expected
        raised = [one for one in own if one.measurement == "alarm" and one.fields["event"] == "raised"]
        safety = {one.name for one in plant.site.alarms if one.safety and one.machine == machine.name}
        assert of.raised_ns.tolist() == [one.time_ns for one in raised if dict(one.tags)["alarm"] in safety]
        seen += len(counted) + len(told) + len(raised)
    assert seen > 50


@pytest.mark.parametrize("language", ["ko", "en"])
def test_a_page_shows_what_the_library_says(plant: Plant, language: str) -> None:
    words = Words(language)
    known = 0
    units = plant.units() if language == "ko" else plant.units()[:1]
    for unit in units:
        of = inputs_of(plant.stores["duckdb"], plant.site, unit, plant.period)
        codes = [*plant.site.kpis, "DQ-RATE"]
        expected = {code: shown(words, code, of) for code in codes}
        for store in plant.stores.values():
            assert cards(page(plant, store, unit, language)) == expected
        known += sum(figure(code, of).value is not None for code in codes)
    assert known > len(units), "collection alone is not enough"


def test_any_figure_is_the_same_asked_alone_or_with_all(plant: Plant) -> None:
    """What a page asks for of its figures is all that they need."""
    for unit in plant.units():
        of = inputs_of(plant.stores["duckdb"], plant.site, unit, plant.period)
        for code in CATALOG:
            (alone,) = figures_of(plant.stores["duckdb"], plant.site, unit, [code], plant.period)
            whole = figure(code, of)
            assert (alone.value, alone.parts, alone.evidence) == (whole.value, whole.parts, whole.evidence), code


def test_the_faults_are_in_the_figures(plant: Plant) -> None:
    """The press says 4 while it is down: so many of its readings, a second each, all of them in working time."""
    store = plant.stores["duckdb"]
    if plant.name == "auto_press_machining":
        press = plant.site.machines["PRS-01"]
        (found,) = figures_of(store, plant.site, Unit("press-line", "PRS-01"), ["P-MTTR"], plant.period)
        down_s = np.count_nonzero(store.points(press.place(), "state").value == 4) * EVERY_S
        assert [part.value for part in found.parts] == [pytest.approx(down_s / 60, abs=0.1), 2]
        assert down_s >= (5 + 4) * 60
    else:
        (found,) = figures_of(store, plant.site, Unit(), ["S-ALM"], plant.period)
        assert (found.value or 0) >= 3
        assert found.evidence.cover is not None
        assert 85 < found.evidence.cover < 100, "the detector that gave zero was not heard"


def shown(words: Words, code: str, of: Inputs) -> str:
    """As a card shows it."""
    result = figure(code, of)
    return (
        value_of(words, result)
        if result.value is None
        else f"{value_of(words, result)} {unit_of(words, result)}".strip()
    )


def page(plant: Plant, store: Store, unit: Unit, language: str) -> str:
    app = make_app(store, plant.catalog, SetClock(plant.period[1]))
    levels = (plant.site.company, plant.site.name, unit.line, unit.machine)
    query = {"unit": "/".join(quote(one, safe="") or "-" for one in levels), "period": "today", "lang": language}

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://viewer") as client:
            return await client.get(f"/kpi?{urlencode(query)}")

    answer = asyncio.run(ask())
    assert answer.status_code == 200, answer.text
    assert not re.search(r"\b(nan|None|inf)\b", answer.text)
    return answer.text
