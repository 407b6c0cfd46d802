"""`agent version`."""

from __future__ import annotations

from importlib.metadata import version

from agent.output import emit


def command() -> None:
    """Show the version."""
    emit(version("shopfloor-agent"))
