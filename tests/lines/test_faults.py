"""Every fault of a line moves the tags, raises the alarms and enters the states it should, and nothing does before it.

Each `NAME.yaml` beside this file is the table of line NAME, one row a fault:

    fault, device, signal, …   as `agent fault` takes them
    begins_s, for_s, after_s   when it begins (default 60), how long it lasts, when it is looked at: plant seconds
    every_s                    how often every tag is read meanwhile (default 5)
    moves                      tag (`MACHINE/tag`) and `to`: above, below, equals (with `value`), stuck, bad
    alarms                     alarms that came until then, and not before
    states                     machine → code of its state
    keeps                      machine → the code of its state all the time since the fault began
    some_bad                   machines of which some tags have no value, and others do
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.derive.rule import Ref
from tests.lines.playing import Line, Reading

HERE = Path(__file__).parent
TABLES = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(HERE.glob("*.yaml"))}
ASSERTS = {"moves", "alarms", "states", "keeps", "some_bad"}
OURS = {"begins_s", "after_s", "every_s", *ASSERTS}


def met(move: dict[str, Any], before: Reading, now: Reading) -> bool:
    """Whether a tag stands where the fault moves it."""
    if move["to"] == "bad":
        return now.status != 0
    if now.status:
        return False
    tests = {
        "above": lambda: now.value > move["value"],
        "below": lambda: now.value < move["value"],
        "equals": lambda: now.value == move["value"],
        "stuck": lambda: now.value == before.value,
    }
    return bool(tests[move["to"]]())


@pytest.mark.parametrize(
    ("name", "row"), [pytest.param(name, row, id=f"{name}-{row['fault']}") for name in TABLES for row in TABLES[name]]
)
def test_fault(name: str, row: dict[str, Any]) -> None:
    line = Line(name)
    every_s = row.get("every_s", 5)
    line.play(row.get("begins_s", 60), every_s)
    before, quiet, points = line.look(), line.raised(), len(line.points)
    moves = [(Ref(*move["tag"].split("/")), move) for move in row.get("moves", ())]
    early = [move["tag"] for ref, move in moves if move["to"] != "stuck" and met(move, before[ref], before[ref])]
    line.order(**{key: value for key, value in row.items() if key not in OURS})
    line.play(row["after_s"], every_s)
    after = line.look()
    still = [(move, after[ref]) for ref, move in moves if not met(move, before[ref], after[ref])]
    assert (early, still) == ([], [])
    assert quiet & set(row.get("alarms", ())) == set()
    assert set(row.get("alarms", ())) - line.raised(points) == set()
    states = line.states()
    for machine, code in (row.get("states", {}) | row.get("keeps", {})).items():
        assert states.get(machine) == code, machine
    for machine, code in row.get("keeps", {}).items():
        assert line.codes(machine, points) <= {code}, machine
    for machine in row.get("some_bad", ()):
        assert {one.status == 0 for ref, one in after.items() if ref.machine == machine} == {True, False}, machine


def test_every_row_asserts_something() -> None:
    rows = [(name, row) for name in TABLES for row in TABLES[name]]
    assert [(name, row["fault"]) for name, row in rows if not any(row.get(key) for key in ASSERTS)] == []


@pytest.mark.parametrize("name", TABLES)
def test_ordinary_running_raises_no_alarm_and_leaves_no_range(name: str) -> None:
    line = Line(name, seed=3)
    line.play(1800, 10)
    assert line.raised() == set()
    assert {ref: one for ref, one in line.look().items() if one.status} == {}
