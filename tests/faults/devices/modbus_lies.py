"""A Modbus server that delays, truncates, lengthens and swaps; as a process of its own, and what its registers tell.

Every register is part of a 64-bit value that names its unit, its address and when it was read, with a check sum: what
arrives under a wrong tag, altered or stale, is proven to be so by the reading alone.
"""

from __future__ import annotations

import asyncio
import json
import random
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from pymodbus.framer import FramerRTU

PITCH = 8
"""Registers from one value to the next; a value takes the first four."""
TICK_NS = 100_000
LIES = ("delay", "truncate", "lengthen", "unit", "function", "transaction")


def check_of(unit: Any, address: Any, generation: Any) -> Any:
    """16 bits, of integers or arrays."""
    return (unit * 7919 + address * 10473 + generation * 31 + (generation >> 7)) & 0xFFFF


def value_of(unit: int, address: int, generation: int) -> int:
    return unit << 56 | address << 40 | generation << 16 | check_of(unit, address, generation)


def words(unit: int, address: int, count: int, now_ns: int) -> bytes:
    """Registers as they are now."""
    generation = now_ns // TICK_NS & 0xFFFFFF
    first = address // PITCH * PITCH
    image = b"".join(
        struct.pack(">Q", value_of(unit, at, generation)) + b"\xde\xad" * (PITCH - 4)
        for at in range(first, address + count, PITCH)
    )
    start = 2 * (address - first)
    return image[start : start + 2 * count]


class Server(asyncio.Protocol):
    """One connection; `share` of the replies is a lie of `kinds`."""

    def __init__(self, dice: random.Random, share: float, kinds: list[str], timeout_s: float, rtu: bool) -> None:
        self._dice, self._share, self._kinds, self._timeout_s, self._rtu = dice, share, kinds, timeout_s, rtu
        self._buffer = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        data = self._buffer + data
        size = 8 if self._rtu else 12
        while len(data) >= size:
            one, data = data[:size], data[size:]
            if self._rtu:
                self._answer(0, *struct.unpack(">BBHH", one[:6]))
            else:
                transaction, _, _, unit, function, address, count = struct.unpack(">HHHBBHH", one)
                self._answer(transaction, unit, function, address, count)
        self._buffer = data

    def _answer(self, transaction: int, unit: int, function: int, address: int, count: int) -> None:
        body = words(unit, address, count, time.time_ns())
        if self._dice.random() >= self._share:
            self._transport.write(self._frame(transaction, unit, function, body))
        else:
            self._lie(self._dice.choice(self._kinds), transaction, unit, function, body)

    def _frame(self, transaction: int, unit: int, function: int, body: bytes, claimed: int | None = None) -> bytes:
        pdu = bytes((unit, function, len(body) if claimed is None else claimed)) + body
        if self._rtu:
            return pdu + FramerRTU.compute_CRC(pdu).to_bytes(2, "big")
        return struct.pack(">HHH", transaction, 0, len(pdu)) + pdu

    def _lie(self, kind: str, transaction: int, unit: int, function: int, body: bytes) -> None:
        dice, size = self._dice, len(body)
        good = self._frame(transaction, unit, function, body)
        if kind == "delay":  # around the timeout, or well behind it
            late_s = self._timeout_s * (dice.uniform(0.9, 1.1) if dice.random() < 0.5 else dice.uniform(1.1, 4))
            asyncio.get_running_loop().call_later(late_s, self._transport.write, good)
            return
        if kind == "truncate":
            less = dice.randrange(size)
            wrong = dice.choice(
                [self._frame(transaction, unit, function, body[:less]), good[: dice.randrange(1, len(good))],
                 self._frame(transaction, unit, function, body[:less], size)]
            )  # fmt: skip
        elif kind == "lengthen":
            more = body + dice.randbytes(2 * dice.randrange(1, 6))
            claimed = size if not self._rtu and dice.random() < 0.5 else None
            wrong = self._frame(transaction, unit, function, more, claimed)
        elif kind == "unit":
            wrong = self._frame(
                transaction, dice.choice([u for u in (0, 1, 2, 3, 4, 255) if u != unit]), function, body
            )
        elif kind == "function":
            wrong = self._frame(transaction, unit, dice.choice([f for f in (1, 2, 3, 4, 6, 16) if f != function]), body)
        else:
            others = (0, transaction - 1, transaction + 1, dice.randrange(65536))
            other = dice.choice([t & 0xFFFF for t in others if t & 0xFFFF != transaction])
            wrong = self._frame(other, unit, function, body)
        self._transport.write(wrong)


