"""What is approved stays: whoever tries, by form, by file, by the library or in the database itself."""

from __future__ import annotations

import csv
import io
import os
import signal
import sqlite3
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from tests.set_clock import SetClock
from tests.viewer.browser import Browser
from tests.viewer.goals.played import COMPANY, NOW, OTHER, PRESS, THEIRS, UNIT, Plant, address, do, table
from viewer.access.audit import Audit
from viewer.access.refused import AccessRefused
from viewer.book.book import Book
from viewer.goals.book import GoalBook
from viewer.goals.exchange import csv_of, take_in, yaml_of
from viewer.goals.model import Baseline, Promise, Whose
from viewer.goals.programme import Programmes
from viewer.reports.goals_file import goals_in
from viewer.reports.programme import Target

pytestmark = pytest.mark.wire
WHOLE = Whose(COMPANY, "A")
SHARE = "{0}의 목표는 0 {1}에서 {2} {1} 사이여야 합니다. 전체에 대한 비율이므로 그 밖의 값은 있을 수 없습니다."
FIRST = {"code": "P-OEE", "baseline": "60", "note": "일보", "target": "80", "weight": "0.5"}


def approved(plant: Plant) -> Browser:
    """A manager's browser, behind a goal that was approved."""
    boss = plant.browser("boss")
    assert do(boss, "propose", **FIRST)[0] == 303
    assert do(boss, "approve", goal="1") == (303, "확정했습니다. 이제 잠겼습니다.")
    return boss


def nothing(*_: str) -> None:
    """An audit log that nobody reads."""


# ── forms ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_change_after_the_approval_is_a_version_that_waits(plant: Plant) -> None:
    boss = approved(plant)
    status, said = do(boss, "propose", code="P-OEE", target="70", weight="0.5")
    assert (status, said) == (400, "사유를 적으십시오. 확정된 것은 사유 없이 바꿀 수 없습니다.")
    assert do(boss, "propose", code="P-OEE", target="70", weight="0.5", reason="   ")[0] == 400
    assert do(boss, "propose", code="P-OEE", target="70", weight="0.5", reason="설비 노후")[0] == 303
    text = boss.get(address()).text
    row = table(text)["P-OEE"]
    assert (row[4:6], row[13]) == (["60.00%", "80.00%"], "공식지표 v1"), "the version that waits does not count"
    assert "확정 대기" in text
    assert do(boss, "approve", goal="2")[0] == 303
    assert table(boss.get(address()).text)["P-OEE"][4:6] == ["60.00%", "70.00%"]
    versions = table(boss.get(address()).text, "versions")
    assert list(versions) == ["P-OEE 2", "P-OEE 1"]
    assert versions["P-OEE 1"][7] == "확정·잠김 boss 2026-09-09 08:00 KST"
    assert versions["P-OEE 2"][5] == "설비 노후"


def test_nothing_is_approved_twice_or_behind_a_newer_version(plant: Plant) -> None:
    boss = approved(plant)
    said = "그 사이에 확정되었거나 새 버전이 생겼습니다. 이력을 다시 보십시오."
    assert do(boss, "approve", goal="1") == (400, said)
    for target in ("70", "71"):
        assert do(boss, "propose", code="P-OEE", target=target, weight="0.5", reason="노후")[0] == 303
    assert do(boss, "approve", goal="2") == (400, said)
    assert table(boss.get(address()).text)["P-OEE"][5] == "80.00%"
    for number in ("", "0", "-1", "99", "1e3", "１", "9" * 30, "1 OR 1=1"):
        assert do(boss, "approve", goal=number)[0] == 404, number


