"""The session against a real mosquitto, and against what is no broker."""

from __future__ import annotations

import asyncio
import gc
import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from pipelines.delivery.mqtt import Message, MqttSession
from pipelines.delivery.mqtt_settings import MqttSettings, TlsSettings
from pipelines.delivery.outbox import Outbox
from pipelines.errors import LinkClosed, LinkError, LinkRefused, LinkTimeout, LinkUntrusted
from pipelines.journal.journal import Journal, JournalSettings
from pipelines.stats import FlowStats
from tests.pipelines.waiting import until
from tests.services.mosquitto import Mosquitto, free_port

pytestmark = pytest.mark.wire
SECRET = "sw0rdfish"  # noqa: S105 - looked for in what is said
PLUGIN = "/usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so"


def settings_of(broker: Mosquitto, **more: Any) -> MqttSettings:
    return MqttSettings(host=broker.host, port=broker.port, **more)


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """No thread stays; pytest makes an error of a ResourceWarning, as the collector finds a socket left open."""
    gc.freeze()  # what is older is not looked through, 0.3 s each time
    yield
    gc.collect()
    gc.unfreeze()
    left = [one.name for one in threading.enumerate() if one.name.startswith("paho")]
    assert left == []


async def failing(settings: MqttSettings, name: str = "x") -> LinkError:
    with pytest.raises(LinkError) as caught:
        async with MqttSession(settings, name, lambda _: None):
            pass
    return caught.value


async def test_payload_and_user_properties_arrive_as_they_were(broker: Mosquitto) -> None:
    got: list[Message] = []
    codes: list[int] = []
    async with MqttSession(settings_of(broker), "a", got.append) as session:
        await session.subscribe(["t/#"])
        payload = bytes(range(256)) * 4096
        properties = {"record": "0" * 32 + ":1", "이름": "값"}
        session.publish("t/1", payload, properties, heard=lambda code, _: codes.append(code))
        await until(lambda: got and codes)
    assert (got[0].topic, got[0].payload, got[0].properties, got[0].qos) == ("t/1", payload, properties, 1)
    assert codes == [0]


async def test_nobody_listens_is_told(broker: Mosquitto) -> None:
    heard: list[tuple[int, str]] = []
    async with MqttSession(settings_of(broker), "a", lambda _: None) as session:
        session.publish("t", b"x", heard=lambda *one: heard.append(one))
        await until(lambda: heard)
    assert heard == [(0x10, "No matching subscribers")]


async def test_an_unreachable_broker_is_named() -> None:
    port = free_port()
    error = await failing(MqttSettings(port=port))
    assert type(error) is LinkRefused
    assert str(error) == f"mqtt://127.0.0.1:{port}: Connection refused; is the broker running?"


async def test_the_same_client_id_twice_is_told_in_words(broker: Mosquitto) -> None:
    async with MqttSession(settings_of(broker), "same", lambda _: None) as first:
        async with MqttSession(settings_of(broker), "same", lambda _: None):
            await until(lambda: first.over)
        assert first.hung_up
        assert "hung up without a word" in str(first.over)
    with talker(CONNACK + bytes.fromhex("e0028e00")) as port:
        session = MqttSession(MqttSettings(port=port), "same", lambda _: None)
        with suppress(LinkUntrusted):  # the two packets may come as one
            async with session:
                await until(lambda: session.over)
    assert isinstance(session.over, LinkUntrusted)
    assert "another client uses the client id same" in str(session.over)


async def test_a_killed_broker_ends_the_session_at_once(broker: Mosquitto) -> None:
    ended = asyncio.Event()
    async with MqttSession(settings_of(broker), "a", lambda _: None, on_end=ended.set) as session:
        broker.kill()
        before_s = time.monotonic()
        await session.pause(30)
        assert time.monotonic() - before_s < 1
        assert ended.is_set()
        assert isinstance(session.over, LinkClosed)
        session.publish("t", b"x")
        session.ack(Message("t", b"", {}, 1, 1))
        with pytest.raises(LinkClosed):
            await session.subscribe(["t"])


