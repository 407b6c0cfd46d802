"""Configuration of an MTConnect connection and its tags. Imports no protocol library."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from pipelines.settings import ConnectionSettings, EventSettings, TagSettings, authority


def _endpoint(text: str) -> str:
    parts = urlsplit(text)
    try:
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if parts.scheme not in {"http", "https"} or not usable or parts.query or parts.fragment:
        msg = "must be http://host:port or https://host:port, as in http://192.168.0.30:5000"
        raise ValueError(msg)
    if "@" in parts.netloc:
        msg = "must not hold a user or a password; MTConnect knows none"
        raise ValueError(msg)
    return text.rstrip("/")


def _data_item(text: str) -> str:
    if len(text.split()) != 1 or text != text.strip():
        msg = "must be the id or the name of one data item, without space; `agent browse` lists them"
        raise ValueError(msg)
    return text


def _device(text: str) -> str:
    if not text or any(sign in text for sign in " /?#"):
        msg = "must be the name or the uuid of one device, without space, '/', '?' and '#'"
        raise ValueError(msg)
    return text


AgentEndpoint = Annotated[str, AfterValidator(_endpoint)]
"""`http://host:port`, without user and password."""
DataItem = Annotated[str, Field(max_length=256), AfterValidator(_data_item)]
"""Id or name of a data item."""


class MtConnectTag(TagSettings):
    """One data item of an MTConnect device."""

    data_item: DataItem
    """Id of the data item (`agent browse` lists them), or its name where that is unique in the device."""
    datatype: Literal["auto", "float64", "int64", "string"] = "auto"
    """Type of the value. `auto`: a SAMPLE, and an EVENT with a unit, is a float; an EVENT that counts is an int; any
    other EVENT is text; a CONDITION is its level as text, the worst one when several are active. A position in space
    becomes the fields `_x`, `_y`, `_z`, a data set one field per entry; the tag itself then says `[3]` or `{5}`."""


class MtConnectEvent(EventSettings):
    """Conditions that become alarms."""

    data_item: DataItem | None = None
    """Id or name of a condition; default: every condition of the device."""


class MtConnectConnection(ConnectionSettings):
    """An MTConnect agent: the HTTP server beside, or inside, a machine tool.

    It is asked for everything since the last answer, so that no change between two polls is lost as long as the agent's
    buffer holds it. Faults, warnings and their end become points of measurement `alarm` where `events` asks for them.
    """

    type: Literal["mtconnect"]
    """Kind of connection."""
    endpoint: AgentEndpoint
    """Where the agent answers: `http://host:port` or `https://host:port`; a path in front of `probe` may follow."""
    device: Annotated[str, Field(max_length=128), AfterValidator(_device)] | None = None
    """Name or uuid of the device; needed only where an agent serves several and a name of a data item is not unique."""
    period_s: Annotated[float, Field(gt=0)] = 1.0
    """Time between two polls, seconds. Every change in between is delivered with its own time."""
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 5.0
    """Longest wait for a whole answer, seconds."""
    count: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """Most observations in one answer, and never more than the agent's buffer holds; while it has more, it is asked
    again at once."""
    max_bytes: Annotated[int, Field(ge=65_536, le=268_435_456)] = 16_777_216
    """A longer answer ends the link, bytes."""
    ca_file: Path | None = None
    """Certificates that an https agent is held to; default: those of the system. There is no way to skip the check."""
    tags: tuple[MtConnectTag, ...] = ()
    """Data items to collect."""
    events: tuple[MtConnectEvent, ...] = ()
    """Conditions to collect as alarms."""

    def where(self) -> str:
        """The endpoint."""
        return self.endpoint

    def moved(self, host: str, port: int) -> Self:
        """The same agent elsewhere; scheme and path stay."""
        parts = urlsplit(self.endpoint)
        return self.model_copy(update={"endpoint": f"{parts.scheme}://{authority(host, port)}{parts.path}"})

    @model_validator(mode="after")
    def _checked(self) -> Self:
        if self.ca_file is not None and not self.endpoint.startswith("https:"):
            msg = "ca_file needs an https endpoint"
            raise ValueError(msg)
        return self
