"""docs/compare.md claims nothing that no test holds: each ● of ours, row by row, names tests that there are."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

TESTS: Final = Path(__file__).parent
PAGE: Final = TESTS.parent / "docs" / "compare.md"
SECTIONS: Final = {
    "OPC UA, row by row": 20,
    "Modbus, row by row": 14,
    "What people see and hand in, row by row": 13,
    "What no other promises": 29,
}
"""Sections whose rows need a proof, and how many rows each has at least."""


def rows(title: str) -> Iterator[list[str]]:
    """Cells of the table under a heading, without its head."""
    text = PAGE.read_text(encoding="utf-8")
    part = text.split(f"\n## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    for line in lines[2:]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


@cache
def names_of_tests(path: Path) -> set[str]:
    """Names of the test functions and methods of a module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds) and node.name.startswith("test_")}


@pytest.mark.parametrize("title", SECTIONS)
def test_every_full_mark_is_held_by_tests(title: str) -> None:
    found = list(rows(title))
    assert len(found) >= SECTIONS[title]
    faults = []
    for name, ours, *_, held in found:
        proofs = re.findall(r"`([\w/]+\.py)::(test_\w+)`", held)
        if "●" in ours and not proofs:
            faults.append(f"{name}: no test is named")
        faults += [
            f"{name}: there is no {path}::{test}"
            for path, test in proofs
            if not (TESTS / path).is_file() or test not in names_of_tests(TESTS / path)
        ]
    assert not faults, "\n" + "\n".join(faults)