def test_leaving_a_goal_out_is_a_change_like_any(plant: Plant) -> None:
    boss = approved(plant)
    assert do(boss, "propose", code="P-OEE", target="80", weight="0.5", dropped="1")[0] == 400
    assert do(boss, "propose", code="P-OEE", target="80", weight="0.5", dropped="1", reason="공정 폐지")[0] == 303
    assert table(boss.get(address()).text)["P-OEE"][5] == "80.00%", "it counts until that is approved"
    assert do(boss, "approve", goal="2")[0] == 303
    assert table(boss.get(address()).text)["P-OEE"][5] == "—"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"code": "P-XX"}, "없는 지표입니다."),
        ({"target": ""}, "목표·가중치·기존값에는 숫자를 넣으십시오."),
        ({"target": "nan"}, "목표·가중치·기존값에는 숫자를 넣으십시오."),
        ({"baseline": "-inf"}, "목표·가중치·기존값에는 숫자를 넣으십시오."),
        ({"baseline": "9" * 60}, "목표·가중치·기존값에는 숫자를 넣으십시오."),
        ({"code": "P-UTIL", "target": "154"}, SHARE.format("P-UTIL", "%", "100")),
        ({"code": "Q-PDR", "target": "-1"}, SHARE.format("Q-PDR", "%", "100")),
        (
            {"code": "Q-PDR.ppm", "baseline": "2000000", "target": "1000001"},
            SHARE.format("Q-PDR.ppm", "ppm", "1,000,000"),
        ),
        ({"weight": "0"}, "가중치는 0보다 커야 합니다."),
        ({"weight": "-1"}, "가중치는 0보다 커야 합니다."),
        ({"note": " "}, "손으로 넣은 기존값에는 근거를 적어야 합니다."),
    ],
)
def test_what_cannot_be_a_goal(plant: Plant, fields: dict[str, str], said: str) -> None:
    assert do(plant.browser("boss"), "propose", **{**FIRST, **fields}) == (400, said)
    assert not plant.book.read("SELECT * FROM goals")


def test_a_cap_has_a_reason_and_is_one_of_three(plant: Plant) -> None:
    boss = plant.browser("boss")
    assert do(boss, "cap", cap="150", reason="x")[0] == 400
    assert do(boss, "cap", cap="100", reason="")[0] == 400
    assert do(boss, "cap", cap="100", reason="지침")[0] == 303
    assert do(boss, "cap", cap="100", reason="지침")[1] == "지금과 같습니다. 바뀐 것이 없습니다."


# ── who may ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_company_proposes_and_a_coordinator_approves(plant: Plant) -> None:
    kim, coord, reader = (plant.browser(name) for name in ("kim", "coord", "reader"))
    assert do(kim, "propose", **FIRST)[0] == 303
    assert do(kim, "approve", goal="1")[0] == 403
    assert do(kim, "cap", cap="100", reason="x")[0] == 403
    assert do(reader, "propose", **FIRST)[0] == 403
    for browser in (kim, reader):
        assert "/goals/approve" not in browser.get(address()).text
    assert "/goals/propose" not in reader.get(address()).text
    assert table(reader.get(address()).text)["P-OEE"][5] == "80.00%"
    assert do(coord, "programme", programme="p", name="n", target="1")[0] == 403
    assert 'id="programmes"' not in coord.get(address()).text
    assert do(coord, "approve", goal="1")[0] == 303
    deeds = [(one.who, one.action) for one in plant.access.audit.newest(20) if one.action.startswith("goal")]
    assert deeds == [("coord", "goal_approve"), ("kim", "goal_propose")]
    assert plant.access.audit.newest(1)[0].target == f"{COMPANY}/A/-/- P-OEE v1"
    assert plant.access.audit.broken() is None


def test_another_companys_goals_are_not_there(plant: Plant) -> None:
    approved(plant)
    lee = plant.browser("lee")
    assert do(lee, "propose", THEIRS, **{**FIRST, "target": "77"})[0] == 303
    for deed in ("propose", "measure", "approve", "cap", "import", "programme"):
        assert do(lee, deed, UNIT, **FIRST, goal="1", cap="100", reason="x")[0] == 404, deed
    assert do(lee, "approve", THEIRS, goal="1")[0] == 404, "a number of another company's goal"
    assert lee.get(address(page="/goals/export.yaml")).status_code == 404
    page = lee.get(address()).text
    assert COMPANY not in page
    assert table(page)["P-OEE"][5] == "77.00%"
    kim = plant.browser("kim")
    assert OTHER not in kim.get(address(THEIRS)).text
    assert "77.00%" not in kim.get(address(THEIRS)).text
    assert kim.get(address(THEIRS, page="/goals/export.csv")).status_code == 404
    order = plant.browser("order")
    assert do(order, "propose", **FIRST)[0] == 403
    assert "80.00%" not in order.get(address()).text


