"""Both brokers of one machine, each spoken to by a real MQTT 5 client."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from agent.broker import NOTICE, Broker, Kind, local_broker, mosquitto
from pipelines.delivery.mqtt import Message, MqttSession
from pipelines.delivery.mqtt_settings import MqttSettings
from pipelines.errors import DependencyError
from tests.pipelines.waiting import until

pytestmark = pytest.mark.wire
KINDS: tuple[Kind, ...] = ("mosquitto", "embedded")
DEADLINE_S = 15.0
both = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(autouse=True)
def _mosquitto_is_there() -> None:
    if mosquitto.find() is None:
        pytest.fail("mosquitto is missing: sudo apt install mosquitto")


class Client:
    """A paho client whose events are put into queues, so that a test waits for what it observes."""

    def __init__(
        self,
        broker: Broker,
        name: str,
        *,
        will: tuple[str, bytes] | None = None,
        receive_maximum: int = 0,
        manual_ack: bool = False,
    ) -> None:
        self.messages: queue.Queue[mqtt.MQTTMessage] = queue.Queue(maxsize=10_000)
        self.connects: queue.Queue[Any] = queue.Queue(maxsize=100)
        self.acks: queue.Queue[Any] = queue.Queue(maxsize=10_000)
        self.subscribed: queue.Queue[Any] = queue.Queue(maxsize=100)
        self.paho = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=name, protocol=mqtt.MQTTv5, manual_ack=manual_ack
        )
        self.paho.reconnect_delay_set(1, 1)
        self.paho.on_connect = lambda _c, _u, _f, code, properties: self.connects.put((code, properties))
        self.paho.on_message = lambda _c, _u, message: self.messages.put(message)
        self.paho.on_publish = lambda _c, _u, _mid, code, _p: self.acks.put(code)
        self.paho.on_subscribe = lambda _c, _u, _mid, codes, _p: self.subscribed.put(codes)
        if will is not None:
            self.paho.will_set(will[0], will[1], qos=1)
        properties = Properties(PacketTypes.CONNECT)
        if receive_maximum:
            properties.ReceiveMaximum = receive_maximum
        self.paho.connect(broker.host, broker.port, keepalive=30, properties=properties)
        self.paho.loop_start()

    async def connected(self) -> tuple[Any, Any]:
        event: tuple[Any, Any] = await asyncio.to_thread(self.connects.get, timeout=DEADLINE_S)
        assert event[0] == 0
        return event

    async def subscribe(self, topic: str) -> Any:
        self.paho.subscribe(topic, qos=1)
        return await asyncio.to_thread(self.subscribed.get, timeout=DEADLINE_S)

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False, **user: str) -> int:
        """Reason code of the acknowledgement."""
        properties = Properties(PacketTypes.PUBLISH)
        if user:
            properties.UserProperty = list(user.items())
        self.paho.publish(topic, payload, qos=1, retain=retain, properties=properties)
        code = await asyncio.to_thread(self.acks.get, timeout=DEADLINE_S)
        return int(code.value)

    async def message(self) -> mqtt.MQTTMessage:
        return await asyncio.to_thread(self.messages.get, timeout=DEADLINE_S)

    def vanish(self) -> None:
        """Close the socket without a goodbye."""
        sock: Any = self.paho.socket()
        self.paho.reconnect_delay_set(60, 60)
        sock.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        self.paho.disconnect()
        self.paho.loop_stop()


@contextlib.contextmanager
def client(broker: Broker, name: str, **options: Any) -> Iterator[Client]:
    one = Client(broker, name, **options)
    try:
        yield one
    finally:
        one.end()


@both
async def test_large_payload_with_user_properties_arrives_unchanged(kind: Kind, tmp_path: Path) -> None:
    payload = os.urandom(200_000)
    async with local_broker(tmp_path, kind=kind) as broker:
        assert (broker.host, broker.kind, broker.notice) == ("127.0.0.1", kind, NOTICE[kind])
        with client(broker, "agent") as agent, client(broker, "bridge") as bridge:
            await agent.connected()
            await bridge.connected()
            await bridge.subscribe("sf/+/+/+/data")
            assert await agent.publish("sf/demo/gyeongsan/a1/data", payload, agent="a1", record="00ff:7") == 0
            got = await bridge.message()
            assert (got.topic, got.qos, bytes(got.payload)) == ("sf/demo/gyeongsan/a1/data", 1, payload)
            assert got.properties is not None
            assert list(got.properties.UserProperty) == [("agent", "a1"), ("record", "00ff:7")]


@both
async def test_retained_is_given_to_a_late_subscriber_and_removed_by_an_empty_one(kind: Kind, tmp_path: Path) -> None:
    async with local_broker(tmp_path, kind=kind) as broker:
        with client(broker, "agent") as agent, client(broker, "early") as early, client(broker, "late") as late:
            for one in (agent, early, late):
                await one.connected()
            await early.subscribe("sf/#")
            await agent.publish("sf/a/b/c/birth", b"born", retain=True)
            live = await early.message()
            assert (live.payload, live.retain) == (b"born", False)
            await late.subscribe("sf/+/+/+/birth")
            kept = await late.message()
            assert (kept.payload, kept.retain) == (b"born", True)
            await agent.publish("sf/a/b/c/birth", b"", retain=True)
            assert (await late.message()).payload == b""
        with client(broker, "later") as later:
            await later.connected()
            await later.subscribe("sf/#")
            await later.publish("sf/marker", b"first")
            assert (await later.message()).payload == b"first"


@both
async def test_acknowledgement_says_when_nobody_took_it(kind: Kind, tmp_path: Path) -> None:
    async with local_broker(tmp_path, kind=kind) as broker:
        with client(broker, "agent") as agent:
            await agent.connected()
            assert await agent.publish("sf/a/b/c/data", b"x") == 0x10


@both
async def test_a_killed_broker_comes_back_on_its_port_and_clients_go_on(kind: Kind, tmp_path: Path) -> None:
    async with local_broker(tmp_path, kind=kind) as broker:
        with client(broker, "agent") as agent, client(broker, "bridge") as bridge:
            await agent.connected()
            await bridge.connected()
            first = broker.pid
            os.kill(first, signal.SIGKILL)
            await agent.connected()
            await bridge.connected()
            assert broker.pid not in {0, first}
            assert broker.restarts == 1
            await bridge.subscribe("sf/#")
            assert await agent.publish("sf/a/b/c/data", b"again") == 0
            assert (await bridge.message()).payload == b"again"


@both
async def test_shared_group_gets_each_message_once(kind: Kind, tmp_path: Path) -> None:
    async with local_broker(tmp_path, kind=kind) as broker:
        with client(broker, "agent") as agent, client(broker, "b1") as one, client(broker, "b2") as two:
            for each in (agent, one, two):
                await each.connected()
            await one.subscribe("$share/bridge/sf/+/+/+/data")
            await two.subscribe("$share/bridge/sf/+/+/+/data")
            sent = [f"{number}".encode() for number in range(20)]
            for payload in sent:
                assert await agent.publish("sf/a/b/c/data", payload) == 0
            got = [one.messages.get, two.messages.get]
            shares: list[list[bytes]] = [[], []]
            while sum(map(len, shares)) < len(sent):
                for index, get in enumerate(got):
                    with contextlib.suppress(queue.Empty):
                        shares[index].append(get(timeout=0.01).payload)
            assert sorted(shares[0] + shares[1]) == sorted(sent)
            assert all(shares)
            two.vanish()
            for payload in sent:  # the first may still be on its way to the one that went
                await agent.publish("sf/a/b/c/data", payload)
            assert (await one.message()).payload in sent


@both
async def test_will_is_published_when_a_client_vanishes(kind: Kind, tmp_path: Path) -> None:
    async with local_broker(tmp_path, kind=kind) as broker:
        with client(broker, "watch") as watch, client(broker, "agent", will=("sf/a/b/c/birth", b"gone")) as agent:
            await watch.connected()
            await agent.connected()
            await watch.subscribe("sf/#")
            agent.vanish()
            assert (await watch.message()).payload == b"gone"


@both
async def test_a_consumer_that_dies_leaves_the_publisher_alone(kind: Kind, tmp_path: Path) -> None:
    async with local_broker(tmp_path, kind=kind) as broker:
        with client(broker, "agent") as agent, client(broker, "bridge") as bridge:
            await agent.connected()
            await bridge.connected()
            await bridge.subscribe("sf/#")
            bridge.vanish()
            for number in range(20):
                assert await agent.publish("sf/a/b/c/data", bytes(100_000), record=str(number)) in {0x00, 0x10}
            assert agent.connects.empty()


async def test_embedded_survives_bytes_that_are_not_mqtt_and_cuts_a_consumer_that_stands_still(tmp_path: Path) -> None:
    async with local_broker(tmp_path, kind="embedded") as broker:
        reader, writer = await asyncio.open_connection(broker.host, broker.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + b"\xff" * 64)
        assert await asyncio.wait_for(reader.read(), DEADLINE_S) == b""
        writer.close()
        reader, writer = await asyncio.open_connection(broker.host, broker.port, limit=1024)
        writer.write(bytes.fromhex("100d00044d5154540502000a000000") + b"\x82\x07\x00\x01\x00\x00\x01#\x00")
        await reader.readexactly(1)
        with client(broker, "agent") as agent:
            await agent.connected()
            chunk = bytes(1_000_000)
            while "not taken" not in broker.log.read_text():
                assert await agent.publish("sf/a/b/c/data", chunk) in {0x00, 0x10}
            assert await agent.publish("sf/a/b/c/data", chunk) == 0x10
            assert agent.connects.empty()
        writer.close()
        assert broker.restarts == 0


@both
async def test_a_consumer_gets_no_more_than_its_receive_maximum_until_it_acknowledges(
    kind: Kind, tmp_path: Path
) -> None:
    sent = [str(number).encode() for number in range(12)]
    async with local_broker(tmp_path, kind=kind) as broker:
        with client(broker, "agent") as agent, client(broker, "bridge", receive_maximum=3, manual_ack=True) as bridge:
            await agent.connected()
            await bridge.connected()
            await bridge.subscribe("sf/#")
            for payload in sent:
                assert await agent.publish("sf/a/b/c/data", payload) == 0
            got = [await bridge.message() for _ in range(3)]
            await bridge.subscribe("other")  # answered after everything that was on its way
            assert bridge.messages.empty()
            while len(got) < len(sent):
                bridge.paho.ack(got[-3].mid, 1)
                got.append(await bridge.message())
            assert [message.payload for message in got] == sent


@both
async def test_a_session_is_kept_where_the_broker_can_and_said_to_be_new_where_not(kind: Kind, tmp_path: Path) -> None:
    seen: list[Message] = []
    async with local_broker(tmp_path, kind=kind) as broker:
        settings = MqttSettings(port=broker.port)
        async with MqttSession(settings, "away", seen.append, kept_s=60) as session:
            assert not session.resumed
            await session.subscribe(["t"])
        with client(broker, "other") as other:
            await other.connected()
            taken = await other.publish("t", b"meanwhile")
            async with MqttSession(settings, "away", seen.append, kept_s=60) as session:
                assert session.resumed == (kind == "mosquitto")
                await session.subscribe(["t"])
                await other.publish("t", b"then")
                await until(lambda: seen and seen[-1].payload == b"then")
        assert (taken, len(seen)) == ((0, 2) if kind == "mosquitto" else (0x10, 1))
        async with MqttSession(settings, "away", seen.append) as session:
            assert not session.resumed


async def test_embedded_connack_names_its_limits(tmp_path: Path) -> None:
    async with local_broker(tmp_path, kind="embedded") as broker:
        with client(broker, "") as agent:
            _, properties = await agent.connected()
            assert properties.SessionExpiryInterval == 0
            assert properties.MaximumPacketSize == 16 << 20
            assert len(properties.AssignedClientIdentifier) == 32


@both
async def test_the_blocks_own_error_comes_out_as_it_is(kind: Kind, tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="mine"):
        async with local_broker(tmp_path, kind=kind) as broker:
            raise KeyError("mine")
    assert broker.pid == 0


@both
async def test_a_taken_port_is_one_clear_line(kind: Kind, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            DependencyError, match=rf"^{kind} broker: 127\.0\.0\.1:{port}: Address already in use; name [^\n]*$"
        ):
            async with local_broker(tmp_path, kind=kind, port=port):
                pass


async def test_a_broker_that_ends_at_once_is_named_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mosquitto, "configuration", lambda _host, _port: "no_such_option true\n")
    with pytest.raises(DependencyError, match=r"^mosquitto broker: ended with code \d: .*no_such_option.*log: "):
        async with local_broker(tmp_path, kind="mosquitto"):
            pass


async def test_without_mosquitto_auto_is_embedded_and_forcing_it_names_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mosquitto, "find", lambda: None)
    async with local_broker(tmp_path) as broker:
        assert broker.kind == "embedded"
        assert "sudo apt install mosquitto" in broker.notice
    with pytest.raises(DependencyError, match="sudo apt install mosquitto"):
        async with local_broker(tmp_path, kind="mosquitto"):
            pass


async def test_auto_takes_the_embedded_one_when_mosquitto_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mosquitto, "configuration", lambda _host, _port: "no_such_option true\n")
    async with local_broker(tmp_path) as broker:
        assert broker.kind == "embedded"


@both
def test_the_broker_does_not_outlive_a_killed_parent(kind: Kind, tmp_path: Path) -> None:
    script = textwrap.dedent(f"""
        import asyncio, pathlib
        from agent.broker import local_broker
        async def main():
            async with local_broker(pathlib.Path({str(tmp_path)!r}), kind={kind!r}) as broker:
                print(broker.pid, flush=True)
                await asyncio.Event().wait()
        asyncio.run(main())
    """)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        handle = os.pidfd_open(pid)
        try:
            parent.kill()
            assert _ended(handle), f"broker {pid} still runs"
        finally:
            os.close(handle)


def _ended(handle: int) -> bool:
    import select  # noqa: PLC0415 - only here

    return bool(select.select([handle], [], [], DEADLINE_S)[0])
