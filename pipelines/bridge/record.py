"""A message as a record, or why it is none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from pydantic import TypeAdapter, ValidationError

from pipelines.bridge.belongs import fault_of
from pipelines.delivery.compress import unpack
from pipelines.delivery.mqtt import Message
from pipelines.errors import PayloadRefused
from pipelines.settings import Name
from pipelines.topics import AgentTopics, RecordId

_COMPANY: Final[TypeAdapter[str]] = TypeAdapter(Name)


@dataclass(frozen=True, slots=True)
class Record:
    """A record on its way to the store.

    Attributes:
        message: to be acknowledged; its payload unpacked.
        topics: of its agent.
        id: its identity.
        body: line protocol, without the last newline.
    """

    message: Message
    topics: AgentTopics
    id: RecordId
    body: bytes


@dataclass(frozen=True, slots=True)
class Stranger:
    """A message that is no record, or not its agent's own.

    Attributes:
        reason: why.
        topics: of the agent to be told; None when there is none.
        id: of the record it claims to be.
    """

    reason: str
    topics: AgentTopics | None = None
    id: RecordId | None = None


def record_of(message: Message) -> Record | Stranger:
    """The record a message is, or why it is none."""
    try:
        topics = AgentTopics.of(message.topic)
        if not _is_name(topics.company):
            return Stranger("the company names a database: letters, digits, '_', '.' and '-' only")
        record = RecordId.parse(message.properties["record"])
    except KeyError:
        return Stranger("no User Property `record`")
    except ValueError as error:
        return Stranger(str(error))
    try:
        message = replace(message, payload=unpack(message.payload, message.content_type))
    except PayloadRefused as error:
        return Stranger(str(error), topics, record)
    body = message.payload.rstrip(b"\n")
    if fault := fault_of(body, topics.company, topics.site):
        return Stranger(fault, topics, record)
    return Record(message, topics, record, body)


def _is_name(text: str) -> bool:
    try:
        _COMPANY.validate_python(text)
    except ValidationError:
        return False
    return True
