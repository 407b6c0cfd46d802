"""Configuration of an OPC UA connection."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from connectors.opcua.address import BrowsePath, NodeAddress, checked_node
from connectors.opcua.events.types import EVENT_TYPES
from connectors.opcua.security.config import OpcUaSecurity
from pipelines.parts import MOST_PER_TAG
from pipelines.settings import ConnectionSettings, EventSettings, HostPort, Name, Settings, TagSettings, authority

MOST_JSON_ELEMENTS: Final = 32_768
"""Two characters each fill the longest text an InfluxDB field holds."""
MOST_TEXT_BYTES: Final = 65_535


def _endpoint(text: str) -> str:
    parts = urlsplit(text)
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme != "opc.tcp" or not parts.hostname or not port:
        msg = "must be opc.tcp://host:port or opc.tcp://host:port/path"
        raise ValueError(msg)
    if "@" in parts.netloc:
        msg = "must not hold a user or a password; set user and password_file"
        raise ValueError(msg)
    return text


def _event_type(text: str) -> str:
    if text in EVENT_TYPES:
        return text
    if text.isidentifier():
        close = get_close_matches(text, EVENT_TYPES, 1)
        hint = f"; did you mean {close[0]}?" if close else "; write its node id"
        msg = f"is no event type of the standard{hint}"
        raise ValueError(msg)
    return checked_node(text)


Endpoint = Annotated[str, AfterValidator(_endpoint)]
"""`opc.tcp://host:port/path`, without user and password."""


EventType = Annotated[str, AfterValidator(_event_type)]
"""An event type: its name in the standard or a node id."""


class OpcUaEvents(EventSettings):
    """Events and alarms of one notifier: an object of the server whose events can be subscribed to."""

    node: NodeAddress = "i=2253"
    """Node id of the notifier. `i=2253` is the Server object, which reports the events of the whole server."""
    severity_min: Annotated[int, Field(ge=1, le=1000)] = 1
    """Least severity, 1–1000 (OPC 10000-5 §6.4.2); the server leaves out what is below, but never
    the end of an alarm."""
    types: tuple[EventType, ...] = ()
    """Event types to take, subtypes included: names of the standard such as `AlarmConditionType`, or node ids; empty =
    all."""
    name: Name | None = None
    """What the names of these alarms begin with; default: the name of the event's source."""
    queue_size: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    """Events the server keeps for an absent agent."""


class OpcUaTag(TagSettings):
    """One variable of an OPC UA server."""

    node: NodeAddress = ""
    """Node id: `ns=2;s=…`, `nsu=urn:x;s=…` (looked up in the NamespaceArray on every open), `i=`, `g=`, `b=`."""
    path: BrowsePath = ""
    """Browse path from the root, `/Objects/nsu=urn:x;Press1/Force`: a name without `nsu=` or `index:` has the
    namespace of the name before it. Looked up on every open and when the node is gone, so that it outlives a download
    that numbers the nodes anew. With `node` too, the path decides; `node` is for a server that looks up no paths."""
    mode: Literal["subscribe", "read"] = "subscribe"
    """`subscribe`: every change the server samples. `read`: read once every `period_s`."""
    sampling_interval_s: Annotated[float, Field(ge=0)] | None = None
    """How often the server looks at the variable, seconds; default: the connection's. 0 = as fast as it can."""
    queue_size: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Samples the server keeps for this tag between two publishes; default: the connection's."""
    trigger: Literal["status", "status_value", "status_value_timestamp"] = "status_value_timestamp"
    """What the server reports: a new status, also a new value, also the same value with a new source time."""
    deadband_on: Literal["agent", "server"] = "agent"
    """Who holds back changes inside `deadband`. `agent`: compared with what was stored. `server`: the server sends
    less; one that refuses is asked without, and the agent's own deadband does it. `percent` without `range` is then of
    the server's EURange."""
    period_s: Annotated[float, Field(gt=0)] | None = None
    """Time between two cyclic reads, seconds; default: the connection's."""
    arrays: Literal["elements", "json"] = "elements"
    """`elements`: an array becomes a field for each element, `<name>_0`, `<name>_1` and so on, a matrix `<name>_0_1`.
    `json`: one text. It holds for arrays inside structures too; a structure's fields are always `<name>_<field>`."""
    max_elements: Annotated[int, Field(ge=1, le=MOST_JSON_ELEMENTS)] = MOST_PER_TAG
    """Most single values in an array or a structure; beyond, the reading is `BadEncodingLimitsExceeded`. At most 1024
    unless `arrays` is `json`."""
    max_bytes: Annotated[int, Field(ge=1, le=MOST_TEXT_BYTES)] = 4096
    """Longest String or ByteString; beyond, the reading is `BadEncodingLimitsExceeded`, never cut. A ByteString is
    stored as hexadecimal text, two characters a byte."""

    def tells_changes_alone(self) -> bool:
        """See `TagSettings`: a subscription that is taken over tells nothing of what did not change."""
        return self.mode == "subscribe"

    def device_has_range(self) -> bool:
        """Whether a percent deadband may be of the server's own range."""
        return self.deadband_on == "server"

    @model_validator(mode="after")
    def _fits_mode(self) -> Self:
        if not self.node and not self.path:
            msg = "a tag needs a node or a path"
            raise ValueError(msg)
        if self.deadband_on == "server" and self.deadband is None:
            msg = "deadband_on: server needs a deadband"
            raise ValueError(msg)
        if self.mode == "read" and (self.trigger != "status_value_timestamp" or self.deadband_on == "server"):
            msg = "trigger and deadband_on: server need mode: subscribe"
            raise ValueError(msg)
        if self.mode == "subscribe" and self.period_s is not None:
            msg = "period_s needs mode: read (a subscription uses sampling_interval_s)"
            raise ValueError(msg)
        if self.mode == "read" and (self.sampling_interval_s is not None or self.queue_size is not None):
            msg = "sampling_interval_s and queue_size need mode: subscribe (a cyclic read uses period_s)"
            raise ValueError(msg)
        if self.arrays == "elements" and self.max_elements > MOST_PER_TAG:
            msg = f"max_elements above {MOST_PER_TAG} needs arrays: json (each element is a field of its own)"
            raise ValueError(msg)
        return self


