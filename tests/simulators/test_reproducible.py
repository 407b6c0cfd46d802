"""The same seed gives the same values: twice in a row here, and the same as on the machine that wrote `values.json`.

`PYTHONPATH=. .venv/bin/python tests/simulators/test_reproducible.py` writes the file after a plant.yaml was changed;
`tests/lines/test_recorded.py` says when that is due.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path
from typing import Final

import orjson
import pytest

from simulators.plant import line_names, load_plant

PAGE: Final = Path(__file__).with_name("values.json")
MINUTES: Final = 10
COMMAND: Final = "PYTHONPATH=. .venv/bin/python tests/simulators/test_reproducible.py"


def digest(line: str, seed: int = 1) -> str:
    """SHA-256 over what every signal of a line shows, each second of ten plant minutes."""
    plant = load_plant([line], seed)
    found = hashlib.sha256()
    for _ in range(MINUTES * 60):
        plant.step(20)
        found.update(orjson.dumps([plant.panels[one.device].shown(one) for one in plant.signals()]))
    return found.hexdigest()


def source(line: str) -> str:
    """SHA-256 of a line's plant.yaml."""
    return hashlib.sha256((resources.files("simulators") / "lines" / line / "plant.yaml").read_bytes()).hexdigest()


def recorded() -> dict[str, dict[str, str]]:
    """Line → `plant`, the plant.yaml it was written from, and `values`."""
    found: dict[str, dict[str, str]] = orjson.loads(PAGE.read_bytes())
    return found


@pytest.mark.parametrize("line", line_names())
def test_the_same_seed_gives_the_same_values_on_every_machine(line: str) -> None:
    found = digest(line)
    assert found == digest(line)
    assert found != digest(line, seed=2)
    written = recorded().get(line, {})
    assert written.get("plant") != source(line) or written["values"] == found, f"the engine changed; run: {COMMAND}"


if __name__ == "__main__":
    rows = {line: {"plant": source(line), "values": digest(line)} for line in line_names()}
    PAGE.write_bytes(orjson.dumps(rows, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
