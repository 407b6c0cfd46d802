"""What site files say about machines and tags."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from urllib.parse import quote

import pytest

from pipelines.sinks.duckdb import DuckDbSink
from tests.viewer.one_shop import HOUR, T0, page
from tests.viewer.one_shop import SITE as SHOP
from tests.viewer.plant import COMPANY, SITE
from viewer.catalog import Catalog
from viewer.stores.duckdb import DuckDbStore


def test_machines_and_tags_come_in_the_order_of_the_file() -> None:
    catalog = Catalog.of([SITE])
    assert [key[2] for key in catalog.machines] == ["PRS-01", "PRS-02", "CNC-01", "FUR-01", "MTR-01"]
    press = catalog.machines[COMPANY, "포항1공장", "PRS-01"]
    assert list(press.tags)[:3] == ["state", "spm", "shot_total"]
    assert (press.tags["ton_peak"].unit, press.tags["ton_peak"].decimals, press.tags["ton_peak"].period_s) == (
        "t",
        1,
        1,
    )
    assert press.label["ko"] == "프레스 1호기"


@pytest.mark.parametrize(
    ("tag", "period_s"),
    [
        ({}, 1.0),
        ({"period_s": 5}, 5),
        ({"mode": "subscribe"}, None),
        ({"mode": "read"}, 1.0),
        ({"deadband": {"type": "absolute", "value": 1}}, None),
    ],
)
def test_what_is_stored_on_change_has_no_period(tag: dict[str, object], period_s: float | None) -> None:
    site = {"connections": [{"machine": "M", "period_s": 1.0, "tags": [{"name": "t", **tag}]}]}
    assert Catalog.of([site]).machines["", "", "M"].tags["t"].period_s == period_s


def test_a_machine_that_only_a_tag_names_is_there() -> None:
    site = {"company": "C", "site": None, "connections": [{"machine": "A", "tags": [{"name": "t", "machine": "B"}]}]}
    assert list(Catalog.of([site]).machines) == [("C", "", "B")]


@pytest.mark.parametrize(
    ("scale", "decimals"), [(1.0, None), (0.1, 1), (0.001, 3), (0.5, 1), (10, None), (1e-4, 4), (0.10000000149, None)]
)
def test_digits_after_the_point_follow_the_scale(scale: float, decimals: int | None) -> None:
    site = {"connections": [{"machine": "M", "tags": [{"name": "t", "scale": scale}]}]}
    assert Catalog.of([site]).machines["", "", "M"].tags["t"].decimals == decimals


def test_what_a_raw_state_means() -> None:
    states = {
        "A": {"tag": "mode", "map": {0: "OFF", 1: 1}},
        "B": {"tag": "state"},
        "C": {"tag": "current", "packml": "omac"},
        "D": {"power": "kw"},
    }
    a, b, c, d = Catalog.of([{"machines": {name: {"state": one} for name, one in states.items()}}]).machines.values()
    assert [a.state_code(one) for one in (0, 1.0, True, "1", 5)] == [7, 1, 1, 1, 0]
    assert [b.state_code(one) for one in (8, 9, -1, "x", 4.0)] == [8, 0, 0, 0, 4]
    assert (c.state_map, d.state_map) == (None, None)


def test_whether_a_machine_has_a_state_and_which_tag_says_it() -> None:
    site = {"machines": {"A": {"state": {"tag": "mode"}}, "B": {"state": {"power": "kw"}}, "C": {}}}
    machines = Catalog.of([site]).machines.values()
    assert [(one.has_state, one.state_tag) for one in machines] == [(True, "mode"), (True, ""), (False, "")]


def test_a_site_is_called_by_its_label(tmp_path: Path) -> None:
    """Addresses keep its name; of several files of a site the first that has a label counts."""
    named = SHOP | {"site": "gyeongsan"}
    labelled = {**named, "machines": {"X-1": {"class": "press"}}, "connections": [], "alarms": [],
                "site_label": {"ko": "경산공장", "en": "Gyeongsan plant"}}  # fmt: skip
    catalog = Catalog.of([named, labelled])
    sink = DuckDbSink(tmp_path / "a.duckdb")
    machine = f"{quote(str(SHOP['company']))}/gyeongsan/PRS-01"
    paths = ("machines", "kpi", "alarms", "energy", "quality", "goals", "reports", "level", f"machine/{machine}")
    for path in paths:
        for language, label in (("ko", "경산공장"), ("en", "Gyeongsan plant")):
            text = page(DuckDbStore(sink.cursor), f"/{path}", T0 + HOUR, catalog, lang=language)
            shown = re.sub(r"<[^>]*>", " ", text)
            assert label in shown, path
            assert "gyeongsan" not in shown, path
    asyncio.run(sink.close())
