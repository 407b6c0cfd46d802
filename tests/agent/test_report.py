"""`agent report` writes a file from a store, and says in one line what it lacks."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import yaml
from openpyxl import Workbook
from pypdf import PdfReader

from agent.cli import run
from tests.set_clock import SetClock
from tests.viewer.query.kept_shift import copy_shift
from tests.viewer.query.shift import COMPANY, DAY, SITE
from viewer.access.audit import Audit
from viewer.book.book import Book
from viewer.book.companies import Companies
from viewer.book.facts import Facts
from viewer.goals.book import GoalBook
from viewer.goals.model import Baseline, Promise, Whose
from viewer.goals.programme import Programmes
from viewer.reports.programme import Target

READ = {(tag["machine"], tag["name"]) for connection in SITE["connections"] for tag in connection["tags"]} | {
    ("PRS-01", "good"),
    ("PRS-02", "state"),
    ("PRS-02", "shots"),
    ("PRS-02", "ng"),
}
READ |= {(name, tag) for name, of in SITE["machines"].items() for tag in (of.get("cycle") or {}).get("values", ())}
CONNECTION = {
    "name": "one",
    "type": "modbus",
    "host": "192.168.10.11",
    "period_s": 10,
    "tags": [
        {"name": name, "machine": machine, "table": "holding", "address": 2 * number, "datatype": "uint32"}
        for number, (machine, name) in enumerate(sorted(READ))
    ],
}
TARGETS = """
name: 경북 2026
targets: [{name: 지원기업수, target: 160, actual: 260}, {name: 활성기업수, target: 4, measure: active}]
"""
GOALS = "goals: [{code: P-OEE, baseline: 30, target: 50, approved_on: 2026-03-02, approved_by: 이기사}]"


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A store with a shift of September 2026, and what names it on the command line; it is the day after."""
    copy_shift(tmp_path / "store/points.duckdb")
    site = tmp_path / "site.yaml"
    site.write_text(yaml.safe_dump({**SITE, "connections": [CONNECTION]}, allow_unicode=True), encoding="utf-8")
    (tmp_path / "goals.yaml").write_text(GOALS, encoding="utf-8")
    monkeypatch.setenv("SHOPFLOOR_CLOCK", f"{DAY[1]}:0.000000001")
    monkeypatch.chdir(tmp_path)
    return ["--company", COMPANY, "--month", "2026-09", "--store", "store", "--site", "site.yaml"]


def effectiveness(book: Workbook) -> list[object]:
    """What came of the target of OEE, and how far that is."""
    sheet = book["01_총괄"]
    row = next(one.row for line in sheet.iter_rows() for one in line if one.value == "설비종합효율")
    return [sheet.cell(row, column).value for column in (7, 9)]