def test_without_a_token_nothing_is_done(plant: Plant) -> None:
    boss = approved(plant)
    answer = boss.ask("POST", address(page="/goals/propose"), data={**FIRST, "target": "1", "reason": "x"})
    assert answer.status_code == 403
    assert boss.get(address(page="/goals/propose")).status_code == 405
    assert len(plant.book.read("SELECT * FROM goals")) == 1


def test_where_nobody_is_known_nothing_becomes_official(open_plant: Plant) -> None:
    anybody = open_plant.browser()
    path = address(page="/goals/propose")
    token = anybody.token(address())
    assert anybody.ask("POST", path, data={"csrf": token, **FIRST}).status_code == 303
    answer = anybody.ask("POST", address(page="/goals/approve"), data={"csrf": token, "goal": "1"})
    assert answer.status_code == 400
    assert "로그인이 필요합니다" in answer.text
    assert not open_plant.book.read("SELECT * FROM goal_approvals")


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def send(browser: Browser, content: str, kind: str = "yaml") -> tuple[int, str]:
    answer = browser.ask(
        "POST",
        address(page="/goals/import"),
        data={"csrf": browser.token("/password"), "kind": kind},
        files={"file": (f"g.{kind}", content.encode())},
    )
    return answer.status_code, answer.text if answer.status_code == 400 else answer.headers.get("location", "")


def test_a_file_approves_nothing(plant: Plant) -> None:
    boss = plant.browser("boss")
    rows = "- {code: P-OEE, baseline: 60, target: 80, version: 1, approved_on: 2026-01-02, approved_by: 이기사}\n"
    rows += "- {code: P-OEE, baseline: 60, target: 85, version: 2, approved_on: 2026-02-02, detail: 증설}\n"
    assert send(boss, "cap: 100\ngoals:\n" + rows)[0] == 303
    history = GoalBook(plant.book, plant.clock).history(WHOLE)
    assert [(one.version, one.promise.target, one.official) for one in history] == [(1, 80, False), (2, 85, False)]
    assert "이기사" in history[0].promise.reason
    assert GoalBook(plant.book, plant.clock).cap(COMPANY, "A") == 100


def test_a_file_changes_nothing_that_is_approved_without_a_reason(plant: Plant) -> None:
    boss = approved(plant)
    status, text = send(boss, "goals: [{code: P-UTIL, target: 1}, {code: P-OEE, baseline: 60, target: 61}]")
    assert status == 400
    assert "사유를 적으십시오" in text
    assert len(plant.book.read("SELECT * FROM goals")) == 1, "all of a file, or nothing"
    assert send(boss, "goals: [{code: P-OEE, baseline: 60, target: 61, detail: 조정}]")[0] == 303
    assert table(boss.get(address()).text)["P-OEE"][5] == "80.00%"


def test_what_was_exported_comes_back_as_nothing_new(plant: Plant) -> None:
    boss = approved(plant)
    fields = {"code": "P-UPH", "base_from": "2026-09-07", "base_to": "2026-09-07", "target": "130", "weight": "1"}
    assert do(boss, "measure", **fields)[0] == 303
    for kind in ("yaml", "csv"):
        content = boss.get(address(page=f"/goals/export.{kind}")).text
        assert "done=goal_nothing_new" in send(boss, content, kind)[1], kind
    assert len(plant.book.read("SELECT * FROM goals")) == 2


