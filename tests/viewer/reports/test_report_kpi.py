"""What the report of key figures says: its ten sheets, the columns that are asked for, and honesty about what lacks."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.viewer.reports.shift import PRESS, SILENT, figures, inputs, seen, subject
from viewer.kpi.catalog import CATALOG
from viewer.kpi.goal import Goal
from viewer.kpi.result import missing
from viewer.reports.cell import Missing, Number, Words, shown
from viewer.reports.kinds import collection_report, kpi_report, monthly_report
from viewer.reports.model import Bars, Facts, Report, Table

SHEETS = "01_총괄 02_KPI상세 03_OEE 04_비가동 05_불량 06_에너지 07_경보 08_데이터품질 09_원천요약 10_변경이력"
COLUMNS = (
    "구분|핵심성과지표|단위|산출식|기존|목표|실적|개선율|달성률|가중치|가중점수|"
    "측정기간|측정방법/데이터 출처|수집률|증빙"
)


def table(report: Report, sheet: str, title: str) -> Table:
    section = next(one for one in report.sections if one.sheet == sheet)
    return next(one for one in section.blocks if isinstance(one, Table) and one.title.ko == title)


def said(one: Table) -> list[list[str]]:
    return [[shown(cell) for cell in row] for row in one.rows]


def test_the_sheets_and_columns_that_are_handed_in() -> None:
    report = kpi_report(subject())
    assert " ".join(one.sheet for one in report.sections) == SHEETS
    assert "|".join(one.head.ko for one in table(report, "01_총괄", "KPI 총괄표").columns) == COLUMNS


def test_a_target_against_its_actual() -> None:
    """Q-PDR: 14/700 = 2.00 %; (4 − 2)/4 = 50 %; (4 − 2)/(4 − 1) = 66.67 %; weights 0.5 and 0.3 of 0.8."""
    summary = table(kpi_report(subject()), "01_총괄", "KPI 총괄표")
    row = said(summary)[1]
    assert row[:3] == ["Q 품질", "공정불량률", "%"]
    assert row[4:11] == ["4.00%", "1.00%", "2.00%", "50.00%", "66.67%", "0.30", "25.00"]
    assert row[13] == "100.00%"
    assert row[14] == "08, 09 시트"
    note = summary.rows[1][3]
    assert isinstance(note, Words)
    assert note.note == 2
    assert summary.notes[1].ko == "공정불량률: 불량수량 / 생산수량 × 100"


def test_a_figure_without_data_is_left_out_and_the_weights_are_shown() -> None:
    summary = table(kpi_report(subject()), "01_총괄", "KPI 총괄표")
    row = summary.rows[2]
    assert [isinstance(cell, Missing) for cell in row[6:11]] == [True, True, True, False, True]
    assert summary.notes[-1].ko == "재배분 가중치: 설비종합효율 62.5%, 공정불량률 37.5%"


def test_figures_of_the_site_without_a_target_stand_below() -> None:
    of = replace(subject(), kpis=("P-OEE", "P-UTIL", "D-O2S"))
    summary = table(kpi_report(of), "01_총괄", "KPI 총괄표")
    rows = said(summary)
    assert [row[1] for row in rows] == ["설비종합효율", "공정불량률", "납기준수율", "설비가동률", "수주출하 리드타임"]
    assert rows[3][4:11] == ["—", "—", "84.09%", "—", "—", "—", "—"]
    assert rows[4][6] == "미수집"
    without = kpi_report(replace(of, goals=()))
    assert [row[6] for row in said(table(without, "01_총괄", "KPI 총괄표"))] == ["77.95%", "84.09%", "미수집"]
    assert not any("달성률" in one.ko for one in table(without, "01_총괄", "KPI 총괄표").notes)


def test_official_is_what_was_approved() -> None:
    names = [row[1] for row in table(kpi_report(subject()), "01_총괄", "KPI 총괄표").rows]
    badges = [one.badges[0].ko for one in names if isinstance(one, Words)]
    assert badges == ["공식지표", "운영지표", "운영지표"]


def test_the_first_sheet_says_what_it_is_made_of_and_how_that_is_asked_for_again() -> None:
    of = subject()
    cover = next(one for one in kpi_report(of).sections[0].blocks if isinstance(one, Facts))
    found = {name.ko: shown(cell) for name, cell in cover.rows}
    assert (found["원천 데이터 해시"], found["쿼리 1"]) == (of.digest, of.queries[0])


def test_where_a_baseline_is_from_stands_below_the_figures() -> None:
    origins = said(table(kpi_report(subject()), "01_총괄", "기존값 근거와 승인"))
    assert origins[0] == ["설비종합효율", "60.00%", "85.00%", "2", "2026-09-01", "이기사", "작업일보 2026-08"]
    assert origins[1] == ["공정불량률", "4.00%", "1.00%", "1", "승인 전", "—", "기재 없음"]


def test_what_is_indicative_is_called_neither_official_nor_operational() -> None:
    base = subject()
    figure = base.whole.figures["P-OEE"]
    poor = replace(figure, evidence=replace(figure.evidence, cover=94.9))
    whole = replace(base.whole, figures={**base.whole.figures, "P-OEE": poor})
    row = table(kpi_report(replace(base, whole=whole)), "01_총괄", "KPI 총괄표").rows[0]
    assert [badge.ko for cell in row if isinstance(cell, Number | Words) for badge in cell.badges] == ["참고치"]


def test_the_time_beside_a_factor_is_what_it_was_divided_by() -> None:
    """370 min ran, 15 stood in minor stops, of 440: 370/440 = 84.09 % (ISO), 385/440 = 87.50 % (TPM)."""
    for profile, running, first in (("iso22400", "6.17", "84.09%"), ("tpm_kr", "6.42", "87.50%")):
        of = inputs(profile)
        press = replace(subject().machines[0], figures=figures(of))
        report = kpi_report(replace(subject(), profile=profile, machines=(press,)))
        assert said(table(report, "03_OEE", "설비별 설비종합효율"))[0][1:4] == ["7.33", running, first]


def test_downtime_by_kind_and_by_reason() -> None:
    report = kpi_report(subject())
    kinds = said(table(report, "04_비가동", "비가동 구분별 시간 (Pareto)"))
    assert kinds == [
        ["고장", "0.50", "42.86%", "1", "100.00%"],
        ["준비교체", "0.42", "35.71%", "1", "0.00%"],
        ["순간정지", "0.25", "21.43%", "1", "100.00%"],
    ]
    assert said(table(report, "04_비가동", "사유별 비가동"))[0] == ["사유 미입력", "0.75", "2"]
    longest = said(table(report, "04_비가동", "긴 비가동 순"))[0]
    assert longest[:5] == [PRESS.ko, "고장", "2026-09-07 11:20:00", "2026-09-07 11:50:00", "30.0"]


def test_machines_of_which_nothing_came_have_no_numbers() -> None:
    for sheet, title in (
        ("03_OEE", "설비별 설비종합효율"),
        ("05_불량", "설비별 불량"),
        ("06_에너지", "설비별 에너지·온실가스"),
    ):
        row = table(kpi_report(subject()), sheet, title).rows[1]
        assert not any(isinstance(cell, Number) for cell in row[1:-1]), sheet


def test_a_day_without_data_is_no_bar() -> None:
    section = next(one for one in kpi_report(subject()).sections if one.sheet == "02_KPI상세")
    bars = next(one for one in section.blocks if isinstance(one, Bars))
    values = [value for _, value in bars.bars]
    assert values[0] is not None
    assert (values[0].value, values[1]) == (77.95, None)


def test_a_change_is_told() -> None:
    assert said(table(kpi_report(subject()), "10_변경이력", "기준값·목표·가중치 변경 이력"))[0] == [
        "2026-09-01",
        "설비종합효율",
        "2",
        "목표 80 → 85",
        "이기사",
    ]


def test_the_other_reports_are_made_of_the_same_chapters() -> None:
    assert [one.sheet for one in monthly_report(subject()).sections][:2] == ["01_OEE", "02_비가동"]
    status = collection_report(subject())
    assert [one.sheet for one in status.sections] == ["01_데이터품질", "02_원천요약"]
    row = said(table(status, "01_데이터품질", "태그별 수집 현황"))[0]
    assert row[1:10] == ["shot", "생산수량", "HR 40001", "EA", "1.0", "25,920", "12", "1", "90.00%"]


def test_where_nothing_came_is_in_both_reports_of_how_well_was_collected() -> None:
    """Eight hours of a machine of which nothing came; of more than thirty such stretches the others are summed up."""
    of = subject()
    row = [SILENT.ko, "2026-09-07 08:00:00", "2026-09-07 16:00:00", "8.00"]
    assert said(table(kpi_report(of), "08_데이터품질", "무수신 구간")) == [row]
    assert said(table(collection_report(of), "01_데이터품질", "무수신 구간")) == [row]
    many = table(kpi_report(replace(of, silences=of.silences * 32)), "08_데이터품질", "무수신 구간")
    assert len(many.rows) == 30
    assert many.notes[-1].ko.endswith("그 밖의 2건은 모두 16.00 h")
    going_on = replace(of, silences=(replace(of.silences[0], lasts=True),))
    assert said(table(kpi_report(going_on), "08_데이터품질", "무수신 구간"))[0][2] == "지금까지"


@given(st.sampled_from(sorted(CATALOG)), st.floats(-1e6, 1e6) | st.none())
def test_no_value_of_a_report_without_samples(code: str, value: float | None) -> None:
    base = subject(silent=True)
    result = missing(code, base.whole.figures[code].evidence) if value is None else seen(value, code)
    whole = replace(base.whole, figures={code: result})
    goal = Goal(code=code, baseline=2.0, target=3.0 if CATALOG[code].better == "up" else 1.0)
    report = kpi_report(replace(base, whole=whole, goals=(goal,)))
    row = table(report, "01_총괄", "KPI 총괄표").rows[0]
    assert isinstance(row[6], Missing if value is None else Number)
    assert isinstance(row[8], Missing if value is None else Number)
