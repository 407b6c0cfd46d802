"""`agent init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agent.config import load_site
from agent.files import write_new
from agent.output import say
from agent.templates.compose import compose, line_names, no_line, template
from agent.templates.levels import Level
from agent.templates.scales import Scale


def command(
    output: Annotated[Path, typer.Argument(help="File to write.")] = Path("site.yaml"),
    line: Annotated[str, typer.Option(help="Line template; `agent lines` lists them.")] = "auto_press_machining",
    scale: Annotated[Scale | None, typer.Option(help="소공인, 소기업 or 중기업; default: as the template.")] = None,
    level: Annotated[Level | None, typer.Option(help="기초, 중간1, 중간2 or 고도화; default: all of it.")] = None,
    *,
    force: Annotated[bool, typer.Option(help="Write over an existing file.")] = False,
) -> int:
    """Write a configuration to begin with: a line's template, for a company of some scale at some level."""
    if (scale or level) and line not in line_names():
        raise no_line(line)  # a folder of `agent import` is no template: nothing is known of what its tags are for
    source = template(line)
    load_site(source)
    write_new(output, compose(source.read_text(encoding="utf-8"), scale, level), force=force)
    say(f"{output}: 라인 line {line}")
    say(f"{output}: change company, site, site_label, addresses, then `agent check {output}` and `agent run {output}`")
    return 0
