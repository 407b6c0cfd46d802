"""Devices as they are found in factories, for the doctor to look at: values, scales and noise of real maps."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMATS = {
    "uint16": "H", "int16": "h", "uint32": "I", "int32": "i", "float32": "f", "uint64": "Q", "int64": "q",
    "float64": "d",
}  # fmt: skip


def registers(value: Any, kind: str, order: str) -> list[int]:
    """A value as it lies on the wire."""
    raw = struct.pack(">" + FORMATS[kind], value)
    words = [raw[at : at + 2] for at in range(0, len(raw), 2)]
    if order in {"CDAB", "DCBA"}:
        words.reverse()
    if order in {"BADC", "DCBA"}:
        words = [word[::-1] for word in words]
    return [int.from_bytes(word, "big") for word in words]


@dataclass
class Meter:
    """A random device: what it holds, and its registers in several reads."""

    order: str
    kinds: list[str]
    reads: NDArray[np.uint16]

    def places(self) -> Iterator[tuple[int, str]]:
        address = 0
        for kind in self.kinds:
            yield address, kind
            address += len(registers(0, kind, "ABCD"))


def meter(seed: int, order: str, kind: str) -> Meter:
    """A power meter whose measured values have type `kind` (float32, float64, or int32 in tenths) and counters."""
    rng = random.Random(seed)
    load, volts = rng.uniform(0.5, 80), rng.choice([220, 230, 380])
    scale = 1 if kind.startswith("float") else rng.choice([10, 100, 1000])
    values: list[tuple[str, float, float]] = []  # type, value, relative noise
    values += [(kind, volts * rng.uniform(0.97, 1.03), 0.002) for _ in range(3)]
    values += [(kind, load * rng.uniform(0.8, 1.2), 0.01) for _ in range(3)]
    values += [(kind, load * volts * rng.uniform(0.8, 1.0), 0.01) for _ in range(3)]
    values += [(kind, rng.uniform(0.7, 1.0), 0.003), (kind, rng.gauss(60, 0.02), 0.0002), (kind, 0.0, 0.0)]
    values += [(kind, -load * volts * rng.uniform(0.05, 0.3), 0.01)]
    counter = "uint32" if kind == "int32" else kind
    energy = rng.uniform(1e3, 1e6)
    values += [(counter, energy, 0.0), (counter, energy * rng.uniform(1.0, 1.3), 0.0)]
    rows = []
    for number in range(3):
        row: list[int] = []
        for one, value, noise in values:
            now = value * (1 + rng.gauss(0, noise)) if noise else value + (number * load * 1e-3 if value else 0)
            now *= scale
            if one in {"float32", "float64"}:
                row += registers(now, one, order)
            else:
                row += registers(round(now), one, order)
        rows.append(row)
    return Meter(order, [one for one, _, _ in values], np.array(rows, np.uint16))


def drive(seed: int, swapped: bool) -> Meter:
    """A drive or controller: scaled 16-bit values."""
    rng = random.Random(seed)
    limits = [100, 1000, 6000, 400, 5000, 20, 3000, 1, 8, 900, 2500, 60, 10, 700, 4000, 300]
    values = [rng.uniform(0.1, 1) * limit for limit in limits]
    rows = [
        [
            word
            for value in values
            for word in registers(round(value * (1 + rng.gauss(0, 0.005))), "uint16", "BADC" if swapped else "ABCD")
        ]
        for _ in range(3)
    ]
    return Meter("BADC" if swapped else "ABCD", ["uint16"] * len(values), np.array(rows, np.uint16))
