"""A server that dials the agent: the right one is taken, strangers are not, and the wait ends."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from asyncua import Client
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from connectors.opcua.reverse import dialled, reverse_hello
from connectors.opcua.security.certificates import application_uris, split_der
from connectors.opcua.security.pki import Pki
from pipelines.errors import LinkRefused, LinkTimeout
from tests.services.ports import free_port

from .conftest import Consumer, connection, run_foreign, tag

pytestmark = pytest.mark.wire
ENDPOINT = "opc.tcp://10.0.0.7:4840/plc"
SERVER = "urn:vendor:plc"


def text(words: str) -> bytes:
    raw = words.encode()
    return struct.pack("<i", len(raw)) + raw


def hello(server: str = SERVER, endpoint: str = ENDPOINT, kind: bytes = b"RHEF") -> bytes:
    body = text(server) + text(endpoint)
    return kind + struct.pack("<I", 8 + len(body)) + body


@given(st.text(max_size=50), st.text(max_size=50))
def test_texts_come_back(server: str, endpoint: str) -> None:
    assert reverse_hello(text(server) + text(endpoint)) == (server, endpoint)


@given(st.binary(max_size=64))
def test_nonsense_is_refused_and_nothing_else_is_raised(body: bytes) -> None:
    try:
        said = reverse_hello(body)
    except ValueError:
        return
    assert body == text(said[0]) + text(said[1])


@asynccontextmanager
async def dial(port: int, data: bytes) -> AsyncIterator[asyncio.StreamReader]:
    async with asyncio.timeout(5):
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0)
            else:
                break
    try:
        writer.write(data)
        await writer.drain()
        yield reader
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def test_strangers_are_hung_up_on_and_the_right_one_is_taken() -> None:
    port = free_port()
    waiting = asyncio.ensure_future(dialled("127.0.0.1", port, ENDPOINT, SERVER, 10))
    wrong = (b"GET / HTTP/1.1\r\n\r\n", hello("urn:other"), hello(endpoint="opc.tcp://x:1"), b"RHEF\xff\xff\xff\xff")
    for data in wrong:
        async with dial(port, data) as reader:
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
    assert not waiting.done()
    async with dial(port, hello() + b"more"):
        line = await waiting
        assert await asyncio.get_running_loop().sock_recv(line, 10) == b"more"
        line.close()


async def test_nobody_dials() -> None:
    with pytest.raises(LinkTimeout, match=r"did not dial 127\.0\.0\.1:\d+ within 0\.05 s"):
        await dialled("127.0.0.1", free_port(), ENDPOINT, None, 0.05)


async def test_who_dialled_instead_is_named() -> None:
    port = free_port()
    waiting = asyncio.ensure_future(dialled("127.0.0.1", port, ENDPOINT, SERVER, 0.5))
    async with dial(port, hello("urn:other")):
        with pytest.raises(LinkTimeout, match=r"urn:other at opc\.tcp://10\.0\.0\.7:4840/plc dialled instead"):
            await waiting


async def test_a_taken_port_is_named() -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(LinkRefused, match="choose another port"):
        await dialled("127.0.0.1", port, ENDPOINT, None, 1)
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("policy", ["none", "Basic256Sha256"])
async def test_a_foreign_server_dials_is_read_and_dials_again(tmp_path: Path, policy: str) -> None:
    port = free_port()
    with run_foreign(tmp_path / "certificates", REVERSE=f"opc.tcp://127.0.0.1:{port}") as server:
        endpoints: Any = await Client(server.endpoint).connect_and_get_server_endpoints()
        certificate = x509.load_der_x509_certificate(split_der(endpoints[0].ServerCertificate)[0])
        Pki(tmp_path / "pki").add(certificate)
        counter = tag("c", f"nsu={server.namespace};s=Counter0", sampling_interval_s=0, queue_size=1000)
        reverse = {"listen": f"127.0.0.1:{port}", "server_uri": application_uris(certificate)[0]}
        settings = connection(server.endpoint, counter, security={"policy": policy}, reverse=reverse)
        consumer = Consumer(settings, state_dir=tmp_path)
        for wanted in (5, 20):
            await consumer.until(lambda wanted=wanted: len(consumer.values(0)) >= wanted)
            assert consumer.error is None
    values = [value for _, value in sorted({(time_ns, value) for _, time_ns, value, _ in consumer.rows})]
    assert values == list(range(values[0], values[0] + len(values)))  # the last one may come again as it was
    assert not consumer.gaps
