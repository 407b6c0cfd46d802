"""Entries that other programs send over MQTT: `sf/<company>/<site>/entry`, a JSON object or a list of them.

A message is acknowledged when its entries are on disk for good, or refused; the session is kept by the broker, so that
what is sent while the viewer is away comes later. What became of it is told on `…/entry/answer`.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson
import structlog

from pipelines.delivery.mqtt import Message, MqttSession
from pipelines.delivery.mqtt_settings import MqttSettings
from pipelines.errors import JournalError, LinkError
from pipelines.topics import ROOT
from viewer.entries.check import content_of
from viewer.entries.desk import EntryDesk
from viewer.entries.faults import EntryRefused, Fault
from viewer.entries.model import Entry, named
from viewer.entries.site import SiteKey

_GROUP: Final = "$share/entries/"
"""Of several viewers one takes a message."""
_KEPT_S: Final = 7 * 86_400
"""How long the broker keeps what comes while no viewer is there."""
_AT_ONCE: Final = 32
_AGAIN_S: Final = 5.0
_MOST_ENTRIES: Final = 1000
_OF_MESSAGES: Final = uuid.UUID("6c0e8b1a-6f0f-5b4e-9b1d-3c1f5f2a7d10")
log = structlog.get_logger()


def topic_of(key: SiteKey) -> str:
    """Where entries about a site are sent to."""
    return f"{ROOT}/{key[0]}/{key[1]}/entry"


def said(payload: bytes) -> list[dict[str, Any]]:
    """The entries of a message.

    Raises:
        EntryRefused: it is neither an object nor a list of at most 1,000.
    """
    try:
        found = orjson.loads(payload)
    except orjson.JSONDecodeError:
        found = None
    entries = found if isinstance(found, list) else [found]
    if not 0 < len(entries) <= _MOST_ENTRIES or not all(isinstance(one, dict) for one in entries):
        raise EntryRefused([Fault("", "object")])
    return entries


class Inbox:
    """Takes what comes over MQTT for the sites that a desk knows.

    Args:
        desk: keeps it.
        mqtt: the broker.
        client_id: at the broker; the same after a restart.
    """

    def __init__(self, desk: EntryDesk, mqtt: MqttSettings, client_id: str) -> None:
        self._desk = desk
        self._mqtt = mqtt
        self._client_id = client_id
        self._keys = {topic_of(key): key for key in desk.sites}

    async def run(self, opened: Callable[[], None]) -> None:
        """One session, from connect to its end.

        Args:
            opened: called once the session is up.

        Raises:
            LinkError: it could not be opened, or it ended.
        """
        came: asyncio.Queue[Message] = asyncio.Queue(_AT_ONCE)

        def take(message: Message) -> None:
            try:
                came.put_nowait(message)
            except asyncio.QueueFull:  # QoS 0, of which a broker sends as many as it likes
                log.warning("entry_dropped", topic=message.topic, reason="sent with QoS 0, and too many at once")

        session = MqttSession(
            self._mqtt, self._client_id, take, manual_ack=True, receive_maximum=_AT_ONCE, kept_s=_KEPT_S
        )
        async with session, asyncio.TaskGroup() as group:
            taking = group.create_task(self._take_all(session, came))
            try:
                await session.subscribe([_GROUP + topic for topic in self._keys])
                opened()
                over = await session.ended()
            except LinkError as error:  # out of the group as it is, not as an ExceptionGroup
                over = error
            taking.cancel()
        raise over

    async def _take_all(self, session: MqttSession, came: asyncio.Queue[Message]) -> None:
        while True:
            message = await came.get()
            key = self._keys.get(message.topic)
            if key is not None:
                answer = await self._answer(key, message.payload)
                session.publish(f"{message.topic}/answer", orjson.dumps(answer))
            session.ack(message)

    async def _answer(self, key: SiteKey, payload: bytes) -> Mapping[str, Any]:
        """Keep the entries of a message, all or none; what became of them."""
        try:
            raw = said(payload)
            refused: list[dict[str, Any]] = []
            entries: list[Entry] = []
            by_id: dict[str, Entry] = {}
            for at, one in enumerate(raw):
                try:
                    entries.append(await asyncio.to_thread(self._check, key, one, at, by_id))
                except EntryRefused as error:
                    refused += [_told(fault) | {"entry": at} for fault in error.faults]
        except EntryRefused as error:
            refused = [_told(fault) for fault in error.faults]
        if refused:
            log.warning("entry_refused", topic=topic_of(key), reason=refused[0]["en"], faults=len(refused))
            return {"saved": False, "faults": refused}
        return await self._saved(key, entries)

    def _check(self, key: SiteKey, raw: Mapping[str, Any], at: int, by_id: dict[str, Entry]) -> Entry:
        """An entry; one without an id gets one of what it says, so that a message that comes again is the same."""
        entry = self._desk.check(key, {"id": str(_OF_MESSAGES), **raw})
        if not raw.get("id"):
            return named(entry, _OF_MESSAGES, at)
        if content_of(by_id.setdefault(entry.id, entry)) != content_of(entry):
            raise EntryRefused([Fault("id", "taken")])
        return entry

    async def _saved(self, key: SiteKey, entries: list[Entry]) -> Mapping[str, Any]:
        """Keep entries, however long the disk refuses."""
        while True:
            try:
                taken = await self._desk.save(key, entries, "mqtt")
            except JournalError as error:
                log.warning("entry_waits", topic=topic_of(key), reason=str(error))
                await asyncio.sleep(_AGAIN_S)
            else:
                return {"saved": True, "ids": [one.id for one in taken]}


def _told(fault: Fault) -> dict[str, Any]:
    return {"field": fault.where, "ko": fault.line("ko"), "en": fault.line("en")}
