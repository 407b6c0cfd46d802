"""A small MQTT 5 broker on moat-lib-mqtt's sans-io state machine, for one machine.

Ours are the sockets and the routing: a consumer that dies or stands still never touches a publisher
(docs/decisions/0002-embedded-broker.md has what moat's own server does there). It has no authentication, no TLS, no
sessions that outlive a connection, and keeps retained messages in memory only.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Final, cast
from uuid import uuid4

from moat.lib.mqtt import (
    MQTTConnAckPacket,
    MQTTConnectPacket,
    MQTTDisconnectPacket,
    MQTTException,
    MQTTPacket,
    MQTTPublishPacket,
    MQTTSubscribePacket,
    MQTTUnsubscribePacket,
    Pattern,
    PropertyType,
    QoS,
    ReasonCode,
    RetainHandling,
    Subscription,
)
from moat.lib.mqtt._base_client_state_machine import MQTTClientState
from moat.lib.mqtt.broker_state_machine import MQTTBrokerClientStateMachine

MAX_PACKET_BYTES: Final = 16 << 20
MAX_UNSENT_BYTES: Final = 64 << 20
MAX_UNACKNOWLEDGED: Final = 60_000  # below the 65,535 packet ids, so that an id is never used twice
_SHARE: Final = "$share/"
_log = logging.getLogger(__name__)


class _Machine(MQTTBrokerClientStateMachine):
    """moat's state machine, with a CONNACK that says what this broker cannot do (MQTT 5.0 §3.2.2.3)."""

    @property
    def unacknowledged(self) -> int:
        """Messages sent with QoS above 0 and not acknowledged yet."""
        return len(self._pending_packets)

    def _handle_packet(self, packet: MQTTPacket) -> bool:
        taken = super()._handle_packet(packet)
        if isinstance(packet, MQTTConnectPacket):  # at once: a client may send more without waiting (§3.1.4)
            self._accept(packet)
        return taken

    def _accept(self, packet: MQTTConnectPacket) -> None:
        ack = MQTTConnAckPacket(reason_code=ReasonCode.SUCCESS, session_present=False)
        ack.properties[PropertyType.SESSION_EXPIRY_INTERVAL] = 0
        ack.properties[PropertyType.MAXIMUM_PACKET_SIZE] = MAX_PACKET_BYTES
        if not packet.client_id:
            self.client_id = uuid4().hex
            ack.properties[PropertyType.ASSIGNED_CLIENT_IDENTIFIER] = self.client_id
        self._state = MQTTClientState.CONNECTED
        self._username = packet.username
        ack.encode(self._out_buffer)


class _Session(asyncio.Protocol):
    """One connection. Everything runs in the event loop's callbacks, so nothing waits for a slow consumer."""

    def __init__(self, broker: EmbeddedBroker) -> None:
        self.machine = _Machine()
        self.subscriptions: dict[str, Subscription] = {}
        self.will: MQTTPublishPacket | None = None
        self.open = False
        self._broker = broker
        self._transport: asyncio.Transport | None = None
        self._incomplete_bytes = 0

    @property
    def connected(self) -> bool:
        """Whether the state machine may send."""
        return self.machine.state is MQTTClientState.CONNECTED

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._incomplete_bytes += len(data)
        try:
            packets = self.machine.feed_bytes(data)
            for packet in packets:
                self._broker.handle(self, packet)
        except (MQTTException, ValueError) as error:
            self.drop(f"bad packet: {error}")
            return
        if packets:
            self._incomplete_bytes = 0
        elif self._incomplete_bytes > MAX_PACKET_BYTES:
            self.drop(f"packet over {MAX_PACKET_BYTES} bytes")
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._broker.forget(self)

    def deliver(self, packet: MQTTPublishPacket, max_qos: QoS, *, retain: bool, identifier: int = 0) -> None:
        """Put a message into this session's way out; a consumer that stands still is cut off."""
        if not self.connected:  # it said goodbye in the same bytes
            return
        if self.machine.unacknowledged >= MAX_UNACKNOWLEDGED:
            self.drop(f"{MAX_UNACKNOWLEDGED} messages not acknowledged")
            return
        self.machine.deliver_publish(
            topic=packet.topic,
            payload=packet.payload,
            qos=min(packet.qos, max_qos),
            retain=retain,
            user_properties=packet.user_properties,
            subscription_id=identifier or (),
        )

    def flush(self) -> None:
        """Send what is waiting."""
        transport = self._transport
        data = self.machine.get_outbound_data()
        if not data or transport is None or transport.is_closing():
            return
        transport.write(data)
        if transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            self.drop(f"more than {MAX_UNSENT_BYTES} bytes not taken")

    def drop(self, reason: str) -> None:
        """Cut the connection off at once."""
        _log.warning("client %r: %s; connection closed", getattr(self.machine, "client_id", "?"), reason)
        self._broker.forget(self)
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """Close the connection after what is on its way."""
        if self._transport is not None:
            self._transport.close()


