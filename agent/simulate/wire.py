"""A witness at the broker: when each reading was stored, and what crossed the wire twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from agent.supervise import keep_open
from pipelines.delivery.compress import unpack
from pipelines.delivery.mqtt import Message, MqttSession
from pipelines.delivery.mqtt_settings import MqttSettings
from pipelines.errors import PayloadRefused
from pipelines.place import OWN_MEASUREMENTS
from pipelines.sinks.lineprotocol import Column, parse
from pipelines.topics import DATA_FILTER

_TOLD: Final = ("gap", "filled")
"""Measurement and field that every point of a gap has."""
Series = tuple[str, str]
"""Machine and field."""


@dataclass(slots=True)
class Witness:
    """What was seen at the broker: about 80 bytes for each value of the run, as long as it lasts.

    Attributes:
        now_ns: the simulation's clock.
        last: newest value per machine and field.
        wire_duplicates: values that crossed the wire in more than one message.
        patience_s: longest wait before it looks for a broker again that is gone.
        retold_gaps: points of gaps that were told before, and are longer now or over.
    """

    now_ns: Callable[[], int]
    last: dict[Series, object] = field(default_factory=dict)
    wire_duplicates: int = 0
    patience_s: float = 30.0
    retold_gaps: int = 0
    _told: set[tuple[object, int]] = field(default_factory=set)
    _heard: set[str] = field(default_factory=set)
    _waiting: dict[str, list[tuple[dict[int, int], list[int]]]] = field(default_factory=dict)
    _stored: dict[Series, dict[int, int]] = field(default_factory=dict)

    @property
    def published(self) -> Mapping[Series, Collection[int]]:
        """Times of the values that were published, per machine and field, ns since 1970 UTC."""
        return self._stored

    async def run(self, settings: MqttSettings) -> NoReturn:
        """Listen for ever; ends by cancellation."""

        async def session(opened: Callable[[], None]) -> None:
            ended = asyncio.Event()
            async with MqttSession(settings, "sf-witness", self._on_message, on_end=ended.set) as link:
                await link.subscribe([DATA_FILTER, DATA_FILTER.replace("data", "stored")])
                opened()
                await ended.wait()
                if link.over is not None:
                    raise link.over

        await keep_open("witness", session, cap_s=self.patience_s)

    def accepted_ns(self, machine: str, name: str, time_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """When the store said it has the readings at these times; 0 where nobody heard it say so."""
        known = self._stored.get((machine, name), {})
        return np.array([known.get(one, 0) for one in time_ns.tolist()], dtype=np.int64)

    def _on_message(self, message: Message) -> None:
        if message.topic.endswith("/data"):
            self._published(message)
        else:
            self._confirmed(message)

    def _published(self, message: Message) -> None:
        try:
            body = unpack(message.payload, message.content_type)
        except PayloadRefused:
            return  # nobody can store it
        record = message.properties.get("record", "")
        parsed = parse(body)
        self._gaps(record, [one for one in parsed if (one.measurement, one.field) == _TOLD])
        waiting = self._waiting[record] = []
        for column in (one for one in parsed if one.measurement not in OWN_MEASUREMENTS):
            series = dict(column.tags).get("machine", ""), column.field
            self.last[series] = column.value[-1]
            seen, times = self._stored.setdefault(series, {}), column.time_ns.tolist()
            waiting.append((seen, times))
            for time_ns in times:
                if time_ns in seen:
                    self.wire_duplicates += 1
                else:
                    seen[time_ns] = 0

    def _gaps(self, record: str, columns: Sequence[Column]) -> None:
        """A gap that grows, or is over, is told again, also within one record, and is one point all the same."""
        if not columns or record in self._heard:  # crossed the wire twice
            return
        self._heard.add(record)
        for column in columns:
            for time_ns in column.time_ns.tolist():
                self.retold_gaps += (column.tags, time_ns) in self._told
                self._told.add((column.tags, time_ns))

    def _confirmed(self, message: Message) -> None:
        now_ns = self.now_ns()
        for record in message.payload.decode("ascii").split():
            for seen, times in self._waiting.pop(record, ()):
                for time_ns in times:
                    seen[time_ns] = seen[time_ns] or now_ns