class ReverseConnect(Settings):
    """Waiting for a server that dials, because a firewall in front of it lets nobody in (OPC 10000-6 §7.1.3)."""

    listen: HostPort
    """`host:port` of this machine where the server is to dial. It is open to whoever reaches that address."""
    server_uri: Annotated[str, Field(min_length=1)] | None = None
    """Application URI of the server that may dial; default: any that names `endpoint`."""
    wait_s: Annotated[float, Field(gt=0)] = 60.0
    """Longest wait for it to dial, seconds; servers dial again after 5 to 60 s."""


class OpcUaConnection(ConnectionSettings):
    """A session with one OPC UA server: a subscription, cyclic reads, or both."""

    type: Literal["opcua"]
    """Always `opcua`."""
    endpoint: Endpoint
    """Where the server listens, `opc.tcp://host:port/path`."""
    reverse: ReverseConnect | None = None
    """The server dials the agent instead (reverse connect); default: the agent dials the server."""
    security: OpcUaSecurity = OpcUaSecurity()
    """How messages are protected; default: the best policy the server offers, and never none."""
    user: str | None = None
    """User name; default: anonymous."""
    password_file: Path | None = None
    """File whose first line is the user's password; it is read on every open."""
    user_certificate_file: Path | None = None
    """Certificate that says who the user is, PEM or DER, instead of user and password."""
    user_private_key_file: Path | None = None
    """Private key of `user_certificate_file`, PEM or DER."""
    timeout_s: Annotated[float, Field(gt=0)] = 4.0
    """Deadline of every request except Publish, seconds."""
    publishing_interval_s: Annotated[float, Field(gt=0)] = 0.5
    """How often the server sends what it sampled, seconds."""
    sampling_interval_s: Annotated[float, Field(ge=0)] = 0.25
    """How often the server looks at a variable, seconds. 0 = as fast as it can."""
    queue_size: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Samples the server keeps for each tag between two publishes; default: what one minute holds, at least 10."""
    keepalive_s: Annotated[float, Field(gt=0)] = 3.0
    """A server with nothing to send says so this often, seconds; three times without a word ends the link."""
    lifetime_s: Annotated[float, Field(gt=0)] = 600.0
    """How long the server keeps the subscription for an absent agent, seconds."""
    session_timeout_s: Annotated[float, Field(ge=1)] = 60.0
    """How long the server keeps the session for an absent agent, seconds. A restart within it loses nothing."""
    period_s: Annotated[float, Field(gt=0)] = 1.0
    """Time between two cyclic reads of a tag with `mode: read`, seconds."""
    history: Literal["auto", "off"] = "auto"
    """`auto`: what is missing of a tag is read from the server's own history where it has one. `off`: never."""
    history_max_age_s: Annotated[float, Field(gt=0)] = 604_800.0
    """Readings older than this are not asked for, seconds."""
    history_values_per_s: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """Most values read from the history in one second, so that live data and the server do not suffer."""
    tags: tuple[OpcUaTag, ...] = ()
    """Variables to collect."""
    events: tuple[OpcUaEvents, ...] = ()
    """Notifiers whose events and alarms are collected, into measurement `alarm`."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.user is None) != (self.password_file is None):
            msg = "user and password_file belong together"
            raise ValueError(msg)
        if (self.user_certificate_file is None) != (self.user_private_key_file is None):
            msg = "user_certificate_file and user_private_key_file belong together"
            raise ValueError(msg)
        if self.user is not None and self.user_certificate_file is not None:
            msg = "user and user_certificate_file are two identities; keep one"
            raise ValueError(msg)
        if self.keepalive_s * 3 > self.lifetime_s:
            msg = "lifetime_s must be at least three times keepalive_s (OPC 10000-4 §5.14.2)"
            raise ValueError(msg)
        if self.session_timeout_s <= self.keepalive_s:
            msg = "session_timeout_s must be above keepalive_s, or an idle session expires"
            raise ValueError(msg)
        return self

    def polled_s(self, tag: TagSettings) -> float | None:
        """How often a tag is read, seconds; None = it is subscribed."""
        return tag.period_s or self.period_s if isinstance(tag, OpcUaTag) and tag.mode == "read" else None

    def where(self) -> str:
        """The endpoint, without user and password."""
        return self.endpoint

    def moved(self, host: str, port: int) -> Self:
        """The same server elsewhere; the path stays."""
        return self.model_copy(update={"endpoint": f"opc.tcp://{authority(host, port)}{urlsplit(self.endpoint).path}"})
