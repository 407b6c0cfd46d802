"""One report in three drawings: the same numbers, Korean that can be read out, A4, page numbers, the same bytes."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

import openpyxl
import pytest
from pypdf import PdfReader

from tests.viewer.reports.drawn import cells, lacking_in_pdf, lacking_in_workbook, lacking_on_page
from tests.viewer.reports.every import every
from tests.viewer.reports.shift import HOUR, subject
from viewer.reports.cell import Language, rounded
from viewer.reports.kinds import kpi_report
from viewer.reports.page import page
from viewer.reports.pdf import pdf
from viewer.reports.xlsx import xlsx

POINTS_PER_MM = 72 / 25.4


@cache
def book() -> Any:
    return openpyxl.load_workbook(io.BytesIO(xlsx(kpi_report(subject()))))


@cache
def document(language: Language = "ko") -> PdfReader:
    return PdfReader(io.BytesIO(pdf(kpi_report(subject()), language)))


@cache
def text(language: Language = "ko") -> str:
    return " ".join(" ".join(one.extract_text() for one in document(language).pages).split())


def cell_beside(sheet: Any, heading: str, row_of: str) -> Any:
    """The cell under a heading, in the row that begins with or holds a text."""
    head = next(row for row in sheet.iter_rows() if any(one.value == heading for one in row))
    column = next(one.column for one in head if one.value == heading)
    row = next(
        row for row in sheet.iter_rows(min_row=head[0].row) if any(str(one.value).startswith(row_of) for one in row)
    )
    return sheet.cell(row[0].row, column)


def test_the_oracle_is_the_same_in_result_workbook_pdf_and_page() -> None:
    """0.5 x 686/440 = 77.9545… %: 77.95 % everywhere; (77.9545 − 60)/(85 − 60) = 71.82 %."""
    result = subject().whole.figures["P-OEE"]
    assert result.value is not None
    shown = f"{rounded(result.value, 2):.2f}%"
    assert shown == "77.95%"
    cell = cell_beside(book()["01_총괄"], "실적", "설비종합효율")
    assert (cell.value, cell.number_format) == (0.7795, "#,##0.00%")
    reached = cell_beside(book()["01_총괄"], "달성률", "설비종합효율")
    assert reached.value == 0.7182
    html = page(kpi_report(subject()))
    for words in (shown, "71.82%", "12,345.0", "700", "686"):
        assert words in text()
        assert words in html
    assert cell_beside(book()["06_에너지"], "전력사용량(kWh)", "전체").value == 12_345.0


@pytest.mark.parametrize("kind", every())
def test_every_kind_says_the_same_on_the_page_in_the_workbook_and_in_the_pdf(kind: str) -> None:
    """Each heading, cell and remark, and each number as a number; the PDF's can be read out."""
    report = every()[kind]
    assert [*cells(report)]
    assert lacking_in_pdf(report) == []
    assert lacking_on_page(report) == []
    assert lacking_in_workbook(report) == []


def test_korean_is_read_out_of_the_pdf() -> None:
    for words in (
        "스마트공장 핵심성과지표(KPI) 성과보고서",
        "데모기업 ㈜",
        "프레스 1호 & <시험>",
        "가용도 × 유효도 × 품질률",
        "미수집",
    ):
        assert words in text(), words


def test_pages_are_a4_and_numbered_and_lie_on_their_side_for_wide_tables_alone() -> None:
    pages = document().pages
    lying = []
    for number, one in enumerate(pages, 1):
        sides = (float(one.mediabox.width), float(one.mediabox.height))
        assert sorted(sides) == pytest.approx([210 * POINTS_PER_MM, 297 * POINTS_PER_MM], abs=0.5)
        text = one.extract_text()
        assert f"{number} / {len(pages)}" in text.replace("\u200b", "")  # where a path may break, "/" bears one
        lying += [title for title in ("KPI 총괄표", "목표 지표", "설비별 설비종합효율\n설비") if title in text] * (
            sides[0] > sides[1]
        )
    assert lying == ["KPI 총괄표", "설비별 설비종합효율\n설비"]