class EmbeddedBroker:
    """Routing: sessions by client id, shared groups, retained messages."""

    def __init__(self) -> None:
        self._sessions: dict[str, _Session] = {}
        self._groups: dict[str, deque[_Session]] = {}
        self._retained: dict[str, MQTTPublishPacket] = {}

    def session(self) -> _Session:
        """A protocol for a new connection: the factory for `loop.create_server`."""
        return _Session(self)

    def close(self) -> None:
        """Close every connection."""
        for session in list(self._sessions.values()):
            session.will = None
            self.forget(session)
            session.close()

    def handle(self, session: _Session, packet: MQTTPacket) -> None:
        """Act on one packet that the state machine accepted."""
        match packet:
            case MQTTPublishPacket():
                self._published(session, packet)
            case MQTTConnectPacket():
                self._connected(session, packet)
            case MQTTSubscribePacket():
                self._subscribe(session, packet)
            case MQTTUnsubscribePacket():
                self._unsubscribe(session, packet)
            case MQTTDisconnectPacket():
                if packet.reason_code is not ReasonCode.DISCONNECT_WITH_WILL_MESSAGE:
                    session.will = None
                self.forget(session)
                session.close()

    def forget(self, session: _Session) -> None:
        """Remove a session; its will is published unless it said goodbye."""
        if not session.open:
            return
        session.open = False
        self._sessions.pop(session.machine.client_id, None)
        for text in session.subscriptions:
            self._leave(session, text)
        if session.will is not None:
            self._route(session.will, sender=None)

    def _connected(self, session: _Session, packet: MQTTConnectPacket) -> None:
        earlier = self._sessions.get(session.machine.client_id)
        if earlier is not None:
            earlier.drop("its client id connected again")
        self._sessions[session.machine.client_id] = session
        session.open = True
        if packet.will is not None:
            will = packet.will
            session.will = MQTTPublishPacket(
                topic=will.topic,
                payload=will.payload,
                qos=will.qos,
                packet_id=1 if will.qos else None,
                retain=will.retain,
                user_properties=will.user_properties,
            )

    def _published(self, session: _Session, packet: MQTTPublishPacket) -> None:
        taken = self._route(packet, sender=session)
        if packet.packet_id is not None and session.connected:
            code = ReasonCode.SUCCESS if taken else ReasonCode.NO_MATCHING_SUBSCRIBERS
            session.machine.acknowledge_publish(packet.packet_id, code)

    def _route(self, packet: MQTTPublishPacket, sender: _Session | None) -> int:
        """Hand a message to everybody who wants it, to one member of each shared group; how many took it."""
        if packet.retain and packet.payload:
            self._retained[packet.topic] = packet
        elif packet.retain:
            self._retained.pop(packet.topic, None)
        touched: set[_Session] = set()
        served: set[str] = set()
        for session in list(self._sessions.values()):
            for text, wish in list(session.subscriptions.items()):
                if not session.open or (wish.no_local and session is sender) or not wish.matches(packet):
                    continue
                if text.startswith(_SHARE):
                    if self._groups[text][0] is not session:  # another member's turn
                        continue
                    served.add(text)
                retain = packet.retain and wish.retain_as_published
                session.deliver(packet, wish.max_qos, retain=retain, identifier=wish.subscription_id)
                touched.add(session)
        for text in served & self._groups.keys():
            self._groups[text].rotate(-1)
        for session in touched - {sender}:
            session.flush()
        return len(touched)

    def _subscribe(self, session: _Session, packet: MQTTSubscribePacket) -> None:
        identifier = cast("int", packet.properties.get(PropertyType.SUBSCRIPTION_IDENTIFIER, 0))
        codes: list[ReasonCode] = []
        retained: list[tuple[MQTTPublishPacket, QoS]] = []
        for wish in packet.subscriptions:
            text = wish.pattern.pattern
            known = text in session.subscriptions
            wish.subscription_id = identifier
            if text.startswith(_SHARE):
                wish.pattern = Pattern(text.split("/", 2)[2])
                if not known:
                    self._groups.setdefault(text, deque()).append(session)
            elif wish.retain_handling is RetainHandling.SEND_RETAINED or (
                wish.retain_handling is RetainHandling.SEND_RETAINED_IF_NOT_SUBSCRIBED and not known
            ):
                retained += [(kept, wish.max_qos) for kept in self._retained.values() if wish.matches(kept)]
            session.subscriptions[text] = wish
            codes.append(ReasonCode.get(int(wish.max_qos)))
        if packet.packet_id is not None and session.connected:
            session.machine.acknowledge_subscribe(packet.packet_id, codes)
        for kept, max_qos in retained:
            session.deliver(kept, max_qos, retain=True, identifier=identifier)

    def _unsubscribe(self, session: _Session, packet: MQTTUnsubscribePacket) -> None:
        codes: list[ReasonCode] = []
        for pattern in packet.patterns:
            text = pattern.pattern
            known = session.subscriptions.pop(text, None) is not None
            self._leave(session, text)
            codes.append(ReasonCode.SUCCESS if known else ReasonCode.NO_SUBSCRIPTION_EXISTED)
        if packet.packet_id is not None and session.connected:
            session.machine.acknowledge_unsubscribe(packet.packet_id, codes)

    def _leave(self, session: _Session, text: str) -> None:
        members = self._groups.get(text)
        if members is None or session not in members:
            return
        members.remove(session)
        if not members:
            del self._groups[text]
