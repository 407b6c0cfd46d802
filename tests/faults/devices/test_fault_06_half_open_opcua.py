"""Fault 6, OPC UA part: the cable is pulled without a word; servers that accept and then hang."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.supervise import DEVICE_CAP_S, keep_open
from pipelines.errors import LinkTimeout
from tests.connectors.opcua.conftest import Consumer, Foreign, connection, run_foreign, tag
from tests.faults.conftest import Figure, Size
from tests.faults.devices.collecting import Watched

pytestmark = [pytest.mark.fault(6), pytest.mark.wire]
HERE, THERE = "10.213.26.1", "10.213.26.2"


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@dataclass(frozen=True)
class Cable:
    """A pair of interfaces, one end in a network namespace of its own."""

    space: str

    def plugged(self, state: str) -> None:
        ip("netns", "exec", self.space, "ip", "link", "set", f"{self.space}b", state)


@pytest.fixture
def cable() -> Iterator[Cable]:
    name = f"o{os.getpid() % 1_000_000}"
    if os.geteuid() != 0:
        pytest.fail("this test needs root: it makes a network namespace (ip netns add)")
    ip("netns", "add", name)
    try:
        ip("link", "add", f"{name}a", "type", "veth", "peer", "name", f"{name}b", "netns", name)
        ip("addr", "add", f"{HERE}/30", "dev", f"{name}a")
        ip("link", "set", f"{name}a", "up")
        ip("netns", "exec", name, "ip", "addr", "add", f"{THERE}/30", "dev", f"{name}b")
        ip("netns", "exec", name, "ip", "link", "set", "lo", "up")
        ip("netns", "exec", name, "ip", "link", "set", f"{name}b", "up")
        yield Cable(name)
    finally:
        subprocess.run(["ip", "link", "del", f"{name}a"], check=False, capture_output=True)
        ip("netns", "del", name)


@pytest.fixture
def server(cable: Cable, tmp_path: Path) -> Iterator[Foreign]:
    with run_foreign(tmp_path, "ip", "netns", "exec", cable.space, HOST_ADDRESS=THERE) as one:
        yield one


async def test_a_pulled_cable_is_found_and_healed(server: Foreign, cable: Cable, size: Size, figure: Figure) -> None:
    keepalive_s = size(1, 3)
    settings = connection(
        server.endpoint,
        tag("c", f"nsu={server.namespace};s=Counter0"),
        keepalive_s=keepalive_s,
        timeout_s=4.0,
        session_timeout_s=60,
        sampling_interval_s=0,
        queue_size=10_000,
    )
    watched = Watched(Consumer(settings))
    found: list[float] = []
    back: list[float] = []
    supervisor = asyncio.ensure_future(keep_open("plc", watched.session, cap_s=DEVICE_CAP_S))
    try:
        for _ in range(size(1, 10)):
            before = watched.readings
            await watched.until(lambda before=before: watched.readings > before)
            downs = len(watched.downs)
            cable.plugged("down")
            pulled = time.monotonic()
            found.append(await watched.until(lambda downs=downs: len(watched.downs) > downs) - pulled)
            tries = len(watched.downs)
            await watched.until(lambda tries=tries: len(watched.downs) > tries)  # it has knocked in vain
            before = watched.readings
            cable.plugged("up")
            plugged = time.monotonic()
            back.append(await watched.until(lambda before=before: watched.readings > before) - plugged)
    finally:
        supervisor.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await supervisor
    assert max(found) <= 10
    assert max(back) <= 5
    figure("half-open OPC UA link found", asked="<= 10 s", measured=max(found))
    figure("OPC UA back after link up", asked="<= 5 s", measured=max(back))


ACKNOWLEDGE = b"ACKF" + (28).to_bytes(4, "little") + bytes(4) + (65536).to_bytes(4, "little") * 2 + bytes(8)
TALK = {
    "accepts and says nothing": [],
    "answers Hello and nothing more": [ACKNOWLEDGE],
    "stops in the middle of a message": [ACKNOWLEDGE, b"OPNF" + (132).to_bytes(4, "little") + b"\x01\x02"],
}


@contextlib.asynccontextmanager
async def hanging(answers: list[bytes]) -> AsyncIterator[int]:
    """A server that gives these answers, one for each piece it receives, and then hangs."""

    open_now: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_now.append(writer)
        for answer in answers:
            if not await reader.read(65536):
                break
            writer.write(answer)
        with contextlib.suppress(OSError):
            while await reader.read(65536):
                pass

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        yield listener.sockets[0].getsockname()[1]
        for writer in open_now:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@pytest.mark.parametrize("policy", ["none", "auto"])
@pytest.mark.parametrize("case", TALK)
async def test_a_hung_call_ends_by_its_deadline(case: str, policy: str, tmp_path: Path) -> None:
    async with hanging(TALK[case]) as port:
        settings = connection(
            f"opc.tcp://127.0.0.1:{port}", tag("a", "i=2258"), timeout_s=0.5, security={"policy": policy}
        )
        started = time.monotonic()
        with pytest.raises(LinkTimeout):
            await Consumer(settings, state_dir=tmp_path).until(lambda: True)
        assert time.monotonic() - started < 3