def test_a_company_brings_no_cap_in(plant: Plant) -> None:
    assert send(plant.browser("kim"), "cap: 120\ngoals: [{code: P-OEE, target: 80}]")[0] == 303
    assert GoalBook(plant.book, plant.clock).cap(COMPANY, "A") is None


def test_a_small_file_takes_little_room_and_time(plant: Plant) -> None:
    """Neither by aliases, which make much of little, nor by depth, nor by number."""
    lists = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 6))
    maps = "".join(f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 9)}]}}\n" for n in range(1, 6))
    for content, kind in (
        (f"a0: &a0 [x]\n{lists}project: {{name: *a5}}\n", "yaml"),
        (f"m0: &m0 {{k: v}}\n{maps}", "yaml"),
        ("goals: " + "[" * 5000, "yaml"),
        ("code,target,version\n" + "".join(f"P-OEE,{n},{n}\n" for n in range(1, 502)), "csv"),
        ("goals: []\n" + "#" * (256 << 10), "yaml"),
    ):
        tracemalloc.start()
        try:
            status, text = send(plant.browser("kim"), content, kind)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert (status, len(text) < 50_000, most < 8 << 20) == (400, True, True), content[:40]
    assert not plant.book.read("SELECT * FROM goals")


BOMB = [(n, f"b{n - 1}" if n else "a") for n in range(12)]
"""Lists of nine lists of nine lists …: written out they would fill any memory."""


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("goals: [", "yaml"),
        ("", "yaml"),
        ("goals: [{code: P-XX, target: 1}]", "yaml"),
        ("code,target\nP-OEE,x\n", "csv"),
        ("code,target,version\n" + "".join(f"P-OEE,{n},{n}\n" for n in range(1, 502)), "csv"),
        (
            "project:\n  a: &a [1]\n" + "".join(f"  b{n}: &b{n} [{','.join(['*' + last] * 9)}]\n" for n, last in BOMB),
            "yaml",
        ),
    ],
)
def test_a_file_that_is_none_is_said(plant: Plant, content: str, kind: str) -> None:
    status, text = send(plant.browser("boss"), content, kind)
    assert status == 400
    assert "파일을 쓸 수 없습니다" in text


def test_goals_go_from_a_book_to_a_file_and_into_another(plant: Plant, tmp_path: Path) -> None:
    boss = approved(plant)
    assert do(boss, "propose", code="P-OEE", target="70", weight="2", reason='조정, "쉼표"')[0] == 303
    file = GoalBook(plant.book, plant.clock).file(WHOLE)
    for name, text in (("g.yaml", yaml_of(file)), ("g.csv", csv_of(file))):
        read = goals_in(text.encode(), Path(name))
        assert read.goals == file.goals
        book = Book(tmp_path / f"{name}.db")
        goals = GoalBook(book, SetClock(NOW))
        assert take_in(book, goals, WHOLE, read, "kim", nothing) == 2
        assert take_in(book, goals, WHOLE, read, "kim", nothing) == 0
        assert [one.promise.target for one in goals.history(WHOLE)] == [80, 70]
        book.close()


def test_no_cell_of_an_export_is_a_formula_and_each_comes_back(plant: Plant) -> None:
    boss, evil = plant.browser("boss"), '=HYPERLINK("http://evil.example","click")'
    first = {"code": "P-UPH", "baseline": "-60", "note": "@SUM(1)", "target": "-40", "weight": "1"}
    assert do(boss, "propose", **first)[0] == 303
    for reason in (evil, f"'{evil}", "'plain"):
        assert do(boss, "propose", **{**first, "target": str(len(reason))}, reason=reason)[0] == 303
    content = boss.get(address(page="/goals/export.csv")).text
    rows = list(csv.DictReader(io.StringIO(content.removeprefix("\ufeff"))))
    assert [row["detail"] for row in rows] == ["", f"'{evil}", f"''{evil}", "'plain"]
    assert {row["baseline_from"] for row in rows} == {"'@SUM(1)"}
    assert (rows[0]["baseline"], rows[0]["target"]) == ("-60.0", "-40.0"), "numbers stay numbers"
    assert goals_in(content.encode(), Path("g.csv")).goals == GoalBook(plant.book, plant.clock).file(WHOLE).goals


