"""The catalogue is whole: what a site may name, what the code computes, and what the page says are the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from pipelines.derive.settings import Kpi
from tests.viewer.kpi.table import PAGE, START, table
from viewer import kpi
from viewer.kpi.catalog import CATALOG

SOURCES = {path.name: path.read_text(encoding="utf-8") for path in sorted(Path(kpi.__path__[0]).glob("*.py"))}


def test_what_a_site_may_name_is_defined() -> None:
    assert {code for code in CATALOG if "." not in code and not code.startswith("DQ")} == set(get_args(Kpi))
    assert all(code.partition(".")[0] in CATALOG for code in CATALOG)


def test_every_figure_is_computed_somewhere() -> None:
    computed = "".join(text for name, text in SOURCES.items() if name != "catalog.py")
    assert [code for code in CATALOG if f'"{code}"' not in computed] == []
    named = set(re.findall(r'"((?:[PQCDSE]|DQ)-[A-Z0-9]+(?:\.\w+)?)"', computed))
    assert named <= set(CATALOG)


def test_every_definition_is_said_in_two_languages() -> None:
    for one in CATALOG.values():
        for text in (one.name, one.formula, one.unit, one.inputs, one.lacking):
            assert text.ko
            assert text.en
        assert "미수집" in one.lacking.ko


def test_the_page_has_the_table() -> None:
    """If this fails, run `python tests/viewer/kpi/table.py`."""
    assert PAGE.read_text(encoding="utf-8").partition(START)[2] == table().partition(START)[2]


def test_pure() -> None:
    """No file, no store, no clock: what is imported is numbers, vocabulary and each other."""
    allowed = re.compile(
        r"(__future__|collections(\.abc)?|dataclasses|datetime|enum|itertools|math|re|typing|numpy(\.typing)?|viewer\.kpi(\.\w+)?"
        r"|pipelines\.(calendar|derive\.(alarm_load|signals|energy\.(factors|span))))"
    )
    for name, text in SOURCES.items():
        for module in re.findall(r"^(?:from|import) ([\w.]+)", text, re.MULTILINE):
            assert allowed.fullmatch(module), f"{name} imports {module}"