async def serve(share: float, kinds: list[str], timeout_s: float, rtu: bool, seed: int, host: str) -> None:
    dice = random.Random(seed)
    made = await asyncio.get_running_loop().create_server(lambda: Server(dice, share, kinds, timeout_s, rtu), host, 0)
    sys.stdout.write(json.dumps(made.sockets[0].getsockname()[1]) + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)


@contextmanager
def lying_server(
    share: float,
    kinds: tuple[str, ...] = LIES,
    *,
    timeout_s: float,
    rtu: bool = False,
    seed: int = 5,
    host: str = "127.0.0.1",
    through: Callable[..., list[str]] = lambda *command: list(command),
) -> Iterator[int]:
    """Port of a running server; `through` is put around its command line."""
    arguments = json.dumps([share, kinds, timeout_s, rtu, seed, host])
    command = through(sys.executable, str(Path(__file__)), arguments)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.terminate()


class Lag:
    """How long this process was kept from running: then even a reply in time is looked at late."""

    _EVERY_S = 0.002

    def __init__(self) -> None:
        self._woke_s = time.monotonic()
        self._seen: deque[tuple[float, float]] = deque(maxlen=1000)

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            self._woke_s = time.monotonic()
            await asyncio.sleep(self._EVERY_S)
            late_s = time.monotonic() - self._woke_s - self._EVERY_S
            if late_s > self._EVERY_S:
                self._seen.append((self._woke_s, late_s))

    def recent_ns(self) -> float:
        """The longest within the last seconds, ns."""
        now_s = time.monotonic()
        now = now_s - self._woke_s - self._EVERY_S
        return 1e9 * max([0.0, now, *(late_s for at_s, late_s in self._seen if now_s - at_s < 2)])


class Judge:
    """Looks at every reading.

    Attributes:
        lag: to be watched meanwhile.
        good: readings that are right.
        wrong: under the wrong tag.
        altered: of no value that the server ever had.
        stale: taken from a reply to an earlier request.
    """

    def __init__(self, places: list[tuple[int, int]], stale_s: float) -> None:
        self._unit = np.array([unit for unit, _ in places], np.uint64)
        self._address = np.array([address for _, address in places], np.uint64)
        self._stale_ns = stale_s * 1e9
        self.lag = Lag()
        self.good = self.wrong = self.altered = self.stale = 0

    def look(self, tag: Any, time_ns: Any, value: Any, status: Any) -> None:
        """At the readings of one scan."""
        taken = status == 0
        tag, time_ns, value = tag[taken], time_ns[taken], value[taken].astype(np.uint64)
        unit, address = value >> np.uint64(56), value >> np.uint64(40) & np.uint64(0xFFFF)
        generation = value >> np.uint64(16) & np.uint64(0xFFFFFF)
        sound = check_of(unit, address, generation) == value & np.uint64(0xFFFF)
        own = (unit == self._unit[tag]) & (address == self._address[tag])
        age = (time_ns // TICK_NS - generation.astype(np.int64)) % 0x1000000
        age = np.where(age >= 0x800000, age - 0x1000000, age) * TICK_NS
        old = np.abs(age) > self._stale_ns + self.lag.recent_ns()
        self.altered += int((~sound).sum())
        self.wrong += int((sound & ~own).sum())
        self.stale += int((sound & own & old).sum())
        self.good += int((sound & own & ~old).sum())


if __name__ == "__main__":
    asyncio.run(serve(*json.loads(sys.argv[1])))
