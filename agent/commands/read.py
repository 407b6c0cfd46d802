"""`agent read CONFIG`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any
from unicodedata import east_asian_width

import numpy as np
import typer

from agent.commands.run import elsewhere
from agent.config import load_sites
from agent.output import emit, emit_json, say
from agent.paths import STATE_DIR
from agent.site import Site
from connectors.base import LinkContext
from connectors.modbus.tag import ModbusTag
from connectors.registry import AnyConnection, load, make_link
from pipelines.clock import clock_from_environment
from pipelines.errors import ConfigError, LinkError
from pipelines.normalize import Normalizer
from pipelines.parts import Parts, new_rows
from pipelines.point import BAD, SEVERITY_MASK, Delivery, status_name
from pipelines.settings import TagSettings
from pipelines.stats import LinkStats


def command(
    config: Annotated[list[Path], typer.Argument(help="Configuration file; several of one site are joined.")],
    connection: Annotated[list[str] | None, typer.Option(help="Only this connection; may be repeated.")] = None,
    endpoint: Annotated[list[str] | None, typer.Option(help="NAME=HOST:PORT: elsewhere than the file says.")] = None,
    timeout_s: Annotated[float, typer.Option(help="Longest wait for every tag, seconds.", min=0.1)] = 10.0,
    state_dir: Annotated[Path, typer.Option(help="State folder: own certificate and trust list.")] = STATE_DIR,
    *,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on one line.")] = False,
) -> int:
    """Read every tag once and show it; exit code 1 when one is bad or missing, 3 when no device answers."""
    site = elsewhere(load_sites(config), endpoint or [])
    known = {one.name for one in site.connections}
    if unknown := set(connection or []) - known:
        reason = f"no connection is called {min(unknown)!r}; there are {', '.join(sorted(known))}"
        raise ConfigError(None, None, f"--connection: {reason}")
    wanted = [one for one in site.connections if not connection or one.name in connection]
    load(one.type for one in wanted)
    return asyncio.run(_read(site, wanted, timeout_s, state_dir, json=json))


async def _read(site: Site, connections: list[AnyConnection], timeout_s: float, state_dir: Path, *, json: bool) -> int:
    results = await asyncio.gather(*(_one(site, one, timeout_s, state_dir) for one in connections))
    rows = [row for found, _ in results for _, row in found]
    errors = [error for _, error in results if error]
    for error in errors:
        say(f"error: {error}")
    if json:
        emit_json({"tags": rows, "errors": errors})
    else:
        for connection, (found, _) in zip(connections, results, strict=True):
            show(site, connection, found)
    if errors and all(row["quality"] == "missing" for row in rows):
        return 3
    return 1 if errors or any(row["value"] is None for row in rows) else 0


Row = tuple[TagSettings, dict[str, Any]]
"""A tag, or a part of one, and what is known of it."""


def show(site: Site, connection: AnyConnection, rows: list[Row]) -> None:
    """A table; a device of which nothing is known takes one row."""
    tags = connection.tag_list()
    if rows and all(row["quality"] == "missing" for _, row in rows):
        machines = dict.fromkeys(site.place(connection, tag).machine for tag in tags)
        what = f"{connection.name}: {len(tags)} tags"
        emit(f"{_wide(', '.join(machines), 12)} {_wide(what, 48)} {_wide('-', 24)} missing: {connection.where()}")
        return
    longest = max((len(tag.name) for tag, _ in rows), default=0)
    for tag, row in rows:
        label = " / ".join(dict.fromkeys(one for one in (tag.label.ko, tag.label.en) if one))
        named = f"{_wide(tag.name, max(20, longest))} {_wide(label, 27)}"
        value = "-" if row["value"] is None else f"{_sensible(row['value'], tag)} {row['unit']}".rstrip()
        emit(f"{_wide(row['machine'], 12)} {named} {_wide(value, 24)} {_quality(row['quality'])}")


def _quality(text: str) -> str:
    """A quality of the JSON as a table shows it: by name."""
    return status_name(int(text, 16)) if text.startswith("0x") else text


def _wide(text: str, columns: int) -> str:
    """Text that takes at least so many columns of a terminal, where Hangul takes two each."""
    return text + " " * (columns - sum(1 + (east_asian_width(one) in "WF") for one in text))


def _sensible(value: Any, tag: TagSettings) -> str:
    """A value with the digits that mean something: a float32 has seven, a float64 fifteen."""
    if not isinstance(value, float):
        return str(value)
    single = isinstance(tag, ModbusTag) and tag.datatype == "float32"
    if not isinstance(tag, ModbusTag):  # the server's own type is not known here; what fits a float32 came from one
        with np.errstate(over="ignore"):
            single = float(np.float32(value)) == value
    return f"{value:.7g}" if single else f"{value:.15g}"


async def _one(site: Site, connection: AnyConnection, timeout_s: float, state_dir: Path) -> tuple[list[Row], str]:
    """Rows of one connection, and why it could not be read."""
    tags = connection.tag_list()
    seen = _Seen(tags)
    problem = ""
    context = LinkContext(
        connection, None, clock_from_environment(), LinkStats(), parts=seen.parts, state_dir=state_dir
    )
    try:
        async with asyncio.timeout(timeout_s), make_link(connection.type, context) as link:
            async for delivery in link.deliveries():
                seen.take(delivery)
                delivery.accepted()
                if len(seen.answered()) == len(tags):
                    break
    except LinkError as error:
        problem = str(error)
    except TimeoutError:
        answered = seen.answered()
        missing = [tag.name for index, tag in enumerate(tags) if index not in answered]
        problem = f"{connection.where()}: no reading of {', '.join(missing)} within {timeout_s:g} s"
    return [(tag, _row(site, connection, tag, reading)) for tag, reading in seen.rows()], problem


def _row(site: Site, connection: AnyConnection, tag: TagSettings, reading: tuple[Any, int] | None) -> dict[str, Any]:
    value, status = reading or (None, 0)
    quality = "missing" if reading is None else "Good" if status == 0 else f"0x{status:08X}"
    machine = site.place(connection, tag).machine
    return {"machine": machine, "tag": tag.name, "value": value, "unit": tag.engineering_unit, "quality": quality}


class _Seen:
    """The newest reading of each tag and of each part of one."""

    def __init__(self, tags: Sequence[TagSettings]) -> None:
        self.parts = Parts(len(tags))
        self._tags = list(tags)
        self._parents = list(range(len(tags)))
        self._normalizer = Normalizer(tags)
        self._values: dict[int, tuple[Any, int]] = {}

    def take(self, delivery: Delivery) -> None:
        if new := new_rows(self._tags, self.parts):
            self._parents += [tag for tag, _ in new]
            settings = [one for _, one in new]
            self._tags += settings
            self._normalizer.extend(settings)
        for scan in delivery.scans:
            for one in self._normalizer.normalize(scan):
                rows = zip(one.tag.tolist(), one.value.tolist(), one.status.tolist(), strict=True)
                for tag, value, status in rows:
                    self._values[tag] = (None if status & SEVERITY_MASK == BAD else value, status)

    def answered(self) -> set[int]:
        """Configured tags of which something is known."""
        return {self._parents[row] for row in self._values}

    def rows(self) -> list[tuple[TagSettings, tuple[Any, int] | None]]:
        """Each tag with its parts behind it; a tag that came in parts only has no row of its own."""
        out: list[tuple[TagSettings, tuple[Any, int] | None]] = []
        answered = self.answered()
        for index in range(self.parts.first):
            rows = [row for row, parent in enumerate(self._parents) if parent == index and row in self._values]
            out += [(self._tags[row], self._values[row]) for row in rows]
            if index not in answered:
                out.append((self._tags[index], None))
        return out