# ── baselines that are measured ─────────────────────────────────────────────────────────────────────────────────────


def test_a_measured_baseline_says_of_what_it_is(plant: Plant) -> None:
    kim = plant.browser("kim")
    days = {"base_from": "2026-09-07", "base_to": "2026-09-07"}
    tried = kim.get(address(PRESS, measure="Q-PDR", **days)).text
    assert "이 값을 기존값으로 제안" in tried
    assert not plant.book.read("SELECT * FROM goals"), "looking keeps nothing"
    fields = {"code": "Q-PDR", **days, "target": "1", "weight": "1", "baseline": "0.01", "note": "x"}
    assert do(kim, "measure", PRESS, **fields)[0] == 303
    (one,) = GoalBook(plant.book, plant.clock).history(Whose(COMPANY, "A", "L1", "PRS-01"))
    baseline = one.promise.baseline
    assert baseline is not None
    assert baseline.measured is not None
    assert baseline.value == 14 / 700 * 100, "what is stored, not what the browser said"
    assert (baseline.measured.samples, len(baseline.measured.digest)) == (700, 64)
    assert baseline.measured.indicative
    row = table(kim.get(address(PRESS)).text, "versions")["Q-PDR 1"]
    assert row[2].startswith("2.00 % 측정 2026-09-07 08:00 – 2026-09-08 08:00 KST, 표본 700, 수집률 33.4 % (참고치)")


def test_what_was_not_collected_is_no_baseline(plant: Plant) -> None:
    kim = plant.browser("kim")
    days = {"base_from": "2026-01-05", "base_to": "2026-01-09"}
    assert "이 값을 기존값으로 제안" not in kim.get(address(measure="P-OEE", **days)).text
    status, said = do(kim, "measure", code="P-OEE", **days, target="80", weight="1")
    assert (status, said) == (400, "그 기간에는 수집된 데이터가 없어 기준값을 낼 수 없습니다 (미수집).")
    for first, last in (("", ""), ("2026-09-08", "2026-09-07"), ("x", "y"), ("2099-01-01", "2099-01-02")):
        assert do(kim, "measure", code="P-OEE", base_from=first, base_to=last, target="1", weight="1")[0] == 400
    assert not plant.book.read("SELECT * FROM goals")


# ── the library and the database ────────────────────────────────────────────────────────────────────────────────────


def test_the_library_refuses_the_same() -> None:
    book = Book()
    goals = GoalBook(book, SetClock(NOW))
    first = Promise(code="P-OEE", baseline=Baseline(60.0, "일보"), target=80.0)
    one = goals.propose(WHOLE, first, "kim", nothing)
    with pytest.raises(AccessRefused, match="log in first"):
        goals.approve(one, "", nothing)
    goals.approve(one, "boss", nothing)
    with pytest.raises(AccessRefused, match="say why"):
        goals.propose(WHOLE, Promise(code="P-OEE", baseline=None, target=1.0), "kim", nothing)
    with pytest.raises(AccessRefused, match="like that already"):
        goals.propose(WHOLE, Promise(code="P-OEE", baseline=first.baseline, target=80.0, reason="x"), "kim", nothing)
    with pytest.raises(AccessRefused, match="worse than the baseline"):
        goals.propose(WHOLE, Promise(code="Q-PDR", baseline=Baseline(2.0, "일보"), target=3.0), "kim", nothing)
    assert [one.target for one in goals.held(WHOLE)] == [80.0]


