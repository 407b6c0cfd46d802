"""What packing saves on the wire, of a record as a line of machines makes it."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from pipelines.delivery.compress import Compression, pack, unpack
from pipelines.place import Place
from pipelines.point import Delivery, scan_of
from pipelines.settings import ConnectionSettings, TagSettings
from pipelines.source import Source

TAGS = 40
NAMES = ("temperature", "pressure", "flow", "current", "voltage", "power", "speed", "position")


class Connection(ConnectionSettings):
    tags: tuple[TagSettings, ...]


def record(polls: int) -> tuple[bytes, int]:
    """Polls a second apart of 40 tags: slow and noisy floats, counters, a state; and its points."""
    draw = np.random.default_rng(7)
    tags = tuple(TagSettings(name=f"{NAMES[number % len(NAMES)]}_{number}") for number in range(TAGS))
    place = Place("press", "hansol", "daegu", "line-1", "PRS-01")
    source = Source(Connection(name="plc", tags=tags, max_skew_s=3600), [place] * TAGS, {})
    base, body, points = draw.uniform(10, 200, TAGS), b"", 0
    for poll in range(polls):
        now_ns = 1_790_000_000_000_000_000 + poll * 10**9 + int(draw.integers(0, 3_000_000))
        base += draw.normal(0, 0.05, TAGS)
        values = np.where(np.arange(TAGS) < TAGS // 2, np.round(base, 1), np.round(base * 10) + poll)
        for lines in source.encode(Delivery((scan_of(np.arange(TAGS), now_ns, values),)), now_ns):
            body, points = body + lines.body, points + lines.points
    return body, points


@pytest.mark.parametrize(("name", "polls"), [("live, 2 s of 40 tags", 2), ("backlog, 300 s of 40 tags", 300)])
def test_bytes_per_point(name: str, polls: int, figure: Any) -> None:
    body, points = record(polls)
    size = {}
    for method in ("none", "gzip", "zstd"):
        chosen: Compression = method  # type: ignore[assignment]
        begun_s = time.process_time()
        packed, content_type = pack(body, chosen)
        took_us = (time.process_time() - begun_s) * 1e6
        assert unpack(packed, content_type) == body
        size[method] = len(packed)
        measured = f"{len(packed) / points:.2f} (packing: {took_us / points:.3f} µs a point)"
        figure(f"bytes on the wire per point, {name}, {method}", asked="-", measured=measured)
    assert size["zstd"] < size["none"] / 2
    assert size["gzip"] < size["none"] / 2
