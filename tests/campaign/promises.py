"""docs/reliability.md: each promise, how it is held, by which tests, and what they measured.

`python -m tests.campaign.promises` writes the page anew; a campaign that writes figures does so too.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
TESTS: Final = ROOT / "tests"
PAGE: Final = ROOT / "docs" / "reliability.md"
RESULTS: Final = ROOT / "docs" / "results"
START: Final = "<!-- made by tests/campaign/promises.py from promises.yaml, do not edit below -->\n"


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise.

    Attributes:
        name: its number and its words in short.
        words: what is promised.
        how: how it is held.
        tests: modules under tests/, or `module::test`, that break when it is broken.
        reproduce: the command that measures it again.
    """

    name: str
    words: str
    how: str
    tests: tuple[str, ...]
    reproduce: str

    def figures(self) -> list[dict[str, Any]]:
        """What its tests measured, from docs/results/."""
        mine = tuple(f"tests/{one}" for one in self.tests)
        return [row for row in _rows() if row["test"].split("[")[0].startswith(mine)]


def made() -> str:
    """What stands below the mark."""
    return START + "".join(map(_section, PROMISES))


def write() -> None:
    """Write the page anew below its mark."""
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(text[: text.index(START)] + made(), encoding="utf-8")


def untested(one: Promise) -> Iterator[str]:
    """Tests it names that there are not."""
    if not one.tests:
        yield f"{one.name}: no test"
    for test in one.tests:
        module, _, name = test.partition("::")
        path = TESTS / module
        if not path.is_file() or not (names := names_of_tests(path)) or (name and name not in names):
            yield f"{one.name}: no such test: tests/{test}"


@cache
def names_of_tests(path: Path) -> set[str]:
    """Names of the test functions and methods of a module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds) and node.name.startswith("test_")}


def _rows() -> list[dict[str, Any]]:
    files = [RESULTS / f"{name}.jsonl" for name in ("reliability", "connectors")]
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]


def _section(one: Promise) -> str:
    tests = " · ".join(f"`{test}`" for test in one.tests)
    head = (
        f"\n## {one.name}\n\n{one.words}\n\n**How.** {one.how}\n\n**Held by** {tests}. **Again:** `{one.reproduce}`\n"
    )
    rows = [(row["figure"], row["asked"], row["measured"]) for row in one.figures()]
    if not rows:
        return head
    cells = "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n" for row in dict.fromkeys(rows))
    return f"{head}\n| figure | asked | measured |\n|---|---|---|\n{cells}"


PROMISES: Final = tuple(
    Promise(**{**one, "tests": tuple(one["tests"])})
    for one in yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
)

if __name__ == "__main__":
    write()
