"""LibreOffice opens each workbook, and finds in it what was written: too big to install for every test run.

What it reads is asked of it as a workbook of its own: a file that it would have to repair, or a cell that it takes for
something else, would come back changed. Behind that, what a report of a month of 8.8 million points costs.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import openpyxl

from tests.campaign.report_month import measured
from tests.viewer.reports.shift import subject
from viewer.reports.kinds import KINDS
from viewer.reports.xlsx import xlsx

Cells = dict[str, dict[str, Any]]


def main() -> bool:
    """Whether every report comes back as it went."""
    office = shutil.which("soffice")
    if office is None:
        sys.exit("soffice is missing: sudo apt-get install --yes --no-install-recommends libreoffice-calc")
    same = True
    for make in KINDS.values():
        report = make(subject())
        with tempfile.TemporaryDirectory(prefix="sf-report-") as folder:
            ours, theirs = Path(folder, "ours.xlsx"), Path(folder, "back/ours.xlsx")
            ours.write_bytes(xlsx(report))
            profile = f"-env:UserInstallation=file://{folder}/profile"
            argv = [office, profile, "--headless", "--convert-to", "xlsx", "--outdir", str(theirs.parent), str(ours)]
            subprocess.run(argv, check=True, capture_output=True, timeout=180)
            wrong = differences(cells(ours), cells(theirs))
        sys.stdout.write(f"{report.title.ko}: {len(wrong)} cells came back changed\n")
        sys.stdout.writelines(f"  {one}\n" for one in wrong[:20])
        same = same and not wrong
    with tempfile.TemporaryDirectory(prefix="sf-month-") as folder:
        sys.stdout.write(f"a month: {json.dumps(measured(Path(folder)), ensure_ascii=False)}\n")
    return same


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
