"""Safety, critical control points, batteries and programmes: what their reports say, and what they do not claim."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import date

import openpyxl
import pytest
from pydantic import ValidationError

from pipelines.derive.calibration import Calibrated
from tests.viewer.reports.every import company
from tests.viewer.reports.shift import HOUR, MINUTE, PRESS, SHIFT, T0, subject
from viewer.kpi.words import Text
from viewer.reports.cell import Missing, Number, Words, shown
from viewer.reports.episodes import episodes
from viewer.reports.kinds import battery_report, ccp_report, safety_report
from viewer.reports.model import Facts, Paragraph, Report, Table
from viewer.reports.pdf import pdf
from viewer.reports.programme import ProgrammeFile, Target, programme_report
from viewer.reports.records import Calibration
from viewer.reports.subject import AlarmEvent
from viewer.reports.xlsx import xlsx
from viewer.safety.log import Break


def tables(report: Report) -> dict[str, list[list[str]]]:
    blocks = [block for section in report.sections for block in section.blocks]
    return {
        one.title.ko: [[shown(cell) for cell in row] for row in one.rows] for one in blocks if isinstance(one, Table)
    }


def facts(report: Report) -> dict[str, str]:
    blocks = [block for section in report.sections for block in section.blocks if isinstance(block, Facts)]
    return {name.ko: shown(value) for block in blocks for name, value in block.rows}


def change(minute: float, event: str, *, name: str = "a", comment: str = "") -> AlarmEvent:
    at = T0 + round(minute * MINUTE)
    return AlarmEvent(
        time_ns=at, machine=PRESS, name=name, priority="urgent", event=event, message=name, comment=comment
    )


def test_episodes_of_alarms_that_overlap() -> None:
    found = episodes(
        [
            change(0, "raised"),
            change(1, "raised", name="b"),
            change(2, "cleared"),
            change(5, "raised"),
            change(6, "acknowledged", comment="둘 다 확인"),
            change(9, "cleared"),
            change(20, "acknowledged"),
            change(30, "cleared", name="c"),
        ]
    )
    assert [(one.raised.name, one.response_min, one.lasted_min, one.comment) for one in found] == [
        ("a", 6.0, 2.0, "둘 다 확인"),
        ("b", None, None, ""),
        ("a", 1.0, 4.0, "둘 다 확인"),
    ]


def test_the_month_of_safety() -> None:
    """Raised at minute 1, acknowledged at minute 3: 2 min; three of 480 windows above 35."""
    report = safety_report(subject())
    assert isinstance(report.sections[0].blocks[0], Paragraph)
    assert report.sections[0].blocks[0].warning
    assert "감시 보조" in report.sections[0].blocks[0].text.ko
    said = facts(report)
    assert (said["평균 대응시간"], said["최장 대응시간"]) == ("2.0 min", "2.0 min")
    assert (said["기록 사슬"], said["마지막 해시"]) == ("7–10번, 4건", "ef" * 32)
    assert said["사슬 검증"] == "이상 없음 (저장된 기록 사이)"
    exposure = tables(report)["노출 (TWA·STEL)"][0]
    assert exposure[1:] == ["NH3", "12.35", "25.00", "36.50", "35.00", "480", "3", "98.50%"]
    assert tables(report)["발생과 조치"][0][2:] == [
        "베어링 과열",
        "긴급",
        "81.26",
        "기간 끝까지 지속",
        "2.0",
        "냉각수 확인",
    ]
    assert [row[1] for row in tables(report)["관리 기준"]] == ["베어링 과열"]
    quiet = replace(subject(), alarms=())
    assert facts(safety_report(quiet))["대응시간"] == "기간 내 발생 없음"
    assert facts(safety_report(replace(quiet, sources=())))["대응시간"] == "미수집"


def test_the_month_of_safety_says_what_is_due_and_where_the_log_breaks() -> None:
    late = Calibration(
        machine=PRESS,
        every_days=180,
        last=date(2026, 1, 1),
        due=date(2026, 6, 30),
        certificate="K-1",
        stands=Calibrated.OVERDUE,
    )
    broken = replace(subject().chain, breaks=((Break.MISSING, 9),))
    report = safety_report(replace(subject(), calibrations=(late,), chain=broken))
    assert tables(report)["감지기 교정 기한"] == [[PRESS.ko, "180", "2026-01-01", "2026-06-30", "기한 지남", "K-1"]]
    assert facts(report)["사슬 검증"] == "끊김: 9번 앞의 기록 없음"


def test_safety_of_a_month_without_data_claims_nothing() -> None:
    report = safety_report(subject(silent=True))
    blocks = [one for one in report.sections[0].blocks if isinstance(one, Table)]
    assert not any(isinstance(cell, Number) and cell.value > 0 for cell in blocks[0].rows[0])
    assert isinstance(dict(_cells(report))["안전경보 건수"], Missing)


def _cells(report: Report) -> list[tuple[str, object]]:
    blocks = [block for section in report.sections for block in section.blocks if isinstance(block, Facts)]
    return [(name.ko, value) for block in blocks for name, value in block.rows]


def test_the_record_of_critical_control_points() -> None:
    came = replace(change(10, "raised", name="ccp_boil"), ccp=True, message="CCP-1B 가열 온도 이탈", value=93.6)
    noted = replace(change(14, "acknowledged", name="ccp_boil", comment="재가열 10분"), ccp=True)
    gone = replace(change(12, "cleared", name="ccp_boil"), ccp=True)
    report = ccp_report(replace(subject(), alarms=(*subject().alarms, came, noted, gone)))
    assert facts(report)["CCP 이탈 건수"] == "1 건"
    assert facts(report)["개선조치 미기록"] == "0 건"
    assert tables(report)["발생과 조치"] == [
        ["2026-09-07 08:10:00", PRESS.ko, "CCP-1B 가열 온도 이탈", "긴급", "93.60", "2.0", "4.0", "재가열 10분"]
    ]
    assert tables(report)["관리 기준"] == [[PRESS.ko, "CCP-1B 가열 온도 이탈", "product_t < 95", "제품 보류"]]
    assert facts(ccp_report(subject(silent=True)))["CCP 이탈 건수"] == "미수집"


def test_the_results_of_battery_tests() -> None:
    """The oracle: 48.6 Ah of 60 Ah = 81.0 %, 1.5 mΩ, and ΔV 85 mV holds it back whatever its health."""
    report = battery_report(subject())
    row = tables(report)["검사 결과"][0]
    assert row[0] == "EV26-0001"
    assert row[4:9] == ["48.60", "81.0%", "1.50", "85", "보류"]
    assert row[9] == "ΔV 85 mV > 50 mV · 기준 미확인 (unverified)"
    assert (facts(report)["충방전 효율"], facts(report)["방전 에너지"]) == ("98.5%", "미수집")
    assert tables(battery_report(subject(silent=True)))["검사 결과"] == []


@pytest.mark.parametrize("make", [safety_report, ccp_report, battery_report])
def test_they_are_drawn_like_every_report(make: object) -> None:
    assert callable(make)
    for one in (subject(), subject(silent=True)):
        report = make(one)
        book = openpyxl.load_workbook(io.BytesIO(xlsx(report)))
        assert book.sheetnames == [section.sheet for section in report.sections]
        assert pdf(report) == pdf(make(one))


def test_a_programme_against_its_targets() -> None:
    """260/160 = 162.5 %, 903/846 = 106.7 %; a company of two sites is one; one heard of two days ago is not active."""
    file = ProgrammeFile(
        name="경북 스마트공장 2026",
        targets=(
            Target(name="지원기업수", unit="개사", target=160, actual=260, source="결과보고", as_of=date(2026, 9, 1)),
            Target(name="고용", unit="명", target=846, actual=903),
            Target(name="연결기업수", target=3, measure="connected"),
            Target(name="활성기업수", target=3, measure="active"),
            Target(name="매출", target=120),
        ),
    )
    now = T0 + 48 * HOUR
    known = (
        company("가", "A", now - MINUTE),
        company("가", "B", None),
        company("나", "A", T0 - HOUR),
        company("다", "A", None),
    )
    report = programme_report(file, known, SHIFT, now)
    rows = tables(report)["지표별 목표 대비"]
    assert [row[3:5] for row in rows] == [
        ["260", "162.5%"],
        ["903", "106.7%"],
        ["2", "66.7%"],
        ["1", "33.3%"],
        ["미수집", "미수집"],
    ]
    table = next(one for one in report.sections[0].blocks if isinstance(one, Table))
    badges = [cell.badges for row in table.rows for cell in row[3:4] if isinstance(cell, Number)]
    assert [[one.ko for one in some] for some in badges] == [["수기"], ["수기"], [], []]
    assert [row[5] for row in tables(report)["연결 현황"]] == ["지연", "미수집", "미수집", "미수집"]
    assert table.notes == (Text("목표대비 = 실적 / 목표 × 100", "of the target = actual / target × 100"),)
    assert isinstance(table.rows[0][0], Words)


def test_a_line_of_a_programme_is_entered_or_counted() -> None:
    with pytest.raises(ValidationError, match="leave one out"):
        Target(name="연결기업수", target=3, actual=2, measure="connected")
