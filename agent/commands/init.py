"""`agent init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agent.config import load_site
from agent.files import write_new
from agent.output import say
from agent.paths import LINES
from pipelines.errors import ConfigError


def command(
    output: Annotated[Path, typer.Argument(help="File to write.")] = Path("site.yaml"),
    line: Annotated[str, typer.Option(help="Line template; `agent lines` lists them.")] = "auto_press_machining",
    *,
    force: Annotated[bool, typer.Option(help="Write over an existing file.")] = False,
) -> int:
    """Write a configuration to begin with, from a line template."""
    source = template(line)
    load_site(source)
    write_new(output, source.read_text(encoding="utf-8"), force=force)
    say(f"{output}: change company, site and the addresses, then `agent check {output}` and `agent run {output}`")
    return 0


def template(line: str) -> Path:
    """The configuration file of a line template, or in a folder that `agent import` made.

    Raises:
        ConfigError: there is no such line.
    """
    path = LINES / line / "site.yaml"
    if line not in {one.parent.name for one in LINES.glob("*/site.yaml")}:
        if (Path(line) / "site.yaml").is_file() and (Path(line) / "plant.yaml").is_file():
            return Path(line) / "site.yaml"
        known = ", ".join(sorted(one.parent.name for one in LINES.glob("*/site.yaml")))
        raise ConfigError(None, None, f"no line is called {line!r}; there are {known}")
    return path
