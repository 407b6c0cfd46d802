"""The shift of `shift.py` in an embedded store, written once for each process of tests and copied."""

from __future__ import annotations

import asyncio
import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from pipelines.sinks.duckdb import DuckDbSink
from tests.viewer.query.shift import COMPANY, lines

_FOLDER: Final = TemporaryDirectory(prefix="shift-")
"""Gone when the process ends."""


def copy_shift(file: Path) -> None:
    """A store of its own with the shift in it, where there is none yet."""
    file.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_written(), file)


@cache
def _written() -> Path:
    file = Path(_FOLDER.name) / "points.duckdb"

    async def fill() -> None:
        sink = DuckDbSink(file)
        await sink.write(COMPANY, "\n".join(lines()).encode())
        await sink.close()

    asyncio.run(fill())
    return file
