"""Tables as plain text."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from agent.output import emit


def emit_table(rows: Sequence[Sequence[str]]) -> None:
    """Rows in columns on stdout; a Korean letter takes two places of a terminal."""
    widths = [max(cell_len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        padded = [text + " " * (width - cell_len(text)) for text, width in zip(row, widths, strict=True)]
        emit("  ".join(padded).rstrip())
