"""Every fault test of the connectors at full size; figures in docs/results/connectors.md and its lines of JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.campaign import FIGURES_VARIABLE, RESULTS

FAULTS = Path(__file__).parents[1] / "faults"
ROOT = FAULTS.parents[1]
HEAD = """# Faults of devices and lines

Each row is a figure that a test of `tests/faults/` measured at full size against a real server, on one machine with two
cores that did other work beside it. `make test` runs the same tests smaller. Reproduce all with
`make campaign ARGS=connectors`, one with `SHOPFLOOR_FIGURES=figures.jsonl .venv/bin/python -m pytest -n 0 TEST`.

| fault | figure | asked | measured | test |
|--:|---|---|---|---|
"""


def main() -> bool:
    """Run and write the table; whether every promise held."""
    with tempfile.TemporaryDirectory(prefix="sf-figures-") as folder:
        path = Path(folder) / "figures.jsonl"
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-n", "0", str(FAULTS)],
            cwd=ROOT,
            env={**os.environ, FIGURES_VARIABLE: str(path)},
            check=False,
        )
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    rows.sort(key=lambda row: (row["fault"] or 0, row["test"], row["figure"]))
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "connectors.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    (RESULTS / "connectors.md").write_text(HEAD + "".join(map(_line, rows)))
    return ran.returncode == 0


def _line(row: dict[str, Any]) -> str:
    test = row["test"].removeprefix("tests/faults/")
    cells = (row["fault"] or "", row["figure"], row["asked"], row["measured"], f"`{test}`")
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |\n"
