"""A small MQTT 5 broker on moat-lib-mqtt's sans-io state machine, for one machine.

Ours are the sockets and the routing: a consumer that dies or stands still never touches a publisher
(docs/decisions/0002-embedded-broker.md has what moat's own server does there). It has no authentication, no TLS, no
sessions that outlive a connection, and keeps retained messages in memory only.
"""

from __future__ import annotations

from collections import deque
from typing import Final, cast

from moat.lib.mqtt import (
    MQTTConnectPacket,
    MQTTDisconnectPacket,
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

from agent.broker.session import Session

_SHARE: Final = "$share/"


class EmbeddedBroker:
    """Routing: sessions by client id, shared groups, retained messages."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._groups: dict[str, deque[Session]] = {}
        self._retained: dict[str, MQTTPublishPacket] = {}

    def session(self) -> Session:
        """A protocol for a new connection: the factory for `loop.create_server`."""
        return Session(self)

    def close(self) -> None:
        """Close every connection."""
        for session in list(self._sessions.values()):
            session.will = None
            self.forget(session)
            session.close()

    def handle(self, session: Session, packet: MQTTPacket) -> None:
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

    def forget(self, session: Session) -> None:
        """Remove a session; its will is published unless it said goodbye."""
        if not session.open:
            return
        session.open = False
        self._sessions.pop(session.machine.client_id, None)
        for text in session.subscriptions:
            self._leave(session, text)
        if session.will is not None:
            self._route(session.will, sender=None)

    def _connected(self, session: Session, packet: MQTTConnectPacket) -> None:
        earlier = self._sessions.get(session.machine.client_id)
        if earlier is not None:
            earlier.drop("its client id connected again")
        self._sessions[session.machine.client_id] = session
        session.opened(packet)

    def _published(self, session: Session, packet: MQTTPublishPacket) -> None:
        taken = self._route(packet, sender=session)
        if packet.packet_id is not None and session.connected:
            code = ReasonCode.SUCCESS if taken else ReasonCode.NO_MATCHING_SUBSCRIBERS
            session.machine.acknowledge_publish(packet.packet_id, code)

    def _route(self, packet: MQTTPublishPacket, sender: Session | None) -> int:
        """Hand a message to everybody who wants it, to one member of each shared group; how many took it."""
        if packet.retain and packet.payload:
            self._retained[packet.topic] = packet
        elif packet.retain:
            self._retained.pop(packet.topic, None)
        touched: set[Session] = set()
        for session in self._sessions.values():
            for text, wish in session.subscriptions.items():
                if text.startswith(_SHARE) or (wish.no_local and session is sender):
                    continue
                if _give(session, wish, packet):
                    touched.add(session)
        for text, members in self._groups.items():
            taker = next((one for one in members if _give(one, one.subscriptions[text], packet)), None)
            if taker is not None:
                members.remove(taker)
                members.append(taker)  # the others come first next time
                touched.add(taker)
        for session in touched - {sender}:
            session.flush()
        return len(touched)

    def _subscribe(self, session: Session, packet: MQTTSubscribePacket) -> None:
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

    def _unsubscribe(self, session: Session, packet: MQTTUnsubscribePacket) -> None:
        codes: list[ReasonCode] = []
        for pattern in packet.patterns:
            text = pattern.pattern
            known = session.subscriptions.pop(text, None) is not None
            self._leave(session, text)
            codes.append(ReasonCode.SUCCESS if known else ReasonCode.NO_SUBSCRIPTION_EXISTED)
        if packet.packet_id is not None and session.connected:
            session.machine.acknowledge_unsubscribe(packet.packet_id, codes)

    def _leave(self, session: Session, text: str) -> None:
        members = self._groups.get(text)
        if members is None or session not in members:
            return
        members.remove(session)
        if not members:
            del self._groups[text]


def _give(session: Session, wish: Subscription, packet: MQTTPublishPacket) -> bool:
    retain = packet.retain and wish.retain_as_published
    return wish.matches(packet) and session.deliver(
        packet, wish.max_qos, retain=retain, identifier=wish.subscription_id
    )
