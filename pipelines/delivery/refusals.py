"""What the store refused of a record, on the agent's side: into the quarantine, into the ledger, and then released."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import structlog

from pipelines.delivery.outbox import Outbox
from pipelines.encode.split import split_lines, time_of
from pipelines.errors import JournalCorrupt, JournalError
from pipelines.journal.journal import Stored
from pipelines.quarantine import Quarantine
from pipelines.topics import RecordId

_PARKED_S: Final = 60.0
"""How often a record is tried again that the store refuses and the quarantine does not take."""
_LOGGED: Final = 3
"""Lines of a record that are logged."""
_SHOWN: Final = 400
"""Characters of them."""
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Expired:
    """Points of one record that are older than the store keeps.

    Attributes:
        points: how many.
        first_ns: oldest time, ns since 1970 UTC.
        last_ns: newest time.
        reason: the store's.
    """

    points: int
    first_ns: int
    last_ns: int
    reason: str

    def lines(self, payload: bytes) -> list[str]:
        """The lines of the record that they are of: a store keeps nothing that is older than what it refuses."""
        found = ((line, time_of(line)) for line in split_lines(payload))
        return [line.decode(errors="replace") for line, at in found if at is not None and at <= self.last_ns]


def _nobody(*_: object) -> None:
    """Nobody listens yet."""


def _at_once(_: Expired, told: Callable[[], None]) -> None:
    """Nobody keeps a gap of it."""
    told()


class Refusals:
    """Acts on what the bridge says of refused records.

    What waits for the disk does so in a thread, one record after the other: hundreds may be refused at once, and a slow
    disk must not hold up who reads devices. No more wait than are in the window.

    Args:
        outbox: the window over the journal.
        quarantine: keeps what the store refused.

    Attributes:
        on_refused: told, in that thread, of a record's lines the store will never take (None = all of them), the values
            in them, and how many of these are too old, before the record is released; a JournalError keeps the record.
        on_expired: told of points that are too old; calls back once that is durable.
    """

    def __init__(self, outbox: Outbox, quarantine: Quarantine) -> None:
        self.on_refused: Callable[[RecordId, Sequence[str] | None, int, int], None] = _nobody
        self.on_expired: Callable[[Expired, Callable[[], None]], None] = _at_once
        self._outbox = outbox
        self._quarantine = quarantine
        self._keeping: set[RecordId] = set()
        self._parked_s = 0.0
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="refusals")

    def close(self) -> None:
        """Wait for what is being kept; what is not begun is sent again after the next start."""
        self._worker.shutdown(cancel_futures=True)

    def keeps(self, record: RecordId) -> bool:
        """Whether a record is on its way into the quarantine, or told as a gap: it is not to be sent."""
        return record in self._keeping

    def heed(self, stored: Stored, refusal: dict[str, Any]) -> None:
        """A record with lines the store refused: the lines go to quarantine, then the record goes.

        Args:
            stored: the record, in the window.
            refusal: what came on the topic `rejected`.

        Raises:
            ValueError: it is not understood.
            KeyError: it is not understood.
            TypeError: it is not understood.
        """
        if "reason" in refusal:
            self.keep_whole(stored, str(refusal["reason"]))
            return
        refused: list[dict[str, Any]] = [
            {
                "line": str(one["line"]),
                "field": str(one["field"]),
                "points": max(0, int(one["points"])),
                "reason": str(one["reason"]),
            }
            for one in refusal["refused"]
        ]
        said = refusal.get("expired")
        expired = said and Expired(
            max(0, int(said["points"])), int(said["first_ns"]), int(said["last_ns"]), str(said["reason"])
        )
        points = min(sum(one["points"] for one in refused), stored.points)
        lines = [one["line"] for one in refused]
        too_old = 0
        if expired:
            too_old = min(expired.points, stored.points - points)
            try:
                lines += expired.lines(stored.payload())
            except (JournalError, OSError) as error:
                self._park(stored, str(error))
                return

        def keep() -> None:
            if refused:
                self._quarantine.put(stored.id, refused)
            self.on_refused(stored.id, lines, points + too_old, too_old)

        def kept() -> None:
            for one in refused[:_LOGGED]:
                line = one["line"][:_SHOWN]
                log.error("point_quarantined", line=line, reason=one["reason"], kept_in=str(self._quarantine.path))
            if expired:
                log.warning("points_expired", record=str(stored.id), points=expired.points, reason=expired.reason)
                self.on_expired(expired, partial(self._leave, stored, points, too_old))
            else:
                self._leave(stored, points)

        self._durably(stored, keep, kept)

    def keep_whole(self, stored: Stored, reason: str) -> None:
        """A record that cannot get through: all its lines go to quarantine, then it goes.

        Its values are counted with its first line, since only the journal knows how many there are.
        """
        if self._outbox.get(stored.id) is None or self.keeps(stored.id):
            return
        try:
            lines = split_lines(stored.payload())
            refused = [
                {
                    "line": line.decode(errors="replace"),
                    "field": "*",
                    "points": 0 if number else stored.points,
                    "reason": reason,
                }
                for number, line in enumerate(lines)
            ]
        except JournalCorrupt as error:
            log.error("record_altered_on_disk", path=str(error.path), reason=error.reason)  # noqa: TRY400 - it says all
            self._outbox.give_up(stored.id)
            return
        except OSError as error:
            self._park(stored, str(error))
            return

        def keep() -> None:
            self._quarantine.put(stored.id, refused)
            self.on_refused(stored.id, None, stored.points, 0)

        def kept() -> None:
            kept_in = str(self._quarantine.path)
            log.error("record_quarantined", record=str(stored.id), points=stored.points, reason=reason, kept_in=kept_in)
            self._leave(stored, stored.points)

        self._durably(stored, keep, kept)

    def try_parked(self, now_s: float) -> None:
        """Send again what neither store nor quarantine took, when there may be room."""
        if self._outbox.parked and (not self._quarantine.trouble or now_s - self._parked_s > _PARKED_S):
            self._parked_s = now_s
            self._outbox.unpark()

    def _durably(self, stored: Stored, keep: Callable[[], None], kept: Callable[[], None]) -> None:
        """Call `keep` in the thread, then `kept` here; a record that cannot be kept is parked."""
        if stored.id in self._keeping:
            return
        self._keeping.add(stored.id)

        def ended(keeping: asyncio.Future[None]) -> None:
            if keeping.cancelled():
                return
            try:
                keeping.result()
            except (JournalError, OSError) as error:
                self._keeping.discard(stored.id)
                self._park(stored, str(error))
            else:
                kept()

        asyncio.get_running_loop().run_in_executor(self._worker, keep).add_done_callback(ended)

    def _leave(self, stored: Stored, refused_points: int, expired_points: int = 0) -> None:
        """It is kept, or told, for good."""
        self._keeping.discard(stored.id)
        now_s = time.monotonic()
        self._outbox.confirm(stored.id, now_s, refused_points=refused_points, expired_points=expired_points)

    def _park(self, stored: Stored, reason: str) -> None:
        """What the store refuses and the quarantine does not take stays in the journal, out of the others' way."""
        if not self._outbox.parked:  # health goes on saying it
            log.error("quarantine_failing", record=str(stored.id), reason=reason)
        self._outbox.park(stored.id)
        self._parked_s = time.monotonic()
