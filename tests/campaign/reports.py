"""LibreOffice opens each kind of workbook, and finds in it what was written: too big to install for every test run.

What it reads is asked of it as a workbook of its own: a file that it would have to repair, or a cell that it takes for
something else, would come back changed. Beside it the text of each PDF is read out and looked for, in both languages,
with data and without; behind that, what a report of a month of 8.8 million points costs.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import openpyxl
from pypdf import PdfReader

from tests.campaign import RESULTS
from tests.campaign.report_month import measured
from tests.viewer.reports.drawn import lacking_in_pdf, lacking_in_workbook, lacking_on_page, texts
from tests.viewer.reports.every import every
from viewer.reports.cell import LANGUAGES, Language
from viewer.reports.model import Report
from viewer.reports.pdf import pdf
from viewer.reports.xlsx import xlsx

Cells = dict[str, dict[str, Any]]
Row = dict[str, str | int]
HEAD: Final = """# Every kind of report, opened by LibreOffice and read out of its PDF

Each row is one report: `sheets` and `cells` that LibreOffice Calc {version} found in the workbook, how many came back
changed when it was asked to write what it had read, pages of the PDF, and how many of the report's texts (headings,
cells, formulas, remarks) cannot be read out of the PDF, are not on the page, or are not in the workbook as what they
are. `silent`: nothing was stored. Reproduce with `make campaign ARGS=reports`.

"""
MONTH: Final = """
A month of three machines with twenty tags each, read every 20 s, as `agent report kpi` makes a PDF of it from the
embedded store: {points:,} points, {cpu_s} s of CPU, {peak_mib} MiB at most.
"""


def main() -> bool:
    """Whether every report comes back as it went, and says everywhere the same."""
    office = shutil.which("soffice")
    if office is None:
        sys.exit("soffice is missing: sudo apt-get install --yes --no-install-recommends libreoffice-calc")
    made = [
        (kind, report, language, silent)
        for silent in (False, True)
        for language in LANGUAGES
        for kind, report in every(silent=silent).items()
    ]
    with tempfile.TemporaryDirectory(prefix="sf-reports-") as folder:
        ours = [Path(folder, f"{number:02d}.xlsx") for number in range(len(made))]
        for file, (_, report, language, _) in zip(ours, made, strict=True):
            file.write_bytes(xlsx(report, language))
        back = Path(folder, "back")
        profile = f"-env:UserInstallation=file://{folder}/profile"
        argv = [office, profile, "--headless", "--convert-to", "xlsx", "--outdir", str(back), *map(str, ours)]
        subprocess.run(argv, check=True, capture_output=True, timeout=600)
        rows = [row(cells(file), cells(back / file.name), *one) for file, one in zip(ours, made, strict=True)]
    with tempfile.TemporaryDirectory(prefix="sf-month-") as folder:
        month = measured(Path(folder))
    sys.stdout.write(f"a month: {json.dumps(month, ensure_ascii=False)}\n")
    said = subprocess.run([office, "--version"], check=True, capture_output=True, text=True, timeout=60).stdout
    page = HEAD.format(version=said.split()[1]) + table(rows) + MONTH.format(**month)
    (RESULTS / "reports.md").write_text(page, encoding="utf-8")
    return not any(one[what] for one in rows for what in ("changed", "not in PDF", "not on page", "not in workbook"))


def row(before: Cells, after: Cells, kind: str, report: Report, language: Language, silent: bool) -> Row:
    """What one report is like, whose workbook held other cells before LibreOffice read it than after."""
    wrong = differences(before, after)
    sys.stdout.writelines(f"  {kind}: {one}\n" for one in wrong[:20])
    found: Row = {
        "report": kind,
        "language": language,
        "data": "silent" if silent else "filled",
        "sheets": len(after),
        "cells": sum(len(one) for one in after.values()),
        "changed": len(wrong),
        "PDF pages": len(PdfReader(io.BytesIO(pdf(report, language))).pages),
        "texts": sum(1 for _ in texts(report, language)),
        "not in PDF": len(lacking_in_pdf(report, language)),
        "not on page": len(lacking_on_page(report, language)),
        "not in workbook": len(lacking_in_workbook(report, language)),
    }
    sys.stdout.write(json.dumps(found) + "\n")
    return found


def table(rows: list[Row]) -> str:
    """The rows as the page has them."""
    heads = list(rows[0])
    lines = [
        heads,
        [*["---"] * 3, *["--:"] * (len(heads) - 3)],
        *([str(cell) for cell in one.values()] for one in rows),
    ]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def cells(file: Path) -> Cells:
    """Each cell that holds anything, of each sheet."""
    book = openpyxl.load_workbook(file)
    return {
        sheet.title: {one.coordinate: one.value for row in sheet.iter_rows() for one in row if one.value is not None}
        for sheet in book
    }


def differences(ours: Cells, theirs: Cells) -> list[str]:
    """Sheets and cells that are not the same; floats may differ in their last digit."""
    if list(ours) != list(theirs):
        return [f"sheets: {list(ours)} came back as {list(theirs)}"]
    return [
        f"{sheet}!{place}: {value!r} came back as {theirs[sheet].get(place)!r}"
        for sheet, held in ours.items()
        for place, value in held.items()
        if not alike(value, theirs[sheet].get(place))
    ]


def alike(one: Any, other: Any) -> bool:
    """Whether two values of a cell are the same."""
    if isinstance(one, float) and isinstance(other, int | float):
        return abs(one - other) <= 1e-12 * max(1.0, abs(one))
    return bool(one == other)