async def test_a_broker_that_stands_still_is_noticed_and_left_in_time(broker: Mosquitto) -> None:
    async with MqttSession(settings_of(broker, keepalive_s=5), "a", lambda _: None) as session:
        broker.process.send_signal(signal.SIGSTOP)  # type: ignore[union-attr]
        stopped_s = time.monotonic()
        try:
            for _ in range(20):
                session.publish("t", bytes(1 << 20))
            await session.pause(20)
            assert session.over is not None
            assert time.monotonic() - stopped_s < 2 * 5 + 2
        finally:
            broker.process.send_signal(signal.SIGCONT)  # type: ignore[union-attr]
    async with MqttSession(settings_of(broker), "a", lambda _: None):
        pass


async def test_leaving_a_broker_that_stands_still_does_not_wait_for_it(broker: Mosquitto) -> None:
    async with MqttSession(settings_of(broker), "a", lambda _: None) as session:
        broker.process.send_signal(signal.SIGSTOP)  # type: ignore[union-attr]
        for _ in range(20):
            session.publish("t", bytes(1 << 20))
        before_s = time.monotonic()
    assert time.monotonic() - before_s < 5
    error = await failing(settings_of(broker, timeout_s=0.3))
    assert type(error) is LinkTimeout
    broker.process.send_signal(signal.SIGCONT)  # type: ignore[union-attr]


async def test_connecting_can_be_cancelled(broker: Mosquitto) -> None:
    broker.process.send_signal(signal.SIGSTOP)  # type: ignore[union-attr]
    try:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2), MqttSession(settings_of(broker), "a", lambda _: None):
                pytest.fail("opened")
    finally:
        broker.process.send_signal(signal.SIGCONT)  # type: ignore[union-attr]
    await until(lambda: not any(one.name.startswith("paho") for one in threading.enumerate()))


# ── who may what ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text(SECRET + "\n")
    return path


