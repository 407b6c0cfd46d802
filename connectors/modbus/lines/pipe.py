"""What carries bytes: the contract of stream, datagrams and serial port towards the wire on top."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pipelines.errors import LinkError


class Pipe(Protocol):
    """An open way to a device."""

    def send(self, data: bytes) -> None:
        """Send a request; never waits, never raises."""
        ...

    def waited_s(self) -> float:
        """How long the newest bytes waited before they were taken, seconds; 0 where the system does not say."""
        ...

    def abort(self) -> None:
        """Close at once; nothing is received any more."""
        ...

    async def closed(self) -> None:
        """Until nothing of it is left."""
        ...


class Listener(Protocol):
    """Who hears what comes in."""

    def received(self, data: bytes) -> None:
        """Bytes of a stream, or one datagram."""
        ...

    def lost(self, kind: type[LinkError], why: str) -> None:
        """The pipe ended."""
        ...
