"""Every fault test of a folder at full size; figures in a table under docs/results/ and its lines of JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.campaign import FIGURES_VARIABLE, RESULTS, promises

FAULTS: Final = Path(__file__).parents[1] / "faults"
ROOT: Final = FAULTS.parents[1]
HEAD: Final = """# {title}

Each row is a figure that a test of `tests/faults/{folder}/` measured at full size against real servers, on one machine
with two cores that did other work beside it. `make test` runs the same tests smaller. Reproduce all with
`make campaign ARGS={name}`, the rows of some tests with `make campaign ARGS="{name} -k NAME"`.
All of it at random for two hours, fault 40, is [agent soak](soak.md).

| fault | figure | asked | measured | test |
|--:|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Faults:
    """The fault tests of one folder.

    Attributes:
        name: of the campaign and its files under docs/results/.
        folder: under tests/faults/.
        title: of the table.
    """

    name: str
    folder: str
    title: str

    def run(self, chosen: Sequence[str] = ()) -> bool:
        """Run them and write the table; whether every promise held.

        Args:
            chosen: further arguments of pytest, such as `-k NAME`; rows of tests that did not run stay.
        """
        with tempfile.TemporaryDirectory(prefix="sf-figures-") as folder:
            path = Path(folder) / "figures.jsonl"
            ran = subprocess.run(
                [sys.executable, "-m", "pytest", "-q", "-n", "0", str(FAULTS / self.folder), *chosen],
                cwd=ROOT,
                env={**os.environ, FIGURES_VARIABLE: str(path)},
                check=False,
            )
            rows = _rows(path)
        self.write([*(self._kept(rows) if chosen else ()), *rows])
        return ran.returncode == 0

    def write(self, rows: list[dict[str, Any]]) -> None:
        """The table and its lines of JSON."""
        rows.sort(key=lambda row: (row["fault"] or 0, row["test"], row["figure"]))
        RESULTS.mkdir(parents=True, exist_ok=True)
        self._lines.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        head = HEAD.format(title=self.title, folder=self.folder, name=self.name)
        (RESULTS / f"{self.name}.md").write_text(head + "".join(map(self._line, rows)))
        promises.write()

    @property
    def _lines(self) -> Path:
        return RESULTS / f"{self.name}.jsonl"

    def _kept(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        again = {row["test"] for row in rows}
        return [row for row in _rows(self._lines) if row["test"] not in again]

    def _line(self, row: dict[str, Any]) -> str:
        test = row["test"].removeprefix(f"tests/faults/{self.folder}/")
        cells = (row["fault"] or "", row["figure"], row["asked"], row["measured"], f"`{test}`")
        return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |\n"


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


CONNECTORS: Final = Faults("connectors", "devices", "Faults of devices and lines")
RELIABILITY: Final = Faults("reliability", "delivery", "Faults between the device and the store")
