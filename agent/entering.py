"""The desk for entries by hand in the process of a viewer: started, supervised, asked over the control socket."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from agent.control.server import Routes
from agent.supervise import keep_open
from pipelines.clock import clock_from_environment
from pipelines.delivery.mqtt_settings import MqttSettings
from pipelines.errors import ConfigError, DependencyError, JournalError
from pipelines.identity import agent_id
from viewer.catalog import Catalog
from viewer.entries.desk import EntryDesk
from viewer.entries.inbox import Inbox
from viewer.entries.site import EntrySite, SiteKey, entry_sites
from viewer.entries.table import Table, read_table

IMPORT: Final = "/entries/import"


@dataclass(frozen=True, slots=True)
class Entering:
    """A desk and what runs with it.

    Attributes:
        desk: takes entries.
        parts: what has to run for it.
        orders: what is taken over the control socket.
    """

    desk: EntryDesk
    parts: Sequence[Coroutine[Any, Any, None]]
    orders: Routes


@asynccontextmanager
async def entering(folder: Path, mqtt: MqttSettings, catalog: Catalog) -> AsyncIterator[Entering]:
    """A desk while the block runs.

    Args:
        folder: of the desk.
        mqtt: the broker.
        catalog: what the site files say.

    Raises:
        DependencyError: the folder cannot be used.
    """
    desk, name = _opened(folder, mqtt, entry_sites(catalog.sites.values()))
    parts: list[Coroutine[Any, Any, None]] = [desk.run()]
    if desk.sites:
        inbox = Inbox(desk, mqtt, f"sf-{name}-inbox")
        parts.append(keep_open(f"{mqtt.endpoint} entries", inbox.run))
    try:
        yield Entering(desk, parts, {IMPORT: Importing(desk).order})
    finally:
        await desk.close()


def _opened(folder: Path, mqtt: MqttSettings, sites: Mapping[SiteKey, EntrySite]) -> tuple[EntryDesk, str]:
    """A desk and the name it has for ever.

    Raises:
        DependencyError: the folder cannot be used.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = agent_id(folder, "desk")
        return EntryDesk(folder, mqtt, sites, clock_from_environment(), keep_open), name
    except (ConfigError, JournalError, OSError) as error:
        raise DependencyError(str(folder), f"cannot keep entries: {error}") from error


class Importing:
    """Entries of a CSV file, for who asks over the control socket.

    Args:
        desk: takes them.
    """

    def __init__(self, desk: EntryDesk) -> None:
        self._desk = desk

    async def order(self, said: dict[str, Any]) -> dict[str, Any]:
        """Take a file, all of it or nothing.

        Args:
            said: `file` (base64), `company`, `site`, `kind` and `author` of rows that name none, `check`: only look.

        Raises:
            ValueError: it is not said of which site they are.
            JournalError: the disk takes them not.
        """
        key = self._site(str(said.get("company") or ""), str(said.get("site") or ""))
        given = {name: str(said[name]) for name in ("kind", "author") if said.get(name)}
        content = base64.b64decode(str(said["file"]))
        # Thousands of rows are looked up on the disk: in `agent serve` the bridge and the pages share this loop.
        table = await asyncio.to_thread(read_table, content, partial(self._desk.check, key), given)
        saved = 0
        if table.whole and not said.get("check"):
            saved = len(await self._desk.save(key, table.entries, "csv"))
        return told(table) | {"company": key[0], "site": key[1], "saved": saved}

    def _site(self, company: str, site: str) -> SiteKey:
        fits = [key for key in self._desk.sites if company in {"", key[0]} and site in {"", key[1]}]
        if len(fits) == 1:
            return fits[0]
        if company and site and not self._desk.sites:
            return company, site
        known = ", ".join("/".join(key) for key in self._desk.sites) or "none: the viewer has no --site"
        msg = f"say which site with --company and --site; known are {known}"
        raise ValueError(msg)


def told(table: Table) -> dict[str, Any]:
    """What of a file is taken and what is not, by line, as JSON has it."""
    faults = [
        {"line": line, "field": fault.where, "ko": fault.line("ko"), "en": fault.line("en")}
        for line, fault in table.refused
    ]
    return {"rows": len(table.rows), "taken": len(table.entries), "refused": faults}
