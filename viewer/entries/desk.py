"""Takes entries, keeps them, and sends them: what it has told to be saved is stored, whatever happens.

An entry is written to the desk's book and, as a record, to a journal; both are synced before anybody is told "saved".
The record goes to the broker and through the bridge to the store as readings do, with a confirmation from end to end.
Each site has a journal and an agent identity of its own, since a record's topic names its company and site.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import structlog

from pipelines.clock import Clock
from pipelines.delivery.mqtt_settings import MqttSettings
from pipelines.errors import ConfigError, JournalError
from pipelines.identity import agent_id
from pipelines.journal.journal import JournalSettings
from pipelines.place import Place
from pipelines.topics import AgentTopics
from pipelines.way import Keep, Way
from viewer.entries.book import Book
from viewer.entries.check import checked
from viewer.entries.model import Entry
from viewer.entries.site import EntrySite, SiteKey
from viewer.entries.written import Source, Written, lines_of

_SAVED_S: Final = 10.0
"""Longest wait for the disk before a person is told that nothing is saved yet."""
_AGAIN_S: Final = 10.0
_LIMITS: Final = JournalSettings(max_bytes=32 << 20, commit_s=0.02, at_cap="reject_new")
"""Some 50,000 entries may wait for the broker; no entry is given up for a newer one."""
log = structlog.get_logger()


class EntryDesk:
    """The desk of one viewer.

    Args:
        folder: of its own, in the viewer's state folder.
        mqtt: the broker.
        sites: what is known of sites; of others everything is taken.
        clock: stamps entries.
        keep_open: opens a link again and again.

    Raises:
        JournalError: the folder cannot be used.

    Attributes:
        sites: the same.
    """

    def __init__(
        self, folder: Path, mqtt: MqttSettings, sites: Mapping[SiteKey, EntrySite], clock: Clock, keep_open: Keep
    ) -> None:
        self.sites = sites
        self.clock = clock
        self._folder = folder
        self._mqtt = mqtt
        self._keep_open = keep_open
        self._book = Book(folder / "entries.db")
        self._ways: dict[SiteKey, Way] = {}
        self._group: asyncio.TaskGroup | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Send what was saved, now and by earlier processes; ends by cancellation."""
        self._loop = asyncio.get_running_loop()
        try:
            async with asyncio.TaskGroup() as self._group:
                reason = ""
                while (failed := await self._resume()) is not None:
                    if failed != reason:
                        log.error("entries_not_sent", folder=str(self._folder), reason=failed)
                    reason = failed
                    await asyncio.sleep(_AGAIN_S)
                await asyncio.get_running_loop().create_future()
        finally:
            self._group = self._loop = None

    async def close(self, at_most_s: float = 2.0) -> None:
        """Make everything durable, and close; what is not stored yet is sent after the next start."""
        for way in self._ways.values():
            await way.close(at_most_s)
        self._ways.clear()
        self._book.close()

    def site(self, key: SiteKey) -> EntrySite:
        """What is known of a site."""
        return self.sites.get(key) or EntrySite(*key)

    def check(self, key: SiteKey, raw: Mapping[str, Any]) -> Entry:
        """An entry of what somebody wrote about a site.

        Raises:
            EntryRefused: names everything that is wrong.
        """

        def known(name: str) -> Entry | None:
            found = self._book.get(key, name)
            return found.entry if found else None

        return checked(raw, self.site(key), self.clock.now_ns(), known)

    async def save(self, key: SiteKey, entries: Sequence[Entry], source: Source) -> list[Written]:
        """Keep entries, all or none; they are on disk for good when this returns, whatever becomes of the process.

        Args:
            key: company and site.
            entries: checked; one whose id was taken before changes nothing.
            source: how they came in.

        Returns:
            What was taken, now or before, in the order of `entries`.

        Raises:
            JournalError: the disk takes them not, or not in time; the same entries may be given again.
        """
        now_ns = self.clock.now_ns()
        taken = await asyncio.to_thread(self._book.add, key, entries, source, now_ns)
        await self._send(key, [one.id for one in taken])
        return taken

    def save_now(self, key: SiteKey, entries: Sequence[Entry], source: Source) -> list[Written]:
        """What `save` does, for a thread that may wait.

        Raises:
            JournalError: as of `save`, or the desk does not run.
        """
        if self._loop is None:
            raise JournalError(self._folder, "nothing is saved: the desk does not run")
        return asyncio.run_coroutine_threadsafe(self.save(key, entries, source), self._loop).result()

    def recent(self, key: SiteKey, since_ns: int) -> list[Written]:
        """What this desk has taken of a site since a moment, oldest first; it blocks."""
        return self._book.of_site(key, since_ns)

    def get(self, key: SiteKey, name: str) -> Written | None:
        """An entry that this desk has taken, by its id; it blocks."""
        return self._book.get(key, name)

    def queued(self, key: SiteKey) -> int:
        """Entries of a site that are saved here and not in the store yet."""
        way = self._ways.get(key)
        return way.flow.points_queued if way else 0

    def troubles(self, key: SiteKey) -> list[str]:
        """What keeps entries of a site from the store now, in words."""
        way = self._ways.get(key)
        return way.troubles if way else []

    def alive(self) -> bool:
        """Whether it runs."""
        return self._group is not None

    async def _send(self, key: SiteKey, ids: Sequence[str] | None) -> None:
        """Entries to the journal of their site, until they are there for good."""
        async with self._turn:
            waiting = await asyncio.to_thread(self._book.waiting, key, ids)
            if not waiting:
                return
            way, durable = self._way(key), asyncio.Event()
            for one in waiting[:-1]:
                way.flow.put(lines_of(one))
            way.flow.put(lines_of(waiting[-1]), durable.set)
            try:
                async with asyncio.timeout(_SAVED_S):
                    await durable.wait()
            except TimeoutError:
                reason = "; ".join(way.flow.troubles) or "the disk does not answer"
                raise JournalError(self._folder, f"not saved yet: {reason}") from None
            await asyncio.to_thread(self._book.durable, key, [one.id for one in waiting])

    async def _resume(self) -> str | None:
        """Open the journals of earlier processes and put into them what only the book has; why that failed, if so."""
        try:
            for path in sorted(self._folder.glob("*/*/journal")):
                self._way((path.parts[-3], path.parts[-2]))
            for key in await asyncio.to_thread(self._book.sites):
                await self._send(key, None)
        except JournalError as error:
            return str(error)
        return None

    def _way(self, key: SiteKey) -> Way:
        """The way of a site, opened when it is needed first.

        Raises:
            JournalError: it cannot be opened, or the desk does not run.
        """
        if (way := self._ways.get(key)) is not None:
            return way
        if self._group is None:
            raise JournalError(self._folder, "nothing is saved: the desk does not run")
        folder = self._folder / key[0] / key[1]
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            name = agent_id(folder, "desk")
        except ConfigError as error:
            raise JournalError(folder, error.reason) from error
        topics, place = AgentTopics(*key, name), Place("agent", *key, "", name)
        way = Way(folder, _LIMITS, self._mqtt, topics, "stored", self.clock, place, {"agent": name, "entries": True})
        self._ways[key] = way
        self._group.create_task(way.keep(f"entries {key[0]}/{key[1]}", self._keep_open))
        return way
