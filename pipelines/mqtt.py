"""One MQTT 5 session: connect, subscribe, publish, acknowledge, end. Never reconnects itself.

paho is only the wire: what is not confirmed lives in the journal, so each session starts with a fresh client.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Final, Self

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions
from pydantic import Field

from pipelines.errors import LinkClosed, LinkError, LinkRefused, LinkTimeout, LinkUntrusted
from pipelines.secret import read_secret
from pipelines.settings import Settings

_UNTRUSTED: Final = {0x86, 0x87, 0x8C}
"""Bad user name or password, not authorized, bad authentication method (MQTT 5 §3.2.2.2)."""
SESSION_TAKEN_OVER: Final = 0x8E


class TlsSettings(Settings):
    """TLS 1.2 or later; the server's certificate and name are always verified."""

    ca_file: Path | None = None
    """PEM of the authorities to trust; default: the system's."""
    cert_file: Path | None = None
    """PEM of the client certificate, for brokers that ask for one."""
    key_file: Path | None = None
    """PEM of its private key."""


class MqttSettings(Settings):
    """The MQTT 5 broker."""

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    """Name or address of the broker."""
    port: Annotated[int, Field(ge=1, le=65535)] = 1883
    """TCP port; 8883 is usual with TLS."""
    user: str | None = None
    """User name; the broker's ACL binds it to its topics."""
    password_file: Path | None = None
    """File with the password on its first line; a bare name is looked up among the service's credentials."""
    tls: TlsSettings | None = None
    """Encrypt; default: plain TCP, for a broker on the same machine."""
    keepalive_s: Annotated[int, Field(ge=5, le=3600)] = 30
    """Longest silence before a ping; a broker gone without a word is noticed within 1.5 times this."""
    timeout_s: Annotated[float, Field(gt=0, le=300)] = 10.0
    """Longest wait for the broker's answer to connect and subscribe."""

    @property
    def endpoint(self) -> str:
        """`mqtt://host:port`, without secrets."""
        return f"mqtt{'s' if self.tls else ''}://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Message:
    """A message that came in.

    Attributes:
        topic: its topic.
        payload: its bytes.
        properties: User Properties; the last of equal names wins.
        mid: packet identifier, for `MqttSession.ack`.
        qos: 0 or 1.
    """

    topic: str
    payload: bytes
    properties: Mapping[str, str]
    mid: int
    qos: int


