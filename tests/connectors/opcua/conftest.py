"""Servers of these tests: node-opcua in a child process, asyncua in the loop, and a proxy that cuts connections."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from asyncua import ua
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from connectors.base import LinkContext
from connectors.opcua.config import OpcUaConnection, OpcUaTag
from connectors.opcua.link import OpcUaLink
from pipelines.clock import SystemClock
from pipelines.errors import LinkError
from pipelines.parts import Parts
from pipelines.point import AlarmEvent, Delivery, Gap
from pipelines.stats import LinkStats
from tests.services.asyncua_nodes import new_server
from tests.services.ports import free_port

ATTEMPTS = 5
PLAIN = {"policy": "none", "allow_plain_password": True}
"""A user without any protection: what these tests of other things need no certificates for."""
FOREIGN = Path(__file__).parents[2] / "foreign" / "node-opcua"


@dataclass
class Foreign:
    process: subprocess.Popen[str]
    endpoint: str
    namespace: str
    user: str
    password: str
    values: list[dict[str, Any]]

    @property
    def port(self) -> int:
        port = urlsplit(self.endpoint).port
        assert port
        return port


@cache
def _key() -> bytes:
    """The private key of every such server: node-opcua would search primes for a second, twice."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@contextlib.contextmanager
def node_server(
    folder: Path, *before: str, script: str, **environment: str
) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A script of tests/foreign/node-opcua as a child, and what it says when it listens.

    Args:
        folder: for its certificates.
        before: words in front of its command, such as `ip netns exec plc`.
        script: file name.
        environment: what the script reads.
    """
    node = shutil.which("node")
    if node is None or not (FOREIGN / "node_modules" / "node-opcua").is_dir():
        pytest.fail("node-opcua is not installed: run `npm ci --omit=dev` in tests/foreign/node-opcua")
    for user in (folder, folder / "users"):
        key = user / "own" / "private" / "private_key.pem"
        key.parent.mkdir(parents=True, exist_ok=True)
        if not key.exists():
            key.write_bytes(_key())
    process = subprocess.Popen(
        [*before, node, script],
        cwd=FOREIGN,
        env=os.environ | {"CERTIFICATES": str(folder)} | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    try:
        line = next((text for text in process.stdout if text.startswith("{")), None)
        if line is None:
            pytest.fail(f"tests/foreign/node-opcua/{script} ended before it listened")
        yield process, json.loads(line)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdin.close()
        process.stdout.close()


@contextlib.contextmanager
def run_foreign(folder: Path, *before: str, script: str = "server.js", **environment: str) -> Iterator[Foreign]:
    """A server of variables; see `node_server`."""
    with node_server(folder, *before, script=script, **environment) as (process, said):
        yield Foreign(process, **said)


@pytest.fixture(scope="package")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foreign]:
    with run_foreign(tmp_path_factory.mktemp("certificates")) as server:
        yield server


class Plant:
    """An asyncua server in this loop that can be stopped and started on the same port."""

    def __init__(self) -> None:
        self.port = 0
        self.server: Any = None
        self.nodes: dict[str, Any] = {}

    @property
    def endpoint(self) -> str:
        return f"opc.tcp://127.0.0.1:{self.port}/plant"

    async def start(self, names: tuple[str, ...] = ("a", "b"), first_namespaces: tuple[str, ...] = ()) -> None:
        fixed = self.port
        for left in reversed(range(1 if fixed else ATTEMPTS)):
            self.port = fixed or free_port()
            try:
                await self._start(names, first_namespaces)
            except OSError as error:
                if error.errno != errno.EADDRINUSE or not left:
                    raise
            else:
                return

    async def _start(self, names: tuple[str, ...], first_namespaces: tuple[str, ...]) -> None:
        self.server = await new_server()
        self.server.set_endpoint(self.endpoint)
        self.server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        for uri in first_namespaces:
            await self.server.register_namespace(uri)
        index = await self.server.register_namespace("urn:test:plant")
        for name in names:
            node = ua.NodeId(name, index)
            self.nodes[name] = await self.server.nodes.objects.add_variable(node, name, 0, ua.VariantType.Int64)
        await self.server.start()

    async def stop(self) -> None:
        if self.server is not None:
            await self.server.stop()
            self.server = None

    async def write(self, name: str, value: int) -> None:
        variant = ua.Variant(value, ua.VariantType.Int64)
        await self.server.write_attribute_value(
            self.nodes[name].nodeid, ua.DataValue(variant, SourceTimestamp=datetime.now(UTC))
        )

    @property
    def subscriptions(self) -> dict[int, Any]:
        found: dict[int, Any] = self.server.iserver.subscription_service.subscriptions
        return found


@pytest.fixture
async def plant() -> AsyncIterator[Plant]:
    plant = Plant()
    await plant.start()
    try:
        yield plant
    finally:
        await plant.stop()


class Proxy:
    """A TCP relay that can cut every connection or swallow what passes."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.mute = False
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, back}
        async with asyncio.TaskGroup() as group:
            group.create_task(self._relay(reader, back))
            group.create_task(self._relay(there, writer))
        self._writers -= {writer, back}

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if not self.mute:
                    writer.write(data)
        writer.transport.abort()

    def cut(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await self._server.wait_closed()


@contextlib.asynccontextmanager
async def proxy_to(port: int) -> AsyncIterator[Proxy]:
    proxy = Proxy(port)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()


def connection(endpoint: str, *tags: OpcUaTag, **more: Any) -> OpcUaConnection:
    defaults: dict[str, Any] = {"security": {"policy": "none"}} | {
        "publishing_interval_s": 0.1,
        "sampling_interval_s": 0.01,
        "keepalive_s": 0.5,
        "timeout_s": 3.0,
    }
    return OpcUaConnection(type="opcua", name="plc", endpoint=endpoint, tags=tags, **(defaults | more))


def tag(name: str, node: str, **more: Any) -> OpcUaTag:
    return OpcUaTag(name=name, **({"node": node} if node else {}), **more)


@dataclass
class Consumer:
    """Takes deliveries of one link after the other, like a supervisor with a journal does."""

    settings: OpcUaConnection
    resume: bytes | None = None
    absence: str = "no_communication"
    state_dir: Path | None = None
    stats: LinkStats = field(default_factory=LinkStats)
    rows: list[tuple[int, int, Any, int]] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    events: list[AlarmEvent] = field(default_factory=list)
    history: list[tuple[int, int, Any, int]] = field(default_factory=list)
    notes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    error: LinkError | None = None
    parts: Parts = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        self.parts = self.parts or Parts(len(self.settings.tags))

    def note(self, event: str, /, **values: object) -> None:
        self.notes.append((event, values))

    def noted(self, event: str) -> list[dict[str, Any]]:
        return [values for name, values in self.notes if name == event]

    def link(self) -> OpcUaLink:
        return OpcUaLink(
            LinkContext(
                self.settings,
                self.resume,
                SystemClock(),
                self.stats,
                self.absence,
                self.parts,
                self.state_dir,
                self.note,
            )
        )

    def commit(self, delivery: Delivery) -> None:
        for scan in delivery.scans:
            columns = (scan.tag, scan.time_ns, scan.value, scan.status)
            rows = self.history if delivery.historical else self.rows
            rows += zip(*(column.tolist() for column in columns), strict=True)
        self.gaps += delivery.gaps
        self.events += delivery.events
        self.resume = delivery.resume or self.resume
        delivery.accepted()

    def values(self, index: int) -> list[Any]:
        return [row[2] for row in self.rows if row[0] == index and row[3] == 0]

    async def until(self, done: Any, seconds: float = 60.0) -> None:
        """Commit deliveries of one link until `done()`; a link error is kept."""
        async with asyncio.timeout(seconds), self.link() as link:
            try:
                async for delivery in link.deliveries():
                    self.commit(delivery)
                    if done():
                        return
            except LinkError as error:
                self.error = error


@pytest.fixture
def unused_port() -> int:
    return free_port()
