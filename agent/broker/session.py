"""One connection of the embedded broker: bytes in, packets to the routing, bytes out."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from typing import Final, Protocol, cast
from uuid import uuid4

from moat.lib.mqtt import (
    MQTTConnAckPacket,
    MQTTConnectPacket,
    MQTTException,
    MQTTPacket,
    MQTTPublishPacket,
    PropertyType,
    QoS,
    ReasonCode,
    Subscription,
)
from moat.lib.mqtt._base_client_state_machine import MQTTClientState
from moat.lib.mqtt.broker_state_machine import MQTTBrokerClientStateMachine

PropertyValue = str | bytes | int | tuple[str, str] | list[int]
MAX_PACKET_BYTES: Final = 16 << 20
MAX_UNSENT_BYTES: Final = 64 << 20
MAX_UNACKNOWLEDGED: Final = 60_000  # below the 65,535 packet ids, so that an id is never used twice
_log = logging.getLogger(__name__)


class Routing(Protocol):
    """What a session tells about itself."""

    def handle(self, session: Session, packet: MQTTPacket) -> None:
        """A packet arrived."""
        ...

    def forget(self, session: Session) -> None:
        """The session is over."""
        ...


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

    def forward(self, packet: MQTTPublishPacket, qos: QoS, *, retain: bool, identifier: int) -> None:
        """Send a publisher's message on, with what it says of itself (§3.3.2.3.9: its Content Type unaltered)."""
        kind = packet.properties.get(PropertyType.CONTENT_TYPE)
        properties: dict[PropertyType, PropertyValue] = {} if kind is None else {PropertyType.CONTENT_TYPE: kind}
        if identifier:
            properties[PropertyType.SUBSCRIPTION_IDENTIFIER] = [identifier]
        sent = MQTTPublishPacket(
            topic=packet.topic,
            payload=packet.payload,
            qos=qos,
            retain=retain,
            packet_id=self._generate_packet_id() if qos else None,
            properties=properties,
            user_properties=packet.user_properties,
        )
        sent.encode(self._out_buffer)
        if sent.packet_id is not None:
            self._add_pending_packet(sent, local=True)


@dataclass(frozen=True, slots=True)
class _Message:
    packet: MQTTPublishPacket
    qos: QoS
    retain: bool
    identifier: int


class Session(asyncio.Protocol):
    """One connection. Everything runs in the event loop's callbacks, so nothing waits for a slow consumer."""

    def __init__(self, broker: Routing) -> None:
        self.machine = _Machine()
        self.subscriptions: dict[str, Subscription] = {}
        self.will: MQTTPublishPacket | None = None
        self.open = False
        self._broker = broker
        self._transport: asyncio.Transport | None = None
        self._incomplete_bytes = 0
        self._receive_maximum = MAX_UNACKNOWLEDGED
        self._waiting: deque[_Message] = deque()
        self._waiting_bytes = 0

    def opened(self, packet: MQTTConnectPacket) -> None:
        """Keep what the client asked for: its Receive Maximum (MQTT 5.0 §3.3.4) and its will."""
        asked = cast("int", packet.properties.get(PropertyType.RECEIVE_MAXIMUM, MAX_UNACKNOWLEDGED))
        self._receive_maximum = min(asked, MAX_UNACKNOWLEDGED)
        self.open = True
        if packet.will is not None:
            self.will = MQTTPublishPacket(
                topic=packet.will.topic,
                payload=packet.will.payload,
                qos=packet.will.qos,
                packet_id=1 if packet.will.qos else None,
                retain=packet.will.retain,
                user_properties=packet.will.user_properties,
            )

    @property
    def connected(self) -> bool:
        """Whether the state machine may send."""
        return self.machine.state is MQTTClientState.CONNECTED

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop for a new connection."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Called by the event loop with bytes; whatever is not MQTT 5 ends this connection alone."""
        self._incomplete_bytes += len(data)
        try:
            packets = self.machine.feed_bytes(data)
            for packet in packets:
                self._broker.handle(self, packet)
        except (MQTTException, ValueError) as error:
            self.drop(f"bad packet: {error}")
            return
        self._send_waiting()
        if packets:
            self._incomplete_bytes = 0
        elif self._incomplete_bytes > MAX_PACKET_BYTES:
            self.drop(f"packet over {MAX_PACKET_BYTES} bytes")
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Called by the event loop when the connection is gone."""
        self._broker.forget(self)

    def deliver(self, packet: MQTTPublishPacket, max_qos: QoS, *, retain: bool, identifier: int = 0) -> bool:
        """Put a message on its way to this consumer, behind those that wait for its acknowledgements.

        Returns:
            Whether it was taken: a consumer that has not acknowledged more than `MAX_UNSENT_BYTES` gets no more.
        """
        if not self.connected:  # it said goodbye in the same bytes
            return False
        message = _Message(packet, min(packet.qos, max_qos), retain, identifier)
        if message.qos and (self._waiting or self.machine.unacknowledged >= self._receive_maximum):
            if self._waiting_bytes + len(packet.payload) > MAX_UNSENT_BYTES:
                return False
            self._waiting.append(message)
            self._waiting_bytes += len(packet.payload)
        else:
            self._send(message)
        return True

    def _send(self, message: _Message) -> None:
        self.machine.forward(message.packet, message.qos, retain=message.retain, identifier=message.identifier)

    def _send_waiting(self) -> None:
        while self._waiting and self.connected and self.machine.unacknowledged < self._receive_maximum:
            message = self._waiting.popleft()
            self._waiting_bytes -= len(message.packet.payload)
            self._send(message)

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
