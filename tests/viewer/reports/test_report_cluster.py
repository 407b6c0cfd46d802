"""클러스터 월보 and 사후관리 점검표: what they say is what is stored, and what they hide or leave empty stays so."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from tests.viewer.reports.every import FIVE, GUMI, NOW, POHANG, company, member, month
from tests.viewer.reports.shift import HOUR, T0, subject
from tests.viewer.reports.test_report_records import facts, tables
from viewer.access.use import Use
from viewer.book.facts import Facts
from viewer.reports.cell import figure_cell, shown
from viewer.reports.groups import GROUPINGS
from viewer.reports.kinds import aftercare_report
from viewer.reports.model import Report
from viewer.reports.page import page


def test_five_companies_are_compared() -> None:
    """Rates of 97.5 % each; the median of 50, 60, 70, 80 and 95 is 70; 10 alarms of five are 2 each; 5 of 10 goals."""
    (row, *rest) = tables(month(FIVE))["시·군별 비교"]
    assert row == ["포항시", "5", "5", "5", "97.5 % (n=5)", "70.0 % (n=5)", "5/10 (50.0%)", "2.0 건"]
    assert rest == []
    lines = tables(month(FIVE))["기업별"]
    assert [one[1] for one in lines] == [one.company.name for one in FIVE]
    assert lines[4][5:] == ["정상", "97.50%", "95.00%", "1/2", "83.33%", "4", "1", "0"]


def test_fewer_than_five_are_hidden_and_cannot_be_worked_out() -> None:
    """Also where five are in a group and one of them has no value; two sites of a company are one company."""
    twice = [*FIVE[:4], replace(FIVE[3], company=company("가3", "2공장", NOW))]
    for members in (FIVE[:4], twice):
        (row,) = tables(month(members))["시·군별 비교"]
        assert (row[0], row[1]) == ("포항시", "4")
        assert {*row[2:]} == {"비공개"}
    rows = tables(month([*FIVE, member("나", GUMI, 99.0), member("다", None, 1.0)]))["시·군별 비교"]
    assert [one[0] for one in rows] == ["구미시", "포항시", "구분 없음"], "no total, by which 구미시 could be known"
    silent = tables(month([*FIVE[:4], member("가4", POHANG, None)]))["시·군별 비교"][0]
    assert (silent[1], silent[5], silent[7]) == ("5", "비공개", "비공개")
    few = [member("나", GUMI, 99.0), *(member(name, GUMI, None) for name in "다라마바")]
    rows = tables(month([*FIVE, *few]))["시·군별 비교"]
    assert [(one[0], one[1], one[5]) for one in rows] == [("구미시", "5", "비공개"), ("포항시", "5", "70.0 % (n=5)")]
    others = [replace(one, group=GUMI, company=replace(one.company, name=f"나{one.company.name}")) for one in FIVE]
    both = tables(month([*FIVE, *others]))["시·군별 비교"]
    assert [one[0] for one in both] == ["구미시", "포항시", "전체"]
    assert both[2][5] == "70.0 % (n=10)"


def test_what_is_handed_out_names_no_company() -> None:
    report = month(FIVE, lines=False)
    assert [one.sheet for one in report.sections] == ["01_비교"]
    assert not any(one.company.name in page(report) for one in FIVE)
    assert "2공장" not in page(report)


def test_groups_are_what_somebody_entered() -> None:
    of = Facts("가", town="포항시", ksic="C25924", programme="정부일반형", cluster="자동차부품")
    said = [str(one.of(of)) for one in GROUPINGS.values()]
    for text, word in zip(said, ("자동차부품", "포항시", "25 금속가공제품", "정부일반형"), strict=True):
        assert text.startswith(f"Text(ko='{word}"), text
    assert {one.of(Facts("가")) for one in GROUPINGS.values()} == {None}


# ── 사후관리 점검표 ──────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def check() -> Report:
    return aftercare_report(replace(subject(), use=Use(3, (T0, T0 + HOUR))))


def evidence(report: Report) -> dict[str, str]:
    return {row[2]: row[3] for row in tables(report)["저장된 근거로 확인"]}


def test_evidence_is_what_the_other_reports_say() -> None:
    """The shift of domain.md §10: 90 % collected, OEE 77.95 % of a target of 85 %."""
    found = evidence(check())
    assert found["수집률"] == shown(figure_cell(subject().whole.figures["DQ-RATE"])) == "90.00%"
    assert found["설비종합효율"] == "기존 60.00% → 목표 85.00% → 실적 77.95%, 달성률 71.82%"
    assert found["납기준수율"] == "미수집"
    assert found["기업 담당자가 화면을 쓴 날"] == "1일, 담당자 3명"
    assert found["확인된 경보"] == "1건 중 1건"
    assert found["경보 발생"] == "1건 (긴급 1건)"
    assert found["평균수리시간"] == "30.0 min"
    assert found["사유가 없는 비가동"] == "64.29%", "45 of 70 minutes: the mould change has one"
    assert found["기록된 수집 공백"] == "1건, 원인별 합 0.8 h"


def test_what_nobody_stored_is_written_by_hand() -> None:
    """No verdict, no finding, no date and no name is there before somebody writes it."""
    for report in (check(), aftercare_report(subject(silent=True))):
        found = tables(report)
        assert {row[3] for row in found["현장에서 확인"]} == {""}
        assert {row[5] for name in ("현장에서 확인", "저장된 근거로 확인") for row in found[name]} == {""}
        assert {row[4] for row in found["저장된 근거로 확인"]} == {"□ 적합  □ 미흡  □ 해당없음"}
        assert {"".join(row[1:]) for row in found["조치 사항"]} == {""}
        assert [facts(report)[name] for name in ("점검일", "점검자 (소속)", "의견")] == ["", "", ""]
    silent = evidence(aftercare_report(subject(silent=True)))
    assert [name for name, text in silent.items() if text != "미수집"] == [
        "기간에 데이터가 온 설비", "수집된 태그", "기록된 수집 공백", "가장 긴 수집 공백의 원인",
    ]  # fmt: skip
