"""`agent battery regrade` on a store on disk, as a person calls it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.cli import run
from agent.paths import STORE_FILE
from pipelines.derive.battery.grading import HOLD, RULE
from pipelines.sinks.duckdb import DuckDbSink
from tests.viewer import packs

pytestmark = pytest.mark.wire


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An embedded store that nobody holds, and the site's file."""
    path = tmp_path_factory.mktemp("packs")

    async def write() -> None:
        sink = DuckDbSink(path / STORE_FILE)
        await sink.write(packs.COMPANY, packs.stored())
        await sink.close()

    asyncio.run(write())
    (path / "site.yaml").write_text(yaml.safe_dump(packs.site(), allow_unicode=True), encoding="utf-8")
    return path


def regrade(folder: Path, pack: str, *more: str | Path) -> int:
    return run(["battery", "regrade", pack, *map(str, ("--store", folder, "--site", folder / "site.yaml", *more))])


def test_a_pack_by_the_rule_that_graded_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert regrade(folder, "PK-1") == 0
    said = capsys.readouterr().out
    assert said.count("재현됨") == 2
    assert "SoH (용량)" in said
    assert regrade(folder, "PK-1", "--json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert [(one["recorded"]["grade"], one["anew"]["grade"]) for one in found["tests"]] == [("A", "A"), (HOLD, HOLD)]
    health = found["tests"][0]["figures"]["soh_c"]
    assert health["anew"] == pytest.approx(packs.HEALTH)
    assert health["same"]


def test_a_pack_by_another_rule(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = yaml.safe_load(RULE.read_text(encoding="utf-8"))
    said["version"], said["gates"]["delta_mv_max"] = "2027-1", 20
    rule = tmp_path / "rule.yaml"
    rule.write_text(yaml.safe_dump(said, allow_unicode=True), encoding="utf-8")
    assert regrade(folder, "PK-1", "--rule", rule, "--json") == 0
    first, _ = json.loads(capsys.readouterr().out)["tests"]
    assert (first["recorded"]["grade"], first["anew"]["grade"], first["verdict"]) == ("A", HOLD, "other_rule")
    said["version"] = "2026-1"
    rule.write_text(yaml.safe_dump(said, allow_unicode=True), encoding="utf-8")
    assert regrade(folder, "PK-1", "--rule", rule) == 1, "limits were changed under the same version"
    assert "버전 변경 없이" in capsys.readouterr().out


def test_a_pack_that_nobody_tested(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert regrade(folder, "PK-9") == 1
    assert "no test of PK-9" in capsys.readouterr().err
