"""The same seed gives the same values: twice in a row here, and the same as on the machine that wrote `values.json`.

`PYTHONPATH=. .venv/bin/python tests/simulators/test_reproducible.py` writes the file after a plant.yaml was changed.
"""

from __future__ import annotations

import hashlib
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


@pytest.mark.parametrize("line", line_names())
def test_the_same_seed_gives_the_same_values_on_every_machine(line: str) -> None:
    written = orjson.loads(PAGE.read_bytes())
    found = digest(line)
    assert found == digest(line)
    assert found != digest(line, seed=2)
    assert written.get(line) == found, f"if plant.yaml or the engine was changed on purpose, run: {COMMAND}"


if __name__ == "__main__":
    rows = {line: digest(line) for line in line_names()}
    PAGE.write_bytes(orjson.dumps(rows, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
