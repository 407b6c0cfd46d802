"""One connection of the embedded broker: bytes in, packets to the routing, bytes out."""

from __future__ import annotations

import asyncio
import logging
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
        if packets:
            self._incomplete_bytes = 0
        elif self._incomplete_bytes > MAX_PACKET_BYTES:
            self.drop(f"packet over {MAX_PACKET_BYTES} bytes")
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Called by the event loop when the connection is gone."""
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
