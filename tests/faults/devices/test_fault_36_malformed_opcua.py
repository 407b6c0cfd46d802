"""Broken answers at every stage: the link goes on or ends with a LinkError, in time and in little memory."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from connectors.opcua.channel import MOST_MESSAGE_BYTES
from pipelines.errors import LinkError
from tests.connectors.opcua.conftest import Consumer, Plant, connection, plant, tag
from tests.faults.conftest import Figure, Size

from .memory import forget_peak, peak_mib

__all__ = ["plant"]
pytestmark = [pytest.mark.wire, pytest.mark.fault(36)]

TIMEOUT_S = 0.4
LONGEST_S = 12 * TIMEOUT_S
"""Hello, channel, session, activation, limits, subscription and silence each have a deadline of their own."""
MOST_MIB = 50.0


def noise(rng: random.Random, frame: bytes) -> bytes:
    return rng.randbytes(rng.randrange(1, 400)) + frame[:0]


def flipped(rng: random.Random, frame: bytes) -> bytes:
    out = bytearray(frame)
    for _ in range(rng.choice((1, 1, 2, 8))):
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def body_flipped(rng: random.Random, frame: bytes) -> bytes:
    return frame[:24] + flipped(rng, frame[24:]) if len(frame) > 24 else flipped(rng, frame)


def resized(frame: bytes) -> bytes:
    return frame[:4] + struct.pack("<I", len(frame)) + frame[8:]


def shorter(rng: random.Random, frame: bytes) -> bytes:
    return resized(frame[: rng.randrange(8, len(frame))])


def longer(rng: random.Random, frame: bytes) -> bytes:
    return resized(frame + rng.randbytes(rng.randrange(1, 100)))


def long_length(rng: random.Random, frame: bytes) -> bytes:
    return frame[:4] + struct.pack("<I", rng.choice((0, 7, 9, 70_000, 2**31, 2**32 - 1))) + frame[8:]


def lengths(rng: random.Random, frame: bytes) -> bytes:
    """A count or a length that is negative or without end."""
    at = rng.randrange(min(24, len(frame) - 4), len(frame) - 3)
    return frame[:at] + struct.pack("<i", rng.choice((-1, -2, -5, -100, 2**31 - 1, 2**20))) + frame[at + 4 :]


def twice(_: random.Random, frame: bytes) -> bytes:
    return frame + frame


def nothing(_: random.Random, frame: bytes) -> bytes:
    return frame[:0]


def aborted(rng: random.Random, frame: bytes) -> bytes:
    """The server gives up in the middle of an answer (OPC 10000-6 §6.7.3)."""
    body = struct.pack("<Ii", rng.choice((0x80B9_0000, 0x8008_0000)), -1)
    return resized(frame[:3] + b"A" + frame[4:24] + body)


DAMAGES: list[Callable[[random.Random, bytes], bytes]] = [
    noise,
    flipped,
    body_flipped,
    body_flipped,
    shorter,
    longer,
    long_length,
    lengths,
    lengths,
    lengths,
    twice,
    nothing,
    aborted,
]


class Liar:
    """A relay that damages one frame of the server, the `at`-th of a connection."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.rng = random.Random(0)
        self.at = 0
        self.done = False

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.up(reader, back))
                group.create_task(self.down(there, writer))
        except* OSError:
            pass
        finally:
            back.transport.abort()
            with contextlib.suppress(OSError):
                await back.wait_closed()

    async def up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        raise ConnectionResetError

    async def down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = 0
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                head = await reader.readexactly(8)
                frame = head + await reader.readexactly(struct.unpack("<I", head[4:])[0] - 8)
                if number == self.at and not self.done:
                    self.done = True
                    frame = self.rng.choice(DAMAGES)(self.rng, frame)
                number += 1
                writer.write(frame)
        raise ConnectionResetError


@pytest.fixture
def quiet() -> Iterator[None]:
    """asyncua tells every broken frame with a traceback."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


@contextlib.asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[int]:
    """The port of a server whose connections are all closed at the end."""
    running: set[asyncio.Task[Any] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        running.add(asyncio.current_task())
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await handler(reader, writer)
        finally:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.gather(*(one for one in running if one), return_exceptions=True)


def short(endpoint: str, *tags: Any) -> Any:
    return connection(
        endpoint, *tags, timeout_s=TIMEOUT_S, keepalive_s=0.1, publishing_interval_s=0.05, session_timeout_s=2
    )


@pytest.mark.usefixtures("quiet")
async def test_damaged_frames_at_every_stage(plant: Plant, size: Size, figure: Figure) -> None:
    trials = size(30, 3000)
    rng = random.Random(36)
    ended = survived = 0
    slowest_s = 0.0
    loop = asyncio.get_running_loop()
    liar = Liar(plant.port)
    async with listening(liar) as port:
        tags = (tag("a", "ns=2;s=a"), tag("b", "ns=2;s=b", mode="read", period_s=0.05))
        settings = short(f"opc.tcp://127.0.0.1:{port}/plant", *tags)
        before = 0.0
        for trial in range(trials):
            if trial == min(10, trials // 2):
                before = forget_peak()  # the first links fill asyncua's own caches
            liar.rng, liar.at, liar.done = random.Random(rng.random()), trial % 24, False
            consumer = Consumer(settings)
            started_s = loop.time()
            try:
                async with asyncio.timeout(LONGEST_S), consumer.link() as link:
                    async for delivery in link.deliveries():
                        consumer.commit(delivery)
                        await plant.write("a", trial)
                        if liar.done and len(consumer.rows) > 2:
                            break
                survived += 1
            except LinkError:
                ended += 1
            slowest_s = max(slowest_s, loop.time() - started_s)
    grown = peak_mib() - before
    figure("links that ended with anything but a LinkError, or hung", asked="0", measured=trials - ended - survived)
    figure("slowest end, s", asked=f"< {LONGEST_S:g}", measured=slowest_s)
    figure("memory, MiB", asked=f"< +{MOST_MIB:g}", measured=grown)
    assert ended + survived == trials
    assert ended > trials // 3
    assert grown < MOST_MIB


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("stage", ["hello", "endless frame", "endless message", "silent"])
async def test_a_server_without_end(stage: str, figure: Figure) -> None:
    """Bytes that never become an answer are given up by size or by time."""
    chunk = b"MSGC" + struct.pack("<IIIII", 65_000, 0, 0, 1, 2) + bytes(65_000 - 24)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        while stage == "hello":
            writer.write(bytes(65536))
            await writer.drain()
        writer.write(b"ACKF" + struct.pack("<IIIIII", 28, 0, 2**31 - 1, 2**31 - 1, 0, 0))
        if stage == "endless frame":
            writer.write(b"MSGF" + struct.pack("<I", 2**32 - 1))
        while stage == "endless frame":
            writer.write(bytes(65536))
            await writer.drain()
        number = 0
        while stage == "endless message":
            number += 1
            writer.write(chunk[:16] + struct.pack("<II", number, 1) + chunk[24:])
            await writer.drain()
        await reader.read(-1)

    before = forget_peak()
    async with listening(serve) as port:
        with pytest.raises(LinkError):
            async with asyncio.timeout(LONGEST_S), Consumer(short(f"opc.tcp://127.0.0.1:{port}/x")).link():
                pass
    grown = peak_mib() - before
    figure(f"memory against {stage}, MiB", asked=f"< +{MOST_MIB:g}", measured=grown)
    assert grown < MOST_MIB
    assert MOST_MESSAGE_BYTES < MOST_MIB * 1024 * 1024
