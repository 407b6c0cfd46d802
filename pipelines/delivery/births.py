"""Whether another process publishes under this agent's identity: a cloned disk, or the same name in two files.

Every session publishes a retained birth with the epoch of its process. A birth that neither this process nor one before
it on this state folder published is another agent's: this one stops, says so to the other one, which stops too, and
keeps what it collects until a person decided which of the two is a new agent. A folder that never published takes the
birth it finds for its predecessor's: a PC that was replaced.
"""

from __future__ import annotations

import os
import secrets
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from pipelines.errors import JournalError
from pipelines.journal.segment import sync_folder, write_all

_KEPT: Final = 64
"""Epochs and sessions that are remembered; the retained birth is the last one's, or one of few before it."""
_SHOWN: Final = 8


class Births:
    """The births of one agent.

    Args:
        folder: the state folder; the epochs of its processes are kept there.
        epoch: of this process.
        journaled: epochs of the journal's segments.
        facts: what a birth says of this agent.

    Attributes:
        facts: the same, which may change.
        rival: who else publishes under this identity, and what to do; empty while nobody does.
    """

    def __init__(self, folder: Path, epoch: str, journaled: Iterable[str], facts: Mapping[str, Any]) -> None:
        self.path = folder / "epochs.json"
        self.rival = ""
        self._epoch = epoch
        self.facts = facts
        self._self = {"epoch": epoch, "host": os.uname().nodename}
        self._published = self._read()
        self._new = not self._published
        self._known = {*self._published, *journaled, epoch}
        self._sessions: deque[str] = deque(maxlen=_KEPT)

    def is_own(self, epoch: str) -> bool:
        """Whether it is of this process, or of one before it on this state folder."""
        return epoch in self._known

    def add(self, epoch: str) -> None:
        """A segment of the journal that the start had no time to read is of this epoch."""
        self._known.add(epoch)

    def keep(self) -> None:
        """Make this process's epoch durable; to be called before its first birth goes out.

        Raises:
            JournalError: it could not be kept: after a restart its own birth may look like another agent's.
        """
        self._new = False
        self._remember(self._epoch)

    def birth(self) -> bytes:
        """The birth of a session that begins, JSON."""
        self._sessions.append(secrets.token_hex(8))
        return orjson.dumps({**self.facts, **self._self, "session": self._sessions[-1]})

    def protest(self) -> bytes:
        """What the other one is told, JSON; not to be retained."""
        return orjson.dumps({**self.facts, **self._self, "protest": True})

    def heard(self, payload: bytes, *, retained: bool, kept: bool = False) -> bool:
        """A birth came.

        Args:
            payload: its JSON.
            retained: whether it is the last one of this identity, and not one that goes out now.
            kept: whether it may have come while nobody listened here: then it says nothing of who publishes now.

        Returns:
            Whether it is the one of the session that began last: what came before that is heard.

        Raises:
            JournalError: another's epoch could not be kept: the alarm comes again after a restart.
        """
        try:
            birth = orjson.loads(payload)
            epoch, session = str(birth["epoch"]), birth.get("session")
        except (ValueError, KeyError, TypeError, AttributeError):
            return False  # taken back, or no birth at all
        if epoch == self._epoch:
            if session is not None and session not in self._sessions:
                self._stop(epoch, str(birth.get("host")), "a copy of this running process")
            return session in list(self._sessions)[-1:]
        if retained and (self._new or epoch in self._known):
            self._known.add(epoch)
        elif retained or not kept:
            self._stop(epoch, str(birth.get("host")), "another agent")
            self._remember(epoch)  # whoever starts this one again says that it is the one
        return False

    def _stop(self, epoch: str, host: str, who: str) -> None:
        own = f"{self._epoch[:_SHOWN]} on {self._self['host']}"
        self.rival = (
            f"{who} runs under the same identity: {epoch[:_SHOWN]!r} on {host[:60]!r}, this one is {own}. Nothing is "
            "sent until one of the two is a new agent: stop the copy, delete identity.json in its state folder (or "
            "change its agent.name), start it, and then start the other one again"
        )

    def _remember(self, epoch: str) -> None:
        self._known.add(epoch)
        if epoch in self._published:
            return
        kept = [*self._published, epoch][-_KEPT:]
        fresh = self.path.with_suffix(".new")
        try:
            fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                write_all(fd, orjson.dumps(kept), 0)
                os.fsync(fd)
            finally:
                os.close(fd)
            fresh.replace(self.path)
            sync_folder(self.path.parent)
        except OSError as error:
            raise JournalError(self.path, f"cannot keep an epoch: {error.strerror}; free space on this disk") from error
        self._published = kept

    def _read(self) -> list[str]:
        try:
            kept = orjson.loads(self.path.read_bytes())
        except (OSError, ValueError):
            return []
        return [str(one) for one in kept] if isinstance(kept, list) else []
