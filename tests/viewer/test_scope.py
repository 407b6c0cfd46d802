"""Nothing of a company outside the scope comes out of a store or a catalog, whatever is asked, on both stores."""

from __future__ import annotations

import asyncio
import inspect
import re
import uuid
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.sinks.duckdb import DuckDbSink
from tests.services.influxd import Influxd
from tests.viewer.plant import SITE
from viewer.access.scope import ScopedStore, scoped_catalog
from viewer.catalog import Catalog
from viewer.stores.base import Place, Points, Record, Store, Tagged, Trend
from viewer.stores.duckdb import DuckDbStore
from viewer.stores.influx import InfluxStore

T0: Final = 1_700_000_000_000_000_000
SECOND: Final = 1_000_000_000
COMPANIES: Final = ("대한정밀", "대한정밀2", "대한", "a' OR '1'='1", 'b"; DROP TABLE series; --', "c\\d", "*")
PLACES: Final = tuple(Place(name, site, "", "M", "press") for name in COMPANIES for site in ("", "A"))
FIELDS: Final = ("v", "text", "v_quality", "none")


def lines(place: Place) -> bytes:
    """Line protocol of a place; in names commas, equal signs and spaces are escaped."""
    levels = (("company", place.company), ("site", place.site))
    tags = "".join(f",{key}=" + re.sub(r"([,= ])", r"\\\1", text) for key, text in levels if text)
    body = [f'press{tags},machine=M v={n}.5,text="{n}" {T0 + n * SECOND}' for n in range(5)]
    body.append(f'gap{tags},machine=M,tag=v cause="x",end={T0 + 9}i {T0}')
    return "\n".join(body).encode()


