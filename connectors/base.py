"""The contract every connector keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

from pipelines.clock import Clock
from pipelines.parts import Parts
from pipelines.point import Delivery
from pipelines.settings import ConnectionSettings
from pipelines.stats import LinkStats


class Note(Protocol):
    """Something that takes a line for the log."""

    def __call__(self, event: str, /, **values: object) -> None:
        """Tell of `event` (snake_case)."""


def _unheard(event: str, /, **values: object) -> None:
    """Nobody keeps a log."""


@dataclass(frozen=True, slots=True)
class LinkContext:
    """What a link is opened with.

    Attributes:
        settings: the connection's own configuration model.
        resume: the last `Delivery.resume` that was committed, or None for a first start.
        clock: wall and monotonic time.
        stats: counters of this connection; they outlive the link.
        absence: cause to write into the gaps that this link's first delivery closes: `agent_down` for the first link
            of a process, `no_communication` for a later one.
        parts: rows for elements of arrays and fields of structures, behind the configured tags.
        state_dir: the agent's state folder; a connector keeps what it learnt of its devices there. None: nothing is
            kept.
        note: tells the log of something worth a line, such as the sequence numbers recovered after a reconnect: an
            event name in snake_case and its values. Never on the hot path.
        heard: for a recording, takes everything the device answers as it came, by the kinds and keys that
            `simulators.replay.recording` lists (bytes as bytes, without `k`, `c` and `t`); None: nobody records.
    """

    settings: Any
    resume: bytes | None
    clock: Clock
    stats: LinkStats
    absence: str = "no_communication"
    parts: Parts = None  # type: ignore[assignment]
    state_dir: Path | None = None
    note: Note = _unheard
    heard: Note | None = None

    def __post_init__(self) -> None:
        """A context without parts gets its own."""
        if self.parts is None:
            object.__setattr__(self, "parts", Parts(len(self.settings.tag_list())))


class Connector(ABC):
    """One open link to one device, continuing where `resume` left off.

    Raises a `LinkError` from `__aenter__` or `deliveries` and ends; it never reopens itself. Nothing here retries,
    counts links or logs: the supervisor does. Its tasks live in one TaskGroup that ends with the link.
    """

    answers_at_open: ClassVar[bool] = True
    """Whether a link that is open has heard the device. False: an open port says nothing of who is behind it, and the
    link counts as connected from its first delivery on that says anything but BadNoCommunication."""

    def __init__(self, context: LinkContext) -> None:
        self.context = context

    @abstractmethod
    async def __aenter__(self) -> Self:
        """Open the link.

        Raises:
            LinkError: it cannot be opened.
        """

    @abstractmethod
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the link; never raises because the device is gone."""

    @abstractmethod
    def deliveries(self) -> AsyncIterator[Delivery]:
        """Deliveries, oldest first; the consumer calls `delivery.accepted()` once they are durable.

        Raises:
            LinkError: the link ended.
        """


@dataclass(frozen=True, slots=True)
class Found:
    """One readable thing in a device's address space.

    Attributes:
        path: browse path as people read it.
        address: what to write into the configuration.
        datatype: type name, empty for a folder.
        value: current value as text, empty when not read.
        unit: engineering unit, empty when the device does not say.
        usual: lowest and highest value in normal operation, as the device says; None = it does not.
        possible: lowest and highest value that can be measured, as the device says; None = it does not.
        label: how the device calls it to people, empty when that is the name in the path.
        tag: keys of a tag that collects it; None for a folder, and for what is no reading.
    """

    path: str
    address: str
    datatype: str
    value: str
    unit: str = ""
    usual: tuple[float, float] | None = None
    possible: tuple[float, float] | None = None
    label: str = ""
    tag: dict[str, str] | None = None


@runtime_checkable
class Browsable(Protocol):
    """A link that can list what the device has."""

    def browse(self, depth: int | None = None, most: int | None = None) -> AsyncIterator[Found]:
        """What is readable, depth first.

        Args:
            depth: levels from the top; None = all.
            most: entries after which the device need not be asked on, though more may come; None = no limit.
        """
        ...


@dataclass(frozen=True, slots=True)
class ProbeOptions:
    """How a device is looked at.

    Attributes:
        units: what to ask, as written on the command line; empty = what is likely.
        ranges: which addresses, as written on the command line; empty = what is likely.
        pause_s: silence before each request, seconds.
        budget_s: time for everything, seconds.
        reads: how often everything found is read.
        timeout_s: longest wait for a reply, seconds.
    """

    units: str = ""
    ranges: str = ""
    pause_s: float = 0.02
    budget_s: float = 60.0
    reads: int = 3
    timeout_s: float = 1.0


@runtime_checkable
class Probeable(Protocol):
    """Finds out what a device has that cannot tell it: one request at a time, reads only, within a budget."""

    def probe(self) -> AsyncIterator[str]:
        """Look, and tell of the progress; what was found so far can be asked for at any time.

        Raises:
            LinkError: the device cannot be reached.
        """
        ...

    def result(self) -> dict[str, Any]:
        """Everything found, for JSON."""
        ...

    def lines(self) -> Iterator[str]:
        """Everything found, for people."""
        ...

    def proposal(self) -> str:
        """A complete configuration file; empty when there is nothing to read."""
        ...


__all__ = ["Browsable", "ConnectionSettings", "Connector", "Found", "LinkContext", "ProbeOptions", "Probeable"]
