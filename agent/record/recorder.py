"""Reads connections as `agent run` does, and writes down what they answer instead of sending it on."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog

from agent.reading import OPEN_S, TAG_OPEN_S
from agent.record.kept import Mask
from agent.record.writer import Writer
from agent.supervise import DEVICE_CAP_S, in_time, keep_open
from connectors.base import LinkContext
from connectors.registry import AnyConnection, load, make_link
from pipelines.clock import Clock
from pipelines.errors import DependencyError, LinkError, LinkRefused, LinkTimeout, LinkUntrusted
from pipelines.parts import Parts
from pipelines.point import Gap
from pipelines.stats import LinkStats

log = structlog.get_logger()
_SYNC_S: Final = 1.0
_ANY_SERVER: Final = "urn:anonymous:server"
_EVENTS: Final = {LinkRefused: "refused", LinkTimeout: "timeout", LinkUntrusted: "untrusted"}


@dataclass
class Tally:
    """What was recorded so far.

    Attributes:
        answers: of devices: responses of Modbus, values of OPC UA; refusals among them.
        silences: requests without an answer.
        losses: how often a link ended, or could not be opened.
        connected: names of the links that are open.
    """

    answers: int = 0
    silences: int = 0
    losses: Counter[str] = field(default_factory=Counter)
    connected: set[str] = field(default_factory=set)


class Recorder:
    """Every connection of one recording.

    Args:
        connections: what is read, in the order of the header.
        writer: of the file, behind its header.
        clock: wall and monotonic time.
        state_dir: the agent's own certificate and trust list.
        mask: takes names out.

    Attributes:
        tally: what was recorded so far.
    """

    def __init__(
        self, connections: Sequence[AnyConnection], writer: Writer, clock: Clock, state_dir: Path, mask: Mask
    ) -> None:
        load(one.type for one in connections)
        self.tally = Tally()
        self._connections = connections
        self._writer = writer
        self._clock = clock
        self._state_dir = state_dir
        self._mask = mask
        self._broken: OSError | None = None

    @property
    def bytes_written(self) -> int:
        """Size of the file."""
        return self._writer.bytes_written

    async def run(self, stop: asyncio.Event, most_bytes: int) -> None:
        """Record until `stop`, or until the file is as large as it may be; the file is whole then.

        Raises:
            DependencyError: the disk takes nothing.
        """
        async with asyncio.TaskGroup() as group:
            links = [
                group.create_task(_Link(position, one, self).keep_open(), name=one.name)
                for position, one in enumerate(self._connections)
            ]
            while not stop.is_set() and self._writer.bytes_written < most_bytes and self._broken is None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_SYNC_S):
                        await stop.wait()
                try:
                    self._writer.flush()
                    await asyncio.to_thread(self._writer.sync)
                except OSError as error:
                    self._broken = error
            for task in links:
                task.cancel()
        if self._broken is not None:
            raise DependencyError(str(self._writer.path), f"cannot write: {self._broken.strerror}")
        self._writer.write("end", t=self._clock.now_ns())

    def heard(self, position: int, kind: str, /, **fields: Any) -> None:
        """Write down what a link heard; what a line means is in `simulators.replay.recording`."""
        if kind == "modbus":
            if "data" in fields:
                fields["data"] = self._mask.raw(fields["data"]).hex()
            self.tally.silences += "silence" in fields
            self.tally.answers += "silence" not in fields
        elif kind == "opcua":
            fields["items"] = [(row, b64encode(self._mask.raw(raw)).decode()) for row, raw in fields["items"]]
            self.tally.answers += len(fields["items"])
        elif kind == "nodes":
            fields = {key: self._mask.text(one) for key, one in self._nameless(position, fields).items()}
        self._write(kind, c=position, t=self._clock.now_ns(), **fields)

    def gap(self, position: int, gap: Gap) -> None:
        """Write down what a link says was not read."""
        tags = self._connections[position].tag_list()
        if 0 <= gap.tag < len(tags):
            names = self._mask.text([tags[gap.tag].name])
            self._write("gap", c=position, cause=gap.cause, start=gap.start_ns, end=gap.end_ns, tags=names)

    def _write(self, kind: str, **fields: Any) -> None:
        """A disk that takes nothing is no fault of the link that is just heard."""
        try:
            if self._broken is None:
                self._writer.write(kind, **fields)
        except OSError as error:
            self._broken = error

    def _nameless(self, position: int, fields: dict[str, Any]) -> dict[str, Any]:
        """Without the server's own URI, which has its host in it as a rule, unless the configuration needs it."""
        names = fields["namespaces"]
        tags = self._connections[position].tag_list()
        if self._mask.active and len(names) > 1 and not any(names[1] in f"{one}" for one in tags):
            return fields | {"namespaces": [names[0], _ANY_SERVER, *names[2:]]}
        return fields

    def context(self, position: int, stats: LinkStats, parts: Parts, resume: bytes | None) -> LinkContext:
        """What a link is opened with."""
        settings = self._connections[position]
        return LinkContext(
            settings,
            resume,
            self._clock,
            stats,
            parts=parts,
            state_dir=self._state_dir,
            note=partial(log.info, link=settings.name),
            heard=partial(self.heard, position),
        )


class _Link:
    """The links to one device, one after the other."""

    def __init__(self, position: int, settings: AnyConnection, recorder: Recorder) -> None:
        self._position = position
        self._settings = settings
        self._recorder = recorder
        self._resume: bytes | None = None
        self._stats = LinkStats()
        self._parts = Parts(len(settings.tag_list()))

    async def keep_open(self) -> None:
        """For ever; ends by cancellation."""
        await keep_open(self._settings.name, self._session, cap_s=DEVICE_CAP_S)

    async def _session(self, opened: Callable[[], None]) -> None:
        told = partial(self._recorder.heard, self._position, "link")
        tally, name = self._recorder.tally, self._settings.name
        told(event="opening")
        try:
            async with AsyncExitStack() as stack:
                async with in_time(self._settings.where(), OPEN_S + len(self._settings.tag_list()) * TAG_OPEN_S):
                    context = self._recorder.context(self._position, self._stats, self._parts, self._resume)
                    link = await stack.enter_async_context(make_link(self._settings.type, context))
                told(event="open")
                tally.connected.add(name)
                opened()
                async for delivery in link.deliveries():
                    self._resume = delivery.resume or self._resume
                    for gap in delivery.gaps:
                        self._recorder.gap(self._position, gap)
                    delivery.accepted()
        except LinkError as error:
            event = next((word for kind, word in _EVENTS.items() if isinstance(error, kind)), "closed")
            tally.losses[event] += 1
            told(event=event)
            raise
        finally:
            tally.connected.discard(name)