async def test_user_and_password(tmp_path: Path, password_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Mosquitto(tmp_path / "b", users={"agent": SECRET}) as broker:
        good = settings_of(broker, user="agent", password_file=password_file)
        async with MqttSession(good, "a", lambda _: None) as session:
            assert session.over is None
            assert SECRET not in f"{session!r} {vars(session)} {good!r} {good.endpoint}"
        password_file.write_text("wrong-" + SECRET)  # noqa: ASYNC240 - a test
        for settings in (good, settings_of(broker), settings_of(broker, user="agent")):
            error = await failing(settings)
            assert type(error) is LinkUntrusted
            assert "Not authorized" in str(error)
            assert SECRET not in f"{error!s} {error!r} {error.__cause__!r}"
    password_file.unlink()  # noqa: ASYNC240
    error = await failing(MqttSettings(user="agent", password_file=password_file))
    assert type(error) is LinkUntrusted
    assert "cannot read the secret: No such file" in str(error)
    said = capsys.readouterr()
    assert SECRET not in said.out + said.err


async def test_a_publish_the_acl_denies_is_told_and_the_record_kept(tmp_path: Path, password_file: Path) -> None:
    acl = "user agent\ntopic readwrite sf/c/s/mine/#\n"
    journal = Journal(tmp_path / "journal", JournalSettings(min_free_bytes=0))
    journal.open()
    outbox = Outbox(journal, FlowStats(), lambda _: True)
    outbox.connected()
    stored = journal.append(b"m f=1 1", 1, (1, 1), {})
    outbox.add(stored)
    flight = outbox.next(1.0)
    assert flight is not None
    with Mosquitto(tmp_path / "b", users={"agent": SECRET}, acl=acl) as broker:
        settings = settings_of(broker, user="agent", password_file=password_file)
        async with MqttSession(settings, "a", lambda _: None) as session:
            heard: list[int] = []

            def hear(code: int, reason: str) -> None:
                heard.append(code)
                outbox.heard(stored.id, code, reason, 1.0)

            session.publish("sf/c/s/other/data", b"m f=1 1", heard=hear)
            await until(lambda: heard)
    assert heard == [0x87]
    assert outbox.deaf == "Not authorized"
    assert outbox.get(stored.id) is stored
    assert journal.points_queued == 1
    journal.close()


async def test_a_subscription_that_is_denied_is_named(tmp_path: Path) -> None:
    access = {"publishClientSend": True, "publishClientReceive": True, "subscribe": False, "unsubscribe": True}
    (tmp_path / "rules.json").write_text(json.dumps({"defaultACLAccess": access, "clients": []}))
    lines = [f"plugin {PLUGIN}", f"plugin_opt_config_file {tmp_path / 'rules.json'}"]
    with Mosquitto(tmp_path / "b", lines=lines) as broker:
        async with MqttSession(settings_of(broker), "a", lambda _: None) as session:
            with pytest.raises(LinkUntrusted, match=r"may not subscribe to sf/a: Not authorized; check the ACL"):
                await session.subscribe(["sf/a"])


# ── TLS ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_tls(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "b", tls=True) as broker:
        trusting = settings_of(broker, tls=TlsSettings(ca_file=broker.ca_file))
        got: list[Message] = []
        async with MqttSession(trusting, "a", got.append) as session:
            await session.subscribe(["t"])
            session.publish("t", bytes(1 << 20))
            await until(lambda: got)
        error = await failing(settings_of(broker, tls=TlsSettings()))
        assert type(error) is LinkUntrusted
        assert "its certificate is not trusted: " in str(error)
        error = await failing(settings_of(broker, tls=TlsSettings(ca_file=tmp_path / "gone.crt")))
        assert type(error) is LinkUntrusted
        assert "gone.crt: not usable for TLS: No such file" in str(error)
        assert isinstance(await failing(settings_of(broker, timeout_s=2)), LinkClosed | LinkTimeout)


async def test_a_relay_whose_broker_is_away_is_no_distrust() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as relay:
        port = relay.sockets[0].getsockname()[1]
        error = await failing(MqttSettings(host="127.0.0.1", port=port, tls=TlsSettings()))
    assert isinstance(error, LinkRefused)
    assert "hung up while TLS was set up" in error.reason


async def test_tls_where_there_is_none(broker: Mosquitto) -> None:
    error = await failing(settings_of(broker, tls=TlsSettings()))
    assert isinstance(error, LinkUntrusted | LinkRefused)


async def test_a_client_certificate(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "b", require_certificate=True) as broker:
        keys = {"cert_file": broker.client_cert_file, "key_file": broker.client_key_file}
        async with MqttSession(
            settings_of(broker, tls=TlsSettings(ca_file=broker.ca_file, **keys)), "a", lambda _: None
        ):
            pass
        error = await failing(settings_of(broker, tls=TlsSettings(ca_file=broker.ca_file)))
        assert isinstance(error, LinkError)


# ── no broker at all ────────────────────────────────────────────────────────────────────────────────────────────────

CONNACK = bytes.fromhex("2003000000")


@contextmanager
def talker(said: bytes) -> Iterator[int]:
    """Answers a CONNECT with `said`, then waits for the other side to leave."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                peer.settimeout(20)
                peer.recv(4096)
                peer.sendall(said)
                try:
                    while peer.recv(4096):
                        pass
                except OSError:
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            thread.join()


@pytest.mark.parametrize(
    "garbage",
    [
        "3005 0002 ff",  # a PUBLISH cut short
        "3207 0001 2f 0001 05 01",  # properties longer than the packet
        "3006 0001 61 02 99 00",  # a property nobody knows
        "4003 0001 55",  # a PUBACK with a reason nobody knows
        "9005 0001 00 55 55",  # a SUBACK with reasons nobody knows
        "f000 e000 0000",  # AUTH, a DISCONNECT, a packet of type 0
        "30ffffffff7f",  # a length of five bytes
    ],
)
async def test_what_is_no_mqtt_ends_the_session_and_nothing_else(garbage: str) -> None:
    with talker(CONNACK + bytes.fromhex(garbage.replace(" ", ""))) as port:
        try:
            async with MqttSession(MqttSettings(port=port, keepalive_s=5), "a", lambda _: None) as session:
                await session.pause(0.5)
                if session.over is None:
                    session.publish("t", b"x")
        except LinkError as error:
            assert error.endpoint == f"mqtt://127.0.0.1:{port}"  # noqa: PT017 - either way is right