REST = "baseline, how, note, start_ns, end_ns, samples, cover, query, digest, target, weight, dropped"
COLUMNS = f"company, site, line, machine, code, version, {REST}, reason, made_ns, made_by"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE goals SET target = 1",
        "DELETE FROM goals",
        "UPDATE goal_approvals SET approved_by = 'x'",
        "DELETE FROM goal_approvals",
        "INSERT OR REPLACE INTO goal_approvals VALUES (1, 1, 'x')",
        "INSERT OR REPLACE INTO goals (id, {columns}) SELECT id, {columns} FROM goals",
        "INSERT INTO goals ({columns}) SELECT {columns} FROM goals",
        "INSERT INTO goals ({columns}) SELECT company, site, line, machine, code, 2, {rest}, '', 0, '' FROM goals",
        "INSERT INTO goals ({columns}) SELECT company, site, line, machine, code, 5, {rest}, 'why', 0, '' FROM goals",
        "UPDATE programme_targets SET actual = 999",
        "DELETE FROM programme_targets",
        "INSERT OR REPLACE INTO programme_targets SELECT * FROM programme_targets",
        "UPDATE goal_caps SET cap = NULL",
        "DELETE FROM goal_caps",
        "INSERT OR REPLACE INTO goal_caps SELECT id, company, site, 120, reason, made_ns, made_by FROM goal_caps",
    ],
)
def test_the_database_refuses_the_same(statement: str) -> None:
    book = Book()
    goals = GoalBook(book, SetClock(NOW))
    made = goals.propose(WHOLE, Promise(code="P-OEE", baseline=None, target=80.0), "kim", nothing)
    goals.approve(made, "boss", nothing)
    goals.set_cap(COMPANY, "A", 100.0, "지침", "boss", nothing)
    Programmes(book, SetClock(NOW)).put("사업", Target(name="지원기업수", target=160, actual=260), "boss", nothing)
    tables = ("goals", "goal_approvals", "goal_caps", "programme_targets")
    before = [[tuple(row) for row in book.read(f"SELECT * FROM {table}")] for table in tables]  # noqa: S608 - ours
    with pytest.raises(sqlite3.IntegrityError), book.write() as cursor:
        cursor.execute(statement.format(columns=COLUMNS, rest=REST))
    after = [[tuple(row) for row in book.read(f"SELECT * FROM {table}")] for table in tables]  # noqa: S608 - ours
    assert after == before


WRITER = """
import sys
from pathlib import Path
from pipelines.clock import SystemClock
from viewer.access.audit import Audit
from viewer.book.book import Book
from viewer.goals.book import GoalBook
from viewer.goals.model import Promise, Whose
book, clock = Book(Path(sys.argv[1])), SystemClock()
goals, audit = GoalBook(book, clock), Audit(book, clock)
def note(action, target="", detail=""):
    audit.write("boss", "local", action, target, detail)
whose = Whose("C", "A")
n = len(goals.history(whose))
while True:
    n += 1
    one = goals.propose(whose, Promise(code="P-OEE", baseline=None, target=float(n), reason="why"), "kim", note)
    goals.approve(one, "boss", note)
    print(one.version, flush=True)
"""


def test_a_kill_at_any_time_leaves_the_book_sound(tmp_path: Path) -> None:
    """What was said to be approved is; every version and approval has its line in the audit log, and no more."""
    path, told = tmp_path / "viewer.db", [0]
    for life in range(6):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        told += [int(process.stdout.readline()) for _ in range(life + 1)]
        os.kill(process.pid, signal.SIGKILL)
        told += [int(line) for line in process.stdout.read().split()]
        process.wait()
        process.stdout.close()
        book = Book(path)
        assert book.read("PRAGMA integrity_check")[0][0] == "ok"
        history = GoalBook(book, SetClock(NOW)).history(Whose("C", "A"))
        assert [one.version for one in history] == list(range(1, len(history) + 1))
        approved = [one.version for one in history if one.official]
        assert max(approved) >= max(told)
        audit = Audit(book, SetClock(NOW))
        assert audit.broken() is None
        deeds = [one.action for one in audit.newest(10_000)]
        assert (deeds.count("goal_propose"), deeds.count("goal_approve")) == (len(history), len(approved))
        book.close()