@pytest.mark.parametrize("kind", every())
def test_no_text_of_a_pdf_is_too_small_to_read(kind: str) -> None:
    """Of 8 points or more, but for what is written into pictures."""
    sizes = set[float]()

    def seen(text: str, _outer: list[float], matrix: list[float], _font: object, size: float) -> None:
        if text.strip():
            sizes.add(round(abs(size * matrix[3]), 1))

    for one in PdfReader(io.BytesIO(pdf(every()[kind]))).pages:
        one.extract_text(visitor_text=seen)
    assert min(sizes) >= 8.0
    assert max(sizes) == 17.0


def test_the_font_is_in_the_pdf_as_far_as_it_is_used() -> None:
    fonts = [font.get_object() for one in document().pages for font in one["/Resources"]["/Font"].values()]
    names = {str(font["/BaseFont"]) for font in fonts}
    assert all(re.match(r"/[A-Z]{6}\+NotoSansKR-Regular", name) for name in names), names
    assert len(pdf(kpi_report(subject()))) < 300_000


def test_sheets_print_on_a4_with_pages_and_headings() -> None:
    for sheet in book():
        assert (sheet.page_setup.paperSize, sheet.page_setup.orientation) == (9, "portrait")
        assert sheet.oddFooter.center.text.endswith("&P / &N")
        assert sheet.freeze_panes is not None
        assert sheet.print_title_rows
        assert (sheet.sheet_properties.pageSetUpPr.fitToPage, sheet.page_setup.fitToHeight) == (True, 0)
    history = book()["10_변경이력"]
    frozen = int(history.freeze_panes[1:])
    assert history.cell(frozen - 1, 1).value == "일자"


def test_the_same_data_gives_the_same_bytes() -> None:
    one, later = kpi_report(subject()), kpi_report(replace(subject(), generated_ns=subject().generated_ns + HOUR))
    for draw in (pdf, xlsx, page):
        assert draw(one) == draw(kpi_report(subject()))
        assert draw(one) != draw(later)
    made = document().metadata
    assert made is not None
    assert made.creation_date == datetime.fromisoformat("2026-09-08T08:00:00+09:00")
    with zipfile.ZipFile(io.BytesIO(xlsx(one))) as opened:
        assert b"2026-09-08T08:00:00Z" in opened.read("docProps/core.xml")


def test_without_samples_every_figure_is_a_word_in_all_drawings() -> None:
    report = kpi_report(subject(silent=True))
    opened = openpyxl.load_workbook(io.BytesIO(xlsx(report)))
    actual = cell_beside(opened["01_총괄"], "실적", "설비종합효율")
    assert actual.value == "미수집 (기간 내 표본 없음)"
    assert cell_beside(opened["01_총괄"], "달성률", "설비종합효율").value.startswith("미수집")
    said = " ".join(one.extract_text() for one in PdfReader(io.BytesIO(pdf(report))).pages)
    assert "설비종합효율 공식지표 % 각주 1 60.00% 85.00% 미수집 (기간 내 표본 없음) 미수집" in " ".join(said.split())
    assert page(report).count("미수집") > 40


def test_what_a_device_says_is_no_markup() -> None:
    html = page(kpi_report(subject()))
    assert "프레스 1호 &amp; &lt;시험&gt;" in html
    assert "<시험>" not in html
    assert not re.search(r"(src|href)=|<script|url\(", html)


def test_no_text_is_a_formula_or_a_link_in_the_workbook() -> None:
    """Not in merged cells either, which the library writes in a way of its own."""
    evil = '=HYPERLINK("http://evil.example","click")'
    for company in (evil, "http://evil.example"):
        opened = openpyxl.load_workbook(io.BytesIO(xlsx(kpi_report(replace(subject(), company=company)))))
        cells = [one for sheet in opened for row in sheet.iter_rows() for one in row if one.value == company]
        assert cells
        assert {one.data_type for sheet in opened for row in sheet.iter_rows() for one in row} <= {"s", "n", "d"}
        assert not any(one.hyperlink for one in cells)


def test_in_english() -> None:
    assert "Smart factory key figures" in text("en")
    assert "Overall equipment effectiveness" in text("en")
    assert "77.95%" in text("en")
