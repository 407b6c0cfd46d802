"""The contract of a store."""

from __future__ import annotations

from abc import ABC, abstractmethod


class Sink(ABC):
    """A store of time series. Idempotent by (series, time, field), last write wins.

    Attributes:
        name: how errors and logs call it; holds no secret.
    """

    name: str

    @abstractmethod
    async def write(self, company: str, body: bytes) -> None:
        """Store one body of line protocol (times in ns); returns once the store has it durably.

        Args:
            company: tenant the body belongs to; it selects the database, bucket or partition.
            body: line protocol, UTF-8, one or more lines.

        Raises:
            SinkUnavailable: the store cannot take it now, or what it got is unknown; send it again.
            RecordRejected: the store will never take this body as it is; nothing of it was stored.
        """

    async def close(self) -> None:
        """Let go of connections and files; nothing may be written afterwards."""
        return
