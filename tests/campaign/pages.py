"""Every page of all lines, in both languages, seen, read and tabbed through: docs/results/pages.md."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.viewer.test_browser import chrome
from tests.walk.book import BUYER, MANAGER
from tests.walk.factories import COMPANIES
from tests.walk.walk import Report, served, walk

RESULTS: Final = Path(__file__).parents[2] / "docs/results/pages.md"
SECONDS: Final = 7200
"""Of each line."""
_ASKED: Final = """# Every page, looked at

`make campaign ARGS=pages` plays {hours:g} hours of each simulated line with its own faults into one store, logs in
as TP manager and as an ordering company, and opens every address that the routes know, in Korean and in English.
Of each page is asked: the console says nothing; nobody but this server is asked for anything; every figure with a
period is the KPI library's for the same store, with the same samples and collection rate; axe-core finds no broken rule
of WCAG 2.2 A and AA, nor of its good practice, in light and dark; the tabulator key reaches every control in order
and shows where it is.

| who | lines | {names} | wrong (asked: 0) |
|---|--:|{rules}--:|
"""


def main(words: Sequence[str] = ()) -> bool:
    """Whether nothing was wrong; lines are those named, or all."""
    lines = list(words) or list(COMPANIES)
    with TemporaryDirectory(prefix="sf-walk-") as folder, served(lines, SECONDS, Path(folder)) as place:
        reports = {}
        for name in (MANAGER, BUYER):
            with chrome(Path(folder) / name) as browser:
                reports[name] = walk(browser, place, name)
            sys.stdout.writelines(f"{one}\n" for one in reports[name].wrong)
            sys.stdout.write(f"{name}: {dict(reports[name].looked)}, {len(reports[name].wrong)} wrong\n")
    if not words:
        RESULTS.write_text(_page(reports), encoding="utf-8")
    return not any(one.wrong for one in reports.values())


def _page(reports: dict[str, Report]) -> str:
    names = list(dict.fromkeys(name for one in reports.values() for name in one.looked))
    head = _ASKED.format(hours=SECONDS / 3600, names=" | ".join(names), rules="--:|" * len(names))
    rows = (
        f"| {who} | {len(COMPANIES)} | {' | '.join(f'{one.looked[name]:,}' for name in names)} | {len(one.wrong)} |\n"
        for who, one in reports.items()
    )
    return head + "".join(rows)
