"""The documents: links lead somewhere, marked commands run, every command of the program is described.

A fenced `sh` block right after `<!-- test -->` runs in an empty folder; after `<!-- test: repo -->` in the repository.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import pytest

ROOT: Final = Path(__file__).parents[1]
TIMEOUT_S: Final = 110


def documents() -> list[Path]:
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"],
        capture_output=True,
        check=True,
    )
    found = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in found if path.is_file()]


DOCUMENTS: Final = documents()


def prose(text: str) -> str:
    """The text with fenced blocks and inline code blanked, line numbers kept."""
    text = re.sub(r"^(```|~~~).*?^\1", lambda block: "\n" * block[0].count("\n"), text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "", text)


def anchors(text: str) -> set[str]:
    """Heading anchors as GitHub makes them."""
    found: set[str] = set()
    for title in re.findall(r"^#{1,6} +(.+?) *#*$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE):
        plain = re.sub(r"\[([^]]*)]\([^)]*\)", r"\1", title).replace("`", "").replace("*", "")
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        number = 0
        while (one := f"{slug}-{number}" if number else slug) in found:
            number += 1
        found.add(one)
    return found


def dead_links(path: Path, text: str) -> Iterator[str]:
    for number, line in enumerate(prose(text).splitlines(), 1):
        targets = re.findall(r"\]\(\s*<?([^)\s>]+)", line) + re.findall(r"(?:src|href)=\"([^\"]+)\"", line)
        for target in targets:
            if re.match(r"[a-z][a-z0-9+.-]*:", target):
                continue
            file, _, anchor = target.partition("#")
            there = (path.parent / unquote(file)).resolve() if file else path
            place = f"{path.relative_to(ROOT) if path.is_relative_to(ROOT) else path}:{number}"
            if not there.exists():
                yield f"{place}: {target}: no such file"
            elif anchor and there.suffix == ".md" and unquote(anchor) not in anchors(there.read_text(encoding="utf-8")):
                yield f"{place}: {target}: no such heading"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    faults = list(dead_links(path, path.read_text(encoding="utf-8")))
    assert not faults, "\n" + "\n".join(faults)


def test_a_dead_link_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One two!\n[a](page.md#one-two) [b](gone.md)\n[c](#three) `[d](code.md)`\n```\n[e](block.md)\n```\n"
    )
    assert [fault.split(": ", 1)[1] for fault in dead_links(page, page.read_text())] == [
        "gone.md: no such file",
        "#three: no such heading",
    ]


BLOCK: Final = re.compile(
    r"^[ \t]*<!-- test(?P<where>: repo)? -->[ \t]*\n\s*```(?:sh|bash)\n(?P<script>.*?)^[ \t]*```",
    re.DOTALL | re.MULTILINE,
)


def blocks() -> list[tuple[str, bool, str]]:
    found = []
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        for block in BLOCK.finditer(text):
            line = text.count("\n", 0, block.start("script")) + 1
            found.append((f"{path.relative_to(ROOT)}:{line}", block["where"] is not None, block["script"]))
    return found


@pytest.mark.parametrize(("place", "in_repository", "script"), [pytest.param(*one, id=one[0]) for one in blocks()])
def test_marked_commands_run(place: str, in_repository: bool, script: str, tmp_path: Path) -> None:
    bash = ["bash", "-euo", "pipefail", "-c", script]
    environment = os.environ | {"PATH": f"{ROOT / '.venv/bin'}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    folder = ROOT if in_repository else tmp_path
    done = subprocess.run(
        bash, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
    )
    assert done.returncode == 0, f"{place}: exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


def test_every_marker_stands_before_a_block() -> None:
    marks = sum(len(re.findall(r"^\s*<!-- test", path.read_text(), re.MULTILINE)) for path in DOCUMENTS)
    assert marks == len(blocks()), "a <!-- test --> marker is not followed by a fenced sh block"


def test_every_command_is_described() -> None:
    import typer  # noqa: PLC0415 - only here

    from agent import cli  # noqa: PLC0415

    group = typer.main.get_command(cli.app)
    names = group.list_commands(None)  # type: ignore[attr-defined]  # a TyperGroup
    assert names
    text = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    missing = [name for name in names if not re.search(rf"\bagent {name}\b", text)]
    assert not missing, f"not in any document: {', '.join(f'agent {name}' for name in missing)}"


def test_every_decision_is_in_the_index() -> None:
    folder = ROOT / "docs/decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    pages = sorted(path.name for path in folder.glob("[0-9]*.md"))
    missing = [name for name in pages if f"]({name})" not in index]
    assert not missing, f"docs/decisions/README.md does not list: {', '.join(missing)}"
    numbers = [name.split("-", 1)[0] for name in pages]
    assert len(set(numbers)) == len(numbers), f"a decision number is used twice: {numbers}"
