"""One `site.yaml` from a line's template, by scale and level."""

from __future__ import annotations

from pathlib import Path

from agent.paths import LINES
from agent.templates.draft import Draft
from agent.templates.levels import LEVEL_LABELS, Level, at_level
from agent.templates.scales import SCALE_LABELS, Scale, at_scale
from pipelines.errors import ConfigError


def template(line: str) -> Path:
    """The configuration file of a line template, or in a folder that `agent import` made.

    Raises:
        ConfigError: there is no such line.
    """
    if line in line_names():
        return LINES / line / "site.yaml"
    if (Path(line) / "site.yaml").is_file() and (Path(line) / "plant.yaml").is_file():
        return Path(line) / "site.yaml"
    raise no_line(line)


def no_line(line: str) -> ConfigError:
    """The error that names those there are."""
    return ConfigError(None, None, f"no line is called {line!r}; there are {', '.join(line_names())}")


def line_names() -> list[str]:
    """Every line template, by name."""
    return sorted(one.parent.name for one in LINES.glob("*/site.yaml"))


def compose(text: str, scale: Scale | None = None, level: Level | None = None) -> str:
    """A template for one company; without scale and level it is the template itself."""
    draft = Draft(text)
    chosen = []
    if level is not None:
        draft = at_level(draft, level)
        chosen.append(f"수준 level {LEVEL_LABELS[level]}")
    if scale is not None:
        draft = at_scale(draft, scale)
        chosen.append(f"규모 scale {SCALE_LABELS[scale]}")
    return f"# {', '.join(chosen)}\n{draft.text}" if chosen else text
