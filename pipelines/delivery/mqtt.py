"""One MQTT 5 session: connect, subscribe, publish, acknowledge, end. Never reconnects itself.

paho is only the wire: what is not confirmed lives in the journal, so each session starts with a fresh client.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from paho.mqtt import client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from pipelines.delivery.hangups import SLOW_S
from pipelines.delivery.mqtt_settings import MqttSettings
from pipelines.delivery.paho_client import PahoClient, tls_context
from pipelines.delivery.pulse import Pulse
from pipelines.errors import ConfigError, LinkClosed, LinkError, LinkRefused, LinkTimeout, LinkUntrusted
from pipelines.secret import read_secret

_UNTRUSTED: Final = {0x86, 0x87, 0x8C}
"""Bad user name or password, not authorized, bad authentication method (MQTT 5 §3.2.2.2)."""
SESSION_TAKEN_OVER: Final = 0x8E
_WATCH_S: Final = 0.5
_ANSWERS_S: Final = 2.0
_GOODBYE_S: Final = 2.0
"""Longest wait for the broker to take what was published before the end; it may be standing still."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message that came in.

    Attributes:
        topic: its topic.
        payload: its bytes.
        properties: User Properties; the last of equal names wins.
        mid: packet identifier, for `MqttSession.ack`.
        qos: 0 or 1.
        content_type: of the payload; empty when the sender named none.
        retained: whether the broker had kept it.
    """

    topic: str
    payload: bytes
    properties: Mapping[str, str]
    mid: int
    qos: int
    content_type: str = ""
    retained: bool = False


class MqttSession:
    """An open session, as an async context manager.

    Args:
        settings: the broker.
        client_id: unique at the broker.
        on_message: called in the event loop for each message.
        manual_ack: messages are acknowledged by `ack` only.
        receive_maximum: unacknowledged messages the broker may send (back-pressure).
        kept_s: seconds the broker keeps subscriptions, and what comes for them, after the end (MQTT 5 §3.1.2.11.2);
            0 = nothing is kept, and what was kept is forgotten.
        on_end: called in the event loop when the session ends by itself.

    Attributes:
        over: what ended the session; None while it is open.
        hung_up: whether the other side closed the connection without a word.
        max_packet_bytes: the largest packet the broker takes (MQTT 5 §3.2.2.3.6); None when it did not say.
        resumed: whether the broker had kept an earlier session of this client id (MQTT 5 §3.2.2.1.1).
    """

    def __init__(
        self,
        settings: MqttSettings,
        client_id: str,
        on_message: Callable[[Message], None],
        *,
        manual_ack: bool = False,
        receive_maximum: int = 100,
        kept_s: int = 0,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        self.over: LinkError | None = None
        self.hung_up = False
        self.max_packet_bytes: int | None = None
        self.resumed = False
        self._on_end = on_end
        self._ready = asyncio.Event()
        self._refusal: LinkError | None = None
        self._settings = settings
        self._client_id = client_id
        self._on_message = on_message
        self._receive_maximum = receive_maximum
        self._kept_s = kept_s
        self._loop = asyncio.get_running_loop()
        self._subscribed: dict[int, asyncio.Future[list[ReasonCode]]] = {}
        self._heard: dict[int, Callable[[int, str], None]] = {}
        self._over = asyncio.Event()
        self._wire = threading.Lock()
        self._watching: asyncio.TimerHandle | None = None
        self._client = PahoClient(client_id, self._thread_ended, manual_ack=manual_ack)

    async def __aenter__(self) -> Self:
        """Connect and wait for the broker's answer.

        Raises:
            LinkRefused: nobody listens, or the broker says no.
            LinkTimeout: no answer.
            LinkUntrusted: user, password or certificate refused by one side.
        """
        settings = self._settings
        opened = False
        try:
            self._prepare()
            await asyncio.to_thread(self._connect)
            async with asyncio.timeout(settings.timeout_s):
                await self._ready.wait()
            if (failed := self._refusal or self.over) is not None:
                raise failed
            opened = True
            self._watch(Pulse(settings.keepalive_s, time.monotonic()))
        except TimeoutError:
            raise LinkTimeout(settings.endpoint, f"no answer within {settings.timeout_s:g} s") from None
        except ssl.SSLCertVerificationError as error:
            reason = f"its certificate is not trusted: {error.verify_message}; check the CA file and the name"
            raise LinkUntrusted(settings.endpoint, reason) from error
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:  # a relay whose broker is away does so, too
            reason = "it hung up while TLS was set up; is the broker starting, or does it speak no TLS on this port?"
            raise LinkRefused(settings.endpoint, reason) from error
        except ssl.SSLError as error:
            reason = f"TLS: {error.reason or error}; does the broker speak TLS on this port?"
            raise LinkUntrusted(settings.endpoint, reason) from error
        except OSError as error:
            raise LinkRefused(settings.endpoint, f"{error.strerror or error}; is the broker running?") from error
        finally:
            if not opened:
                self._loop.run_in_executor(None, self._close)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say goodbye and stop the network thread."""
        self._on_end = None
        if self._watching is not None:
            self._watching.cancel()
        self._client.disconnect()
        cut = self._loop.call_later(_GOODBYE_S, self._client.cut)
        await asyncio.to_thread(self._close)
        cut.cancel()

    async def pause(self, seconds: float) -> None:
        """Wait, but no longer than the session lives."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._over.wait()

    async def ended(self) -> LinkError:
        """What ended the session; returns when it has."""
        await self._over.wait()
        return self.over or LinkClosed(self._settings.endpoint, "the session ended")

    async def subscribe(self, topics: list[str]) -> None:
        """Subscribe with QoS 1.

        Raises:
            LinkError: the broker refuses one of them, or is gone.
        """
        options = SubscribeOptions(qos=1)
        code, mid = self._client.subscribe([(topic, options) for topic in topics])
        if code != paho.MQTT_ERR_SUCCESS or mid is None:
            raise LinkClosed(self._settings.endpoint, f"cannot subscribe: {paho.error_string(code)}")
        if self.over is not None:
            raise self.over
        future = self._subscribed.setdefault(mid, self._loop.create_future())
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                codes = await future
        except TimeoutError:
            raise LinkTimeout(self._settings.endpoint, "no answer to subscribe") from None
        finally:
            del self._subscribed[mid]
        for topic, reason in zip(topics, codes, strict=True):
            if reason.is_failure:
                raise LinkUntrusted(self._settings.endpoint, f"may not subscribe to {topic}: {reason}; check the ACL")

    def unsubscribe(self, topics: list[str]) -> None:
        """Ask for nothing more of these; what the broker has on its way still comes."""
        self._client.unsubscribe(topics)

    def publish(
        self,
        topic: str,
        payload: bytes,
        properties: Mapping[str, str] | None = None,
        *,
        content_type: str = "",
        retain: bool = False,
        heard: Callable[[int, str], None] | None = None,
    ) -> None:
        """Publish with QoS 1; `heard` gets the broker's reason code and its text, in the event loop."""
        packed = None
        if properties or content_type:
            packed = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            packed.UserProperty = list((properties or {}).items())
        if packed and content_type:
            packed.ContentType = content_type
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
            self._over.set()
            for future in self._subscribed.values():
                if not future.done():
                    future.set_exception(reason)
            if self._on_end is not None:
                self._on_end()

    def _watch(self, pulse: Pulse) -> None:
        """End the session when its thread is gone or the broker shows no sign of life."""
        client, endpoint = self._client, self._settings.endpoint
        if self.over is not None:
            return
        silent_s = pulse.silent_s(time.monotonic(), client.received, client.taken, client.asked)
        if not client.runs:
            self.end(LinkClosed(endpoint, "the network thread ended"))
        elif silent_s:
            self.end(LinkTimeout(endpoint, f"no answer to what was sent, and no byte for {silent_s:.0f} s"))
        else:
            self._watching = self._loop.call_later(_WATCH_S, self._watch, pulse)

    def _prepare(self) -> None:
        """User, password and certificates, read anew for each session; nothing is sent.

        Raises:
            LinkUntrusted: one of the files cannot be used.
        """
        settings, client = self._settings, self._client
        try:
            if settings.user is not None:
                password = read_secret(settings.password_file) if settings.password_file else None
                client.username_pw_set(settings.user, password)
            if settings.tls:
                tls = settings.tls
                client.tls_set_context(tls_context(tls.ca_file, tls.cert_file, tls.key_file))
        except ConfigError as error:
            raise LinkUntrusted(settings.endpoint, str(error)) from error
        client.connect_timeout = settings.timeout_s
        client.on_connect = lambda _c, _u, flags, code, said: self._post(self._connack, flags, code, said)
        client.on_disconnect = lambda _c, _u, flags, code, _p: self._post(self.end, self._ending(flags, code))
        client.on_message = lambda _c, _u, message: self._paho_message(message)
        client.on_publish = lambda _c, _u, mid, code, _p: self._post(self._puback, mid, code)
        client.on_subscribe = lambda _c, _u, mid, codes, _p: self._post(self._suback, mid, codes)

    def _connect(self) -> None:
        """Connect and start the network thread; blocks."""
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.ReceiveMaximum = self._receive_maximum
        properties.SessionExpiryInterval = self._kept_s
        settings, fresh = self._settings, not self._kept_s
        with self._wire:
            self._client.connect(
                settings.host, settings.port, settings.keepalive_s, clean_start=fresh, properties=properties
            )
            self._client.loop_start()

    def _close(self) -> None:
        with self._wire:  # a connect that was cancelled goes on in its thread
            self._client.close()

    def _thread_ended(self, reason: str) -> None:
        self._post(self.end, LinkClosed(self._settings.endpoint, f"the session with the broker ended: {reason}"))

    def _post(self, call: Callable[..., None], *arguments: Any) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(call, *arguments)

    def _paho_message(self, message: paho.MQTTMessage) -> None:
        pairs = getattr(message.properties, "UserProperty", None) or ()
        payload, kind = bytes(message.payload), getattr(message.properties, "ContentType", "")
        one = Message(message.topic, payload, dict(pairs), message.mid, message.qos, kind, bool(message.retain))
        self._post(self._on_message, one)

    def _connack(self, flags: paho.ConnectFlags, code: ReasonCode, said: Properties | None) -> None:
        self.resumed = flags.session_present
        self.max_packet_bytes = getattr(said, "MaximumPacketSize", None)
        if code.is_failure:
            kind = LinkUntrusted if code.value in _UNTRUSTED else LinkRefused
            self._refusal = kind(self._settings.endpoint, f"the broker says: {code}")
        self._ready.set()

    def _puback(self, mid: int, code: ReasonCode) -> None:
        heard = self._heard.pop(mid, None)
        if heard is not None:
            heard(code.value, str(code))

    def _suback(self, mid: int, codes: list[ReasonCode]) -> None:
        future = self._subscribed.setdefault(mid, self._loop.create_future())
        if not future.done():
            future.set_result(codes)

    def _ending(self, flags: paho.DisconnectFlags, code: ReasonCode) -> LinkError:
        endpoint = self._settings.endpoint
        if code.value == SESSION_TAKEN_OVER:
            reason = f"another client uses the client id {self._client_id}; every agent needs its own state folder"
            return LinkUntrusted(endpoint, reason, SLOW_S)
        if flags.is_disconnect_packet_from_server:
            return LinkClosed(endpoint, f"the broker closed the connection: {code}")
        self.hung_up = True
        return LinkClosed(endpoint, f"the broker hung up without a word, or the network failed ({code})")


async def reachable(settings: MqttSettings) -> bool:
    """Whether the broker takes a connection at once; nothing is said on it."""
    try:
        async with asyncio.timeout(_ANSWERS_S):
            _, writer = await asyncio.open_connection(settings.host, settings.port)
    except (OSError, TimeoutError):
        return False
    writer.transport.abort()
    return True
