"""`agent lines`: which line templates there are, and all of one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest
from rich.cells import cell_len

from agent.cli import run
from agent.templates.compose import line_names
from simulators.plant import load_plant

ROOT: Final = Path(__file__).parents[2]


def test_columns_stand_under_their_headings(capsys: pytest.CaptureFixture[str]) -> None:
    """A Korean letter takes two places of a terminal."""
    assert run(["lines"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows] == line_names()
    assert {cell_len(row[: row.index(" / ")]) for row in rows} == {cell_len(head[: head.index("태그")]) + 3}


def test_a_row_has_tags_by_level(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lines", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["lines"]}
    assert rows["heat_treatment"]["levels"] == {"basic": 13, "mid1": 54, "mid2": 54, "advanced": 54}
    assert rows["heat_treatment"]["machines"][0] == "FUR-01 연속로 1호기"


@pytest.mark.parametrize("name", line_names())
def test_show_tells_all_of_one(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lines", "show", name, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert all(said[part][key] for part in ("label", "industry") for key in ("ko", "en"))
    assert {one["name"] for one in said["faults"]} == set(load_plant([name]).faults)
    assert all(Path(said[key]).is_file() for key in ("site_yaml", "plant_yaml"))
    assert (ROOT / said["lab"]).is_file()
    assert f"[{name}](labs/{name}.md)" in (ROOT / "docs/templates.md").read_text(encoding="utf-8")
    assert (ROOT / f"docs/lines/{name}.png").is_file()
    assert f"![one shift of {name}]" in (ROOT / "docs/lines/README.md").read_text(encoding="utf-8")
    devices = [one for connection in said["connections"] for one in connection["devices"]]
    assert all(one["manuals"] and one["ko"] for one in devices)
    assert all(said[part] for part in ("about", "machines", "tags", "alarms", "kpis", "faults"))


def test_show_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lines", "show", "heat_treatment"]) == 0
    out = capsys.readouterr().out
    for words in ("state by tag state, count, cycle, energy", "autonics_tk 6", "MCT-TKC1", "0…1200", "2 s"):
        assert words in out
    for words in ("FUR-01/z1_pv", "1존 온도 Zone 1 temperature", "긴급", "질소 저유량", "belt_slip", "P-OEE"):
        assert words in out


@pytest.mark.parametrize("arguments", [["show"], ["list", "heat_treatment"], ["show", "nothing"]])
def test_a_name_that_is_none(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lines", *arguments]) == 2
    assert "heat_treatment" in capsys.readouterr().err