class MqttSession:
    """An open session, as an async context manager.

    Args:
        settings: the broker.
        client_id: unique at the broker.
        on_message: called in the event loop for each message.
        manual_ack: messages are acknowledged by `ack` only.
        receive_maximum: unacknowledged messages the broker may send (back-pressure).
        on_end: called in the event loop when the session ends by itself.

    Attributes:
        over: what ended the session; None while it is open.
    """

    def __init__(
        self,
        settings: MqttSettings,
        client_id: str,
        on_message: Callable[[Message], None],
        *,
        manual_ack: bool = False,
        receive_maximum: int = 100,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        self.over: LinkError | None = None
        self._on_end = on_end
        self._ready = asyncio.Event()
        self._refusal: LinkError | None = None
        self._settings = settings
        self._on_message = on_message
        self._receive_maximum = receive_maximum
        self._loop = asyncio.get_running_loop()
        self._subscribed: dict[int, asyncio.Future[list[ReasonCode]]] = {}
        self._heard: dict[int, Callable[[int, str], None]] = {}
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
            manual_ack=manual_ack,
        )
        self._client.suppress_exceptions = False

    async def __aenter__(self) -> Self:
        """Connect and wait for the broker's answer.

        Raises:
            LinkRefused: nobody listens, or the broker says no.
            LinkTimeout: no answer.
            LinkUntrusted: user, password or certificate refused by one side.
        """
        settings, client = self._settings, self._client
        if settings.user is not None:
            password = read_secret(settings.password_file) if settings.password_file else None
            client.username_pw_set(settings.user, password)
        if settings.tls:
            client.tls_set_context(_tls_context(settings.tls))
        client.connect_timeout = settings.timeout_s
        client.on_connect = self._paho_connect
        client.on_disconnect = self._paho_disconnect
        client.on_message = self._paho_message
        client.on_publish = self._paho_publish
        client.on_subscribe = self._paho_subscribe
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.ReceiveMaximum = self._receive_maximum
        try:
            await asyncio.to_thread(
                client.connect, settings.host, settings.port, settings.keepalive_s, properties=properties
            )
            client.loop_start()
            async with asyncio.timeout(settings.timeout_s):
                await self._ready.wait()
            if (failed := self._refusal or self.over) is not None:
                raise failed
        except TimeoutError:
            await self._stop()
            raise LinkTimeout(settings.endpoint, f"no answer within {settings.timeout_s:g} s") from None
        except ssl.SSLError as error:
            await self._stop()
            raise LinkUntrusted(settings.endpoint, f"TLS: {error.reason or error}; check the CA file") from error
        except OSError as error:
            await self._stop()
            raise LinkRefused(settings.endpoint, f"{error.strerror or error}; is the broker running?") from error
        except LinkError:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say goodbye and stop the network thread."""
        self._client.disconnect()
        await self._stop()

    async def subscribe(self, topics: list[str]) -> None:
        """Subscribe with QoS 1.

        Raises:
            LinkError: the broker refuses one of them, or is gone.
        """
        options = SubscribeOptions(qos=1)
        code, mid = self._client.subscribe([(topic, options) for topic in topics])
        if code != paho.MQTT_ERR_SUCCESS or mid is None:
            raise LinkClosed(self._settings.endpoint, f"cannot subscribe: {paho.error_string(code)}")
        future = self._subscribed.setdefault(mid, self._loop.create_future())
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                codes = await future
        except TimeoutError:
            raise LinkTimeout(self._settings.endpoint, "no answer to subscribe") from None
        for topic, reason in zip(topics, codes, strict=True):
            if reason.is_failure:
                raise LinkUntrusted(self._settings.endpoint, f"may not subscribe to {topic}: {reason}; check the ACL")

    def publish(
        self,
        topic: str,
        payload: bytes,
        properties: Mapping[str, str] | None = None,
        *,
        retain: bool = False,
        heard: Callable[[int, str], None] | None = None,
    ) -> None:
        """Publish with QoS 1; `heard` gets the broker's reason code and its text, in the event loop."""
        packed = None
        if properties:
            packed = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            packed.UserProperty = list(properties.items())
        info = self._client.publish(topic, payload, 1, retain, packed)
        if heard is not None:
            self._heard[info.mid] = heard

    def ack(self, message: Message) -> None:
        """Acknowledge a message of a session with `manual_ack`."""
        self._client.ack(message.mid, message.qos)

    def end(self, reason: LinkError) -> None:
        """Give this session up."""
        if self.over is None:
            self.over = reason
            self._ready.set()
            if self._on_end is not None:
                self._on_end()

    async def _stop(self) -> None:
        await asyncio.to_thread(self._client.loop_stop)

    def _post(self, call: Callable[..., None], *arguments: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *arguments)

    def _paho_connect(self, client: Any, _userdata: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        del client
        self._post(self._connack, code)

    def _paho_disconnect(self, client: Any, _userdata: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        del client
        self._post(self.end, self._ending(code))

    def _paho_message(self, client: Any, _userdata: Any, message: paho.MQTTMessage) -> None:
        del client
        pairs = getattr(message.properties, "UserProperty", None) or ()
        self._post(
            self._on_message, Message(message.topic, bytes(message.payload), dict(pairs), message.mid, message.qos)
        )

    def _paho_publish(self, client: Any, _userdata: Any, mid: int, code: ReasonCode, _properties: Any) -> None:
        del client
        self._post(self._puback, mid, code)

    def _paho_subscribe(self, client: Any, _userdata: Any, mid: int, codes: list[ReasonCode], _properties: Any) -> None:
        del client
        self._post(self._suback, mid, codes)

    def _connack(self, code: ReasonCode) -> None:
        if code.is_failure:
            kind = LinkUntrusted if code.value in _UNTRUSTED else LinkRefused
            self._refusal = kind(self._settings.endpoint, f"the broker says: {code}")
        self._ready.set()

    def _puback(self, mid: int, code: ReasonCode) -> None:
        heard = self._heard.pop(mid, None)
        if heard is not None:
            heard(code.value, str(code))

    def _suback(self, mid: int, codes: list[ReasonCode]) -> None:
        self._subscribed.setdefault(mid, self._loop.create_future()).set_result(codes)

    def _ending(self, code: ReasonCode) -> LinkError:
        if code.value == SESSION_TAKEN_OVER:
            reason = "another client uses the same client id; every agent needs its own state folder"
            return LinkUntrusted(self._settings.endpoint, reason)
        return LinkClosed(self._settings.endpoint, f"the broker closed the connection: {code}")


def _tls_context(settings: TlsSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(settings.ca_file) if settings.ca_file else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.cert_file:
        context.load_cert_chain(settings.cert_file, settings.key_file)
    return context