@pytest.fixture(scope="module", params=["duckdb", "influxdb"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened: Store
    if request.param == "duckdb":
        sink = DuckDbSink(tmp_path_factory.mktemp("scope") / "a.duckdb")
        for place in PLACES:
            asyncio.run(sink.write(place.company, lines(place)))
        opened = DuckDbStore(sink.cursor)
        yield opened
        asyncio.run(sink.close())
    else:
        server: Influxd = request.getfixturevalue("influxd")
        database = f"db_{uuid.uuid4().hex}"
        server.create(database)
        for place in PLACES:
            server.write(database, lines(place))
        opened = InfluxStore(server.url, database)
        yield opened
    opened.close()


scopes = st.frozensets(st.sampled_from([*COMPANIES, "대", "", "nobody"]))
places = st.sampled_from([*PLACES, Place("nobody", "", "", "M", "press"), Place("", "", "", "M", "press")])
fields = st.sampled_from(FIELDS)
moments = st.integers(T0 - SECOND, T0 + 6 * SECOND)
few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def told(answer: Any) -> Any:
    """An answer as plain data."""
    match answer:
        case Points() | Trend() | Tagged() | Record():
            return {name: told(getattr(answer, name)) for name in answer.__slots__}
        case np.ndarray():
            return answer.tolist()
        case dict():
            return {key: told(value) for key, value in answer.items()}
        case list():
            return [told(one) for one in answer]
    return answer


def test_there_are_companies_to_keep_apart(store: Store) -> None:
    assert {one.place.company for one in store.series()} == set(COMPANIES)
    assert len(store.gaps()) == len(PLACES)


@few
@given(scope=scopes)
def test_lists_hold_what_is_in_the_scope_and_nothing_else(store: Store, scope: frozenset[str]) -> None:
    scoped = ScopedStore(store, scope)
    assert scoped.series() == [one for one in store.series() if one.place.company in scope]
    assert scoped.latest() == [one for one in store.latest() if one.place.company in scope]
    assert scoped.gaps() == [one for one in store.gaps() if one.place.company in scope]
    for measurement in ("press", "gap", "none"):
        real = [one for one in store.records(measurement) if one.place.company in scope]
        assert told(scoped.records(measurement)) == told(real)


@few
@given(scope=scopes, place=places, field=fields, start_ns=moments, end_ns=moments)
def test_one_place_is_answered_as_it_is_or_as_one_that_is_not_there(
    store: Store, scope: frozenset[str], place: Place, field: str, start_ns: int, end_ns: int
) -> None:
    scoped, nowhere = ScopedStore(store, scope), Place("nobody at all", "", "", "M", "press")
    real = place if place.company in scope else nowhere
    company = place.company if place.company in scope else nowhere.company
    span = (start_ns, max(start_ns + 1, end_ns))
    assert told(scoped.points(place, field, *span)) == told(store.points(real, field, *span))
    assert told(scoped.points(place, field)) == told(store.points(real, field))
    assert told(scoped.before(place, field, span[1], span[0])) == told(store.before(real, field, span[1], span[0]))
    assert told(scoped.tagged(place, ["v", field], *span)) == told(store.tagged(real, ["v", field], *span))
    assert told(scoped.trend(place, field, *span, 4)) == told(store.trend(real, field, *span, 4))
    assert told(scoped.trends(place, ["v", field], *span, 4)) == told(store.trends(real, ["v", field], *span, 4))
    assert scoped.latest(place) == store.latest(real)
    every = [one for one in store.latest() if one.place.company == company]
    assert scoped.latest(company=place.company) == every
    for site in (None, "A"):
        real_records = store.records("press", company, site, start_ns) if company else []
        assert told(scoped.records("press", place.company, site, start_ns)) == told(real_records)
    assert scoped.gaps(place.company, start_ns) == (store.gaps(company, start_ns) if company else [])


@few
@given(scope=scopes, wanted=st.lists(st.tuples(places, fields), max_size=6), start_ns=moments)
def test_readings_keep_their_order(
    store: Store, scope: frozenset[str], wanted: list[tuple[Place, str]], start_ns: int
) -> None:
    span = (start_ns, T0 + 10 * SECOND)
    asked = [(place if place.company in scope else Place("nobody at all"), field) for place, field in wanted]
    scoped = ScopedStore(store, scope)
    assert told(scoped.readings(wanted, *span)) == told(store.readings(asked, *span))
    assert told(scoped.trends_of(wanted, *span, 3)) == told([store.trend(*one, *span, 3) for one in asked])
    named, real = ([place for place, _ in some] for some in (wanted, asked))
    assert told(scoped.tagged_of(named, ["v"], *span)) == told([store.tagged(one, ["v"], *span) for one in real])


def test_no_scope_is_everything_and_an_empty_one_nothing(store: Store) -> None:
    everything, nothing = ScopedStore(store, None), ScopedStore(store, frozenset())
    assert everything.series() == store.series()
    assert everything.gaps() == store.gaps()
    assert (nothing.series(), nothing.latest(), nothing.gaps()) == ([], [], [])


def test_a_scope_that_changes_counts_at_once(store: Store) -> None:
    seen: list[frozenset[str]] = [frozenset(COMPANIES[:1])]
    scoped = ScopedStore(store, lambda: seen[-1])
    assert {one.place.company for one in scoped.series()} == {COMPANIES[0]}
    seen.append(frozenset())
    assert scoped.series() == []


def test_closing_it_leaves_the_store_of_all_open(store: Store) -> None:
    ScopedStore(store, None).close()
    assert store.series()


def test_every_method_of_a_store_has_an_answer_of_its_own() -> None:
    """Nothing is passed on by name: who adds a method to `Store` has to say here what a scope means to it."""
    wanted = {name for name, _ in inspect.getmembers(Store, inspect.isfunction) if not name.startswith("_")}
    assert wanted <= set(vars(ScopedStore))
    assert "__getattr__" not in vars(ScopedStore)


@few
@given(scope=scopes)
def test_a_catalog_has_the_machines_of_the_scope(scope: frozenset[str]) -> None:
    catalog = Catalog.of([{**SITE, "company": name} for name in COMPANIES])
    scoped = scoped_catalog(catalog, scope)
    assert list(scoped.machines) == [key for key in catalog.machines if key[0] in scope]
    assert {machine.company for machine in scoped.machines.values()} <= scope
    assert scoped_catalog(catalog, None) is catalog