def test_the_workbook_with_its_targets(company: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """(0.5 x 686 + 0) / (440 + 480 min of the machine that stood) = 37.28 %; (30 − 37.28)/(30 − 50) = 36.41 %."""
    assert run(["report", "kpi", *company, "--goals", "goals.yaml", "-o", "kpi.xlsx", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    book = openpyxl.load_workbook("kpi.xlsx")
    assert book.sheetnames == said["sheets"]
    assert len(said["sheets"]) == 10
    assert effectiveness(book) == [0.3728, 0.3641]
    assert said["hash"] in [one.value for row in book["01_총괄"].iter_rows() for one in row]
    addresses = [one.value for one in book["08_데이터품질"]["D"]]
    assert [addresses.count(f"holding {2 * number}") for number in range(len(READ))] == [1] * len(READ)


@pytest.mark.parametrize("kind", ["kpi", "monthly", "collection", "safety", "ccp", "battery"])
def test_each_kind_in_each_form(company: list[str], kind: str) -> None:
    for name in ("a.pdf", "a.html", "a.xlsx"):
        assert run(["report", kind, *company, "-o", name]) == 0
        first = Path(name).read_bytes()
        assert run(["report", kind, *company, "-o", name]) == 0
        assert Path(name).read_bytes() == first
    text = " ".join(one.extract_text() for one in PdfReader(io.BytesIO(Path("a.pdf").read_bytes())).pages)
    assert COMPANY in text
    assert list(Path().glob(".*.part")) == []


def test_the_summary_of_a_programme(company: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The company was heard of up to eight hours before the end of its shift's day: it is connected and active."""
    Path("targets.yaml").write_text(TARGETS, encoding="utf-8")
    assert run(["report", "programme", *company, "--goals", "targets.yaml", "-o", "p.xlsx", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sheets"] == ["01_총괄", "02_기업별"]
    rows = [[one.value for one in row][:5] for row in openpyxl.load_workbook("p.xlsx")["01_총괄"].iter_rows()]
    assert ["지원기업수", "—", 160, 260, 1.625] in rows
    assert ["활성기업수", "—", 4, 1, 0.25] in rows


def test_the_month_of_a_cluster_and_the_check_list(company: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """One company is listed with its OEE of 37.28 %, and not compared; handed out, the report has no such list."""
    assert run(["report", "cluster", *company, "-o", "c.xlsx", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sheets"] == ["01_비교", "02_기업별"]
    book = openpyxl.load_workbook("c.xlsx")
    assert 0.3728 in [one.value for row in book["02_기업별"].iter_rows() for one in row]
    assert ["구분 없음", 1, *["비공개"] * 6] in [[one.value for one in row][:8] for row in book["01_비교"].iter_rows()]
    assert run(["report", "cluster", *company, "--no-lines", "-o", "c.html"]) == 0
    assert COMPANY not in Path("c.html").read_text(encoding="utf-8")
    assert run(["report", "aftercare", *company, "-o", "a.html"]) == 0
    assert "사후관리 점검표" in Path("a.html").read_text(encoding="utf-8")


def promised(folder: Path, *programmes: str) -> None:
    """What the pages would have left in a book: a goal that was approved, and programmes."""
    book, clock = Book(folder / "viewer.db"), SetClock(DAY[1])
    goals, whose = GoalBook(book, clock), Whose(COMPANY, "A")
    note = Audit(book, clock).write
    said = Promise(code="P-OEE", baseline=Baseline(30.0, "작업일보"), target=50.0)
    goals.approve(
        goals.propose(whose, said, "kim", partial(note, "kim", "local")), "boss", partial(note, "boss", "local")
    )
    Companies(book, clock).put([Facts(COMPANY, project="2025_00013")], partial(note, "boss", "local"))
    target = Target(name="지원기업수", target=160, actual=260)
    for name in programmes:
        Programmes(book, clock).put(name, target, "boss", partial(note, "boss", "local"))
    book.close()


def test_goals_that_were_set_on_the_pages(company: list[str], tmp_path: Path) -> None:
    """Those of the store's own viewer, of the folder that is named, or of a file, which goes before."""
    promised(tmp_path / "store/viewer")
    promised(tmp_path / "state")
    for more in (company, [*company, "--state-dir", "state"], [*company, "--goals", "goals.yaml"]):
        assert run(["report", "kpi", *more, "-o", "kpi.xlsx"]) == 0
        assert effectiveness(openpyxl.load_workbook("kpi.xlsx")) == [0.3728, 0.3641], more
    for folder, there in (("state", True), ("nowhere", False)):
        assert run(["report", "kpi", *company, "--state-dir", folder, "-o", "kpi.html"]) == 0
        text = Path("kpi.html").read_text(encoding="utf-8")
        assert [word in text for word in ("기존값 근거와 승인", "과제번호", "2025_00013")] == [there] * 3


def test_the_programme_that_was_set_on_the_pages(company: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    promised(Path("store/viewer"), "경북 2026")
    assert run(["report", "programme", *company, "-o", "p.xlsx"]) == 0
    rows = [[one.value for one in row][:5] for row in openpyxl.load_workbook("p.xlsx")["01_총괄"].iter_rows()]
    assert ["지원기업수", "—", 160, 260, 1.625] in rows
    capsys.readouterr()
    promised(Path("state"), "가", "나")
    assert run(["report", "programme", *company, "--state-dir", "state", "-o", "p.xlsx"]) == 2
    assert "viewer.db: has 가, 나; name the file of one with --goals" in capsys.readouterr().err


def test_a_month_of_which_nothing_is_stored(company: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [word if word != "2026-09" else "2026-08" for word in company]
    assert run(["report", "kpi", *arguments, "-o", "a.pdf"]) == 0
    assert "기간 내 수집된 데이터 없음" in capsys.readouterr().err


WRONG: list[tuple[dict[str, Any], int, str]] = [
    (
        {"kind": "yearly"},
        2,
        "there is no report yearly; there are kpi, monthly, collection, aftercare, safety, ccp, battery, programme, cl",
    ),
    ({"-o": "a.docx"}, 2, "a.docx: ends in none of .xlsx, .pdf, .html; name one of these with -o"),
    ({"-o": "no/a.pdf"}, 2, "no/a.pdf: its folder is not there; make it first"),
    ({"--month": "2026-13"}, 2, "--month 2026-13: is no month; write it as 2026-11"),
    ({"--month": "2027-01"}, 2, "--month 2027-01: has not begun; take one that has, or set the clock right"),
    (
        {"--company": "없음"},
        2,
        "없음: the configuration has 한국금속/A; name the company's configuration with --site FILE",
    ),
    ({"--store": "elsewhere"}, 3, "elsewhere/points.duckdb: no such store"),
    ({"--goals": "no.yaml"}, 2, "no.yaml: cannot be read: No such file or directory"),
    ({"kind": "programme"}, 2, "programme: name the file of its targets with --goals"),
    (
        {"kind": "programme", "--goals": "goals.yaml"},
        2,
        "goals.yaml: is no file of a programme's targets: name: Field required",
    ),
    (
        {"kind": "cluster", "--by": "size"},
        2,
        "--by size: companies are put together by cluster, town, trade, programme",
    ),
    ({"kind": "cluster", "--group": "포항시"}, 2, "--group 포항시: no company is in it; known are none; enter it at"),
    ({"--store": None}, 2, "say --store DIR or --influx URL, one of the two"),
]


@pytest.mark.parametrize(("changed", "code", "said"), WRONG)
def test_what_lacks_is_said_in_one_line(
    company: list[str], capsys: pytest.CaptureFixture[str], changed: dict[str, Any], code: int, said: str
) -> None:
    options = dict(zip(company[::2], company[1::2], strict=True)) | {"-o": "a.pdf"} | changed
    kind = options.pop("kind", "kpi")
    words = [word for option, value in options.items() if value is not None for word in (option, value)]
    assert run(["report", kind, *words]) == code
    assert capsys.readouterr().err.startswith(f"error: {said}")
    assert not Path("a.pdf").exists()


def test_a_store_that_a_server_uses_is_named(company: list[str]) -> None:
    """Another process holds the file."""
    hold = (
        "import duckdb, sys; held = duckdb.connect('store/points.duckdb'); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        argv = [sys.executable, "-m", "agent.cli", "report", "kpi", *company, "-o", "a.pdf"]
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        ran = subprocess.run(argv, capture_output=True, text=True, check=False, env=env)
        holder.communicate("")
    assert ran.returncode == 3
    assert ran.stderr.startswith("error: store/points.duckdb: ")
