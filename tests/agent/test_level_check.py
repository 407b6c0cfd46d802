"""`agent level-check` from a store on disk and from a database, as a person calls it."""

from __future__ import annotations

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from agent.cli import run
from pipelines.clock import SystemClock
from pipelines.sinks.duckdb import DuckDbSink
from tests.services.influxd import Influxd, influxd
from tests.viewer.level.month import COMPANY, NOW, SITE_YAML, lines
from viewer.access.roles import Role
from viewer.access.users import Users
from viewer.book.book import FILE, Book
from viewer.level.levels import LEVELS

__all__ = ["influxd"]

pytestmark = pytest.mark.wire


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The site file; the process's clock stands at the end of the month."""
    monkeypatch.setenv("SHOPFLOOR_CLOCK", f"{NOW}:1e-12")
    path = tmp_path / "site.yaml"
    path.write_text(SITE_YAML, encoding="utf-8")
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """An embedded store that nobody holds."""

    async def write() -> None:
        sink = DuckDbSink(tmp_path / "points.duckdb")
        await sink.write(COMPANY, "\n".join(lines()).encode())
        await sink.close()

    asyncio.run(write())
    return tmp_path / "points.duckdb"


def ask(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> dict[str, Any]:
    assert run(["level-check", *map(str, arguments), "--json"]) == 0
    said = capsys.readouterr()
    assert said.out.count("\n") == 1
    assert not said.err
    found: dict[str, Any] = json.loads(said.out)
    return found


def by_code(found: dict[str, Any]) -> dict[str, Any]:
    (site,) = found["sites"]
    return {one["code"]: one for level in site["levels"] for one in level["findings"]}


def test_evidence_as_json(file: Path, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = ask(capsys, "--store", file, "--site", site)
    assert found["at"] == "2026-09-30T14:00:00+09:00"
    assert found["days"] == 30
    assert found["label"]["ko"] == "수준 자가점검(참고용)"
    (only,) = found["sites"]
    assert (only["company"], only["site"], only["from"]) == (COMPANY, "A", "2026-09-01T08:00:00+09:00")
    assert [level["level"] for level in only["levels"]] == [level.code for level in LEVELS]
    assert [len(level["unknowable"]) for level in only["levels"]] == [1, 1, 2, 1]
    evidence = by_code(found)
    assert {code: (one["value"], one["samples"]) for code, one in evidence.items() if code != "rate"} == {
        "connected": (50.0, 3),
        "states": (25.0, 4),
        "counts": (50.0, 7),
        "lots": (2, 3),
        "standard": (pytest.approx(200 / 7), 7),
        "kept": (41, 103),
        "automatic": (50.0, 4),
        "lag": (6.0, 100),
        "prompt": (97.0, 100),
        "alarms": (2, 102),
        "used": (None, 0),
    }
    assert evidence["lag"]["from"] == "2026-09-29T14:00:00+09:00"
    assert evidence["lag"]["unit"] == {"ko": "s", "en": "s"}
    assert evidence["kept"]["parts"][0] == {
        "what": {"ko": "기기 연결", "en": "with a device connected"},
        "value": 3,
        "unit": {"ko": "일", "en": "days"},
    }


def test_days_of_use_by_the_log_of_a_viewer(
    file: Path, site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book = Book(tmp_path / "viewer" / FILE)
    Users(book, SystemClock()).add("kim", Role.COMPANY, [COMPANY], "hash")
    book.close()
    found = by_code(ask(capsys, "--store", file, "--site", site, "--state-dir", tmp_path / "viewer"))
    assert found["used"]["why"]["ko"] == "기간 내 표본 없음"
    assert [part["value"] for part in found["used"]["parts"]] == [30, 1]
    assert run(["level-check", "--store", str(file), "--site", str(site), "--state-dir", str(tmp_path)]) == 2
    assert "holds no users" in capsys.readouterr().err


def test_a_database_says_the_same(file: Path, site: Path, influxd: Influxd, capsys: pytest.CaptureFixture[str]) -> None:
    """Of each company the database that is its own."""
    database = f"db_{uuid.uuid4().hex}"
    influxd.create(f"{database}_{COMPANY}")
    influxd.write(f"{database}_{COMPANY}", "\n".join(lines()).encode())
    remote = ask(capsys, "--influx", f"{influxd.url}?db={database}_{{company}}", "--site", site)
    assert remote == ask(capsys, "--store", file, "--site", site)


def test_without_samples(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(DuckDbSink(tmp_path / "empty.duckdb").close())
    evidence = by_code(ask(capsys, "--store", tmp_path / "empty.duckdb", "--site", site))
    assert {code for code, one in evidence.items() if one["value"] is None} == evidence.keys() - {"standard", "rate"}
    assert evidence["kept"]["why"] == {"ko": "저장된 하트비트 없음", "en": "no heartbeat is stored"}
    assert run(["level-check", "--store", str(tmp_path / "empty.duckdb"), "--site", str(site)]) == 0
    assert "미수집" in capsys.readouterr().out


def test_a_table_for_people(file: Path, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["level-check", "--store", str(file), "--site", str(site), "--days", "7"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("수준 자가점검(참고용) Level self-check (indicative)\n")
    assert "한국금속 · A, 2026-09-24 08:00 – 2026-09-30 14:00 KST" in said.out
    (row,) = [line for line in said.out.splitlines() if "저장 지연 p95" in line and "6.00 s" in line]
    assert "100 (하트비트)" in row
    assert "2026-09-29 14:00 – 2026-09-30 14:00 KST" in row
    assert said.out.count("확인 불가") == sum(len(level.unknowable) for level in LEVELS)
    assert "산식 Formulas" in said.out
    assert not said.err


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["--site", "{site}"], 2, "say --influx URL or --store FILE, one of the two"),
        (["--site", "{site}", "--store", "{file}", "--influx", "http://127.0.0.1:1?db=x"], 2, "one of the two"),
        (["--store", "{file}"], 2, "Missing option '--site'"),
        (["--store", "{file}", "--site", "{site}x"], 2, "site.yamlx"),
        (["--store", "{file}", "--site", "{site}", "--days", "0"], 2, "--days"),
        (["--store", "{file}x", "--site", "{site}"], 3, "no such store"),
        (["--influx", "http://127.0.0.1:1?db=x", "--site", "{site}"], 3, "127.0.0.1:1"),
    ],
)
def test_what_is_wrong(
    arguments: list[str], code: int, reason: str, file: Path, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["level-check", *(one.format(site=site, file=file) for one in arguments)]) == code
    said = capsys.readouterr()
    assert reason in said.err
    assert said.err.count("\n") == 1
    assert not said.out
