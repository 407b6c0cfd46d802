"""Plans: those that ship, what is told of a bad one, and when faults come."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from agent import cli
from agent.soak.plan import PLANS, load_plan, plan_names
from agent.soak.registry import FAULTS, fault_class
from agent.soak.schedule import schedule
from pipelines.errors import ConfigError

GOOD = "lines: [injection_molding]\nduration: 20s\nsteps:\n"


def test_every_shipped_plan_loads_and_says_what_it_is() -> None:
    assert [path.stem for path in sorted(PLANS.glob("*.yaml"))] == sorted(plan_names())
    assert all(load_plan(name).description for name in plan_names())


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_is_called_as_it_is_registered_and_stands_in_the_page(name: str) -> None:
    fault = fault_class(name)()
    assert fault.name == name
    assert isinstance(fault.unavailable(), str)
    page = (Path(__file__).parents[2] / "docs" / "soak.md").read_text(encoding="utf-8")
    assert f"`{name}`" in page


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("lines: [injection_molding]\n", 1, "duration: is missing"),
        ("lines: [injection_moulding]\nduration: 20s\n", 1, "did you mean injection_molding?"),
        ("lines: [injection_molding]\nduration: 20\n", 2, "write 30s, 10m or 2h|must be a time"),
        (f"{GOOD}  - {{at: 1s, fault: kil}}\n", 4, "did you mean kill?"),
        (f"{GOOD}  - {{at: 1s, fault: kill, with: {{pat: serve}}}}\n", 4, "did you mean part?"),
        (f"{GOOD}  - {{at: 1s, fault: broker_kill, with: {{part: serve}}}}\n", 4, "has no parameters"),
        (f"{GOOD}  - {{at: 1s, fault: kill, with: {{part: foo}}}}\n", 4, "there is no part 'foo'; there are collector"),
        (f"{GOOD}  - fault: kill\n", 4, "`at`, and one of `every` and `random`"),
        (f"{GOOD}  - {{random: 1, every: 2s, fault: kill}}\n", 4, "`at`, and one of `every` and `random`"),
        (f"{GOOD}  - {{at: 1s, between: [2s, 9s], fault: kill}}\n", 4, "`between` is"),
        (f"{GOOD}  - {{at: 30s, fault: kill}}\n", 4, "after the end of the plan"),
        (f"{GOOD}  - {{random: 2, between: [9s, 2s], fault: kill}}\n", 4, "`between` is"),
        (f"{GOOD}  - at: 1s\n    fault: store_errors\n    with:\n      status: 404\n", 7, "status: "),
        (f"{GOOD}  - {{at: 1s, fault: kill}}\nbridges: 3\n", 1, "need `store: influx`"),
        (f"{GOOD}  - {{at: 1s, fault: kill}}\nsede: 3\n", 5, "did you mean seed?"),
        ("lines: [", 1, "not YAML"),
    ],
)
def test_a_bad_plan_is_told_with_its_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_plan(str(path))
    assert (caught.value.path, caught.value.line) == (path, line)
    assert re.search(words, caught.value.reason), caught.value.reason


def test_every_mistake_of_a_plan_is_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "plan.yaml"
    steps = "  - {at: 1s, fault: kil}\n  - {at: 30s, fault: kill, with: {pat: serve}}\n"
    path.write_text(f"{GOOD}{steps}".replace("molding", "moulding"))
    assert cli.run(["soak", str(path)]) == 2
    said = capsys.readouterr().err.splitlines()
    assert [line.removeprefix(f"{path}:").split(": ")[:2] for line in said] == [
        ["1", "lines"],
        ["4", "fault"],
        ["5", "fault"],
        ["5", "with"],
    ]
    path.write_text("lines: 3\nduration: soon\nbridges: 20\n")
    assert cli.run(["soak", str(path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 3


def test_no_such_plan() -> None:
    with pytest.raises(ConfigError, match=r"no plan 'smok'; there are .*smoke"):
        load_plan("smok")


def test_equal_seeds_give_equal_times(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    steps = "  - {at: 1s, fault: kill}\n  - {every: 5s, fault: reset}\n"
    steps += "  - {at: 1s, random: 2, between: [10s, 12s], fault: black_hole}\n"
    path.write_text(f"{GOOD}{steps}  - {{random: 3, between: [2s, 9s], fault: slow}}\n")
    plan = load_plan(str(path))
    first = schedule(plan, random.Random(7))
    assert first == schedule(plan, random.Random(7))
    assert first != schedule(plan, random.Random(8))
    assert [one.at_s for one in first] == sorted(one.at_s for one in first)
    assert [one.at_s for one in first if one.step.fault == "reset"] == [5.0, 10.0, 15.0, 20.0]
    assert all(2 <= one.at_s <= 9 for one in first if one.step.fault == "slow")
    twice = [one.at_s for one in first if one.step.fault == "black_hole"]
    assert twice[0] == 1.0
    assert [10 <= at_s <= 12 for at_s in twice[1:]] == [True, True]
