"""The table of docs/kpi.md, from the catalogue: `python tests/viewer/kpi/table.py` writes it anew."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from viewer.kpi.catalog import CATALOG, Definition

PAGE: Final = Path(__file__).parents[3] / "docs/kpi.md"
START: Final = "<!-- table: made by tests/viewer/kpi/table.py, do not edit below -->\n"
_HEAD: Final = (
    "| code | name | formula | unit | better | made of | without it | source |\n|---|---|---|---|---|---|---|---|\n"
)


def _row(one: Definition) -> str:
    unit = one.unit.ko if one.unit.ko == one.unit.en else f"{one.unit.ko} ({one.unit.en})"
    texts = [f"{text.ko}<br>{text.en}" for text in (one.name, one.formula)]
    ends = [f"{text.ko}<br>{text.en}" for text in (one.inputs, one.lacking)]
    arrow = {"up": "↑", "down": "↓"}[one.better]
    if one.most is not None:
        unit += f"<br>0–{one.most:,.0f}"
    return f"| `{one.code}` | {' | '.join([*texts, unit, arrow, *ends, one.source])} |\n"


def table() -> str:
    """The generated part, from the marker to the end."""
    return START + "\n" + _HEAD + "".join(_row(one) for one in CATALOG.values())


if __name__ == "__main__":
    PAGE.write_text(PAGE.read_text(encoding="utf-8").partition(START)[0] + table(), encoding="utf-8")
