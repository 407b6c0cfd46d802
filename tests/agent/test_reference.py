"""docs/configuration.md and docs/commands.md say what the program does."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any, Final

import pytest
import typer
from reference import PAGE, START, reference

from agent import cli
from agent.config import load_site
from simulators.faults.script import read_script
from simulators.faults.table import EVERY, FAULTS
from simulators.plant import load_plant

ROOT: Final = Path(__file__).parents[2]
COMMANDS_PAGE: Final = ROOT / "docs/commands.md"


def test_the_reference_is_what_the_models_say() -> None:
    page = PAGE.read_text(encoding="utf-8")
    written = page[page.index(START) :]
    assert written == reference(), "run: PYTHONPATH=. .venv/bin/python tests/agent/reference.py"


def test_the_complete_example_loads(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    path = tmp_path / "site.yaml"
    path.write_text(example, encoding="utf-8")
    site = load_site(path)
    secrets = [site.mqtt.password_file, *(getattr(one, "password_file", None) for one in site.connections)]
    assert {str(one).partition("_")[0] for one in secrets if one} == {
        "agent"
    }  # as the unit's LoadCredential names them
    assert {one.type for one in site.connections} == {"opcua", "modbus"}
    assert {machine.state is not None for machine in site.machines.values()} == {True, False}


def test_the_faults_of_the_page_are_what_the_plant_takes() -> None:
    text = COMMANDS_PAGE.read_text(encoding="utf-8")
    (script,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert len(read_script(script, load_plant(["injection_molding"]))) == script.count("\n")
    told = {name: row for name, *row in re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|", text, re.MULTILINE)}
    for name, kind in FAULTS.items():
        devices = "all" if len(kind.devices) == len(EVERY) else ", ".join(sorted(kind.devices))
        signal = "one" if kind.one else "any" if kind.fits else "–"
        assert told[name] == [devices, signal], name


def sections() -> dict[str, tuple[str, str]]:
    """Group and text by command."""
    found: dict[str, tuple[str, str]] = {}
    for group, body in re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", COMMANDS_PAGE.read_text(), re.DOTALL | re.MULTILINE):
        for name, text in re.findall(r"^### agent ([\w-]+)\n(.*?)(?=^### |\Z)", body, re.DOTALL | re.MULTILINE):
            found[name] = group, text
    return found


def test_every_command_stands_in_its_group_and_order() -> None:
    assert {name: group for name, (group, _) in sections().items()} == cli.COMMANDS
    assert list(sections()) == list(cli.COMMANDS)


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_a_command_has_an_example_that_parses_and_its_exit_codes(name: str) -> None:
    _, text = sections()[name]
    assert re.search(r"^Exit codes: 0", text, re.MULTILINE)
    (script,) = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    group: Any = typer.main.get_command(cli.app)
    used = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", text))
    known = {option for one in group.get_command(None, name).params for option in one.opts}
    assert used <= known, f"no such option: {used - known}"
    examples = [shlex.split(line) for line in script.replace("\\\n", " ").splitlines()]
    assert any(words[:2] == ["agent", name] for words in examples)
    for words in examples:
        command = group.get_command(None, words[1])
        command.make_context(words[1], [word for word in words[2:] if word != ">"][: _until(words)])


def _until(words: list[str]) -> int:
    """Arguments before a redirection."""
    return words.index(">") - 2 if ">" in words else len(words)
