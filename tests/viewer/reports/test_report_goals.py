"""Goals from files: which version holds on a day, what is refused and how."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from pipelines.errors import ConfigError
from viewer.reports.goals_file import read_goals

YAML = """
project: {과제번호: "2021_00381"}
cap: 100
goals:
  - {code: P-OEE, baseline: 60, target: 80, weight: 0.5, version: 1, approved_on: 2026-03-02, approved_by: 이기사}
  - {code: P-OEE, baseline: 60, target: 85, weight: 0.5, version: 2, approved_on: 2026-09-01, approved_by: 이기사,
     baseline_from: 작업일보, detail: 설비 증설}
  - {code: Q-PDR, target: 1, version: 1}
  - {code: Q-PDR, baseline: 4, target: 1, version: 2}
"""


def write(folder: Path, text: str, name: str = "goals.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("day", "target", "official"),
    [(date(2026, 2, 1), 80, False), (date(2026, 5, 1), 80, True), (date(2026, 9, 1), 85, True)],
)
def test_the_version_that_was_approved_by_then(tmp_path: Path, day: date, target: float, official: bool) -> None:
    held = {one.code: one for one in read_goals(write(tmp_path, YAML)).on(day)}
    assert (held["P-OEE"].target, held["P-OEE"].official) == (target, official)
    assert held["P-OEE"].baseline_from == ("작업일보" if target == 85 else "")
    assert (held["Q-PDR"].version, held["Q-PDR"].official) == (2, False)


def test_every_version_is_in_the_history(tmp_path: Path) -> None:
    changes = read_goals(write(tmp_path, YAML)).changes()
    assert [(one.what.ko, one.version) for one in changes] == [
        ("설비종합효율", 1),
        ("설비종합효율", 2),
        ("공정불량률", 1),
        ("공정불량률", 2),
    ]
    assert changes[1].detail.ko == "기존 60 (작업일보) → 목표 85, 가중치 0.5 · 설비 증설"
    assert changes[2].when is None


def test_a_spreadsheet_saved_as_csv(tmp_path: Path) -> None:
    head = "\ufeffcode,baseline,target,weight,approved_on,approved_by"
    text = f"{head}\nP-LT,1320,1080,0.5,2026-03-02,이기사\nD-O2S,,1200,0.5,,\n"
    first, second = read_goals(write(tmp_path, text, "goals.csv")).on(date(2026, 6, 1))
    assert (first.baseline, first.target, first.approved_by) == (1320, 1080, "이기사")
    assert (second.baseline, second.official) == (None, False)


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("goals: [{code: P-XX, target: 1}]", "g.yaml", "P-XX is no figure of the catalogue; docs/kpi.md lists them"),
        ("goals: [{code: P-OEE}]", "g.yaml", "goals.0.target: Field required"),
        (
            "goals: [{code: P-OEE, target: 1}, {code: P-OEE, target: 2}]",
            "g.yaml",
            "has version 1 twice; count each change on",
        ),
        ("code,target\nP-OEE,many\n", "g.csv", "goals.0.target: "),
        ("goals: [", "g.yaml", "is no file of goals"),
        (
            "code,target\nP-UPH,130\nP-UTIL,154\n",
            "g.csv",
            "P-UTIL (version 1) is a share: its target is from 0 to 100 %, not 154",
        ),
        ("project: {과제번호: 2021_00381}", "g.yaml", "과제번호: put its value in quotes, it was read as 202100381"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, name: str, said: str) -> None:
    path = write(tmp_path, text, name)
    with pytest.raises(ConfigError) as refused:
        read_goals(path)
    assert str(refused.value).startswith(str(path))
    assert said in str(refused.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for name in ("no.yaml", "no.csv"):
        with pytest.raises(ConfigError, match="cannot be read"):
            read_goals(tmp_path / name)
