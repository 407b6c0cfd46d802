"""The wall clock jumps: nothing is lost, no time is used twice, the rhythm holds, and what was off says so."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from connectors.base import LinkContext
from connectors.modbus.link import ModbusLink
from pipelines.place import Place
from pipelines.point import UNCERTAIN, Delivery, scan_of
from pipelines.settings import ConnectionSettings, TagSettings
from pipelines.source import Source
from pipelines.stats import LinkStats
from tests.connectors.modbus.conftest import connection
from tests.connectors.modbus.device import Device

pytestmark = [pytest.mark.wire, pytest.mark.fault(24)]

HOUR_NS = 3600 * 10**9
PERIOD_S = 0.05
JUMPS = {
    "one hour ahead": HOUR_NS,
    "one hour back": -HOUR_NS,
    "to 1970": -time.time_ns() + 5 * 10**9,
    "right again": 0,
}


@dataclass
class Jumping:
    """A machine whose wall clock somebody sets; its monotonic clock nobody can."""

    offset_ns: int = 0
    rate: float = 1.0

    def now_ns(self) -> int:
        return time.time_ns() + self.offset_ns

    def monotonic_s(self) -> float:
        return time.monotonic()


class Connection(ConnectionSettings):
    tags: tuple[TagSettings, ...]


async def test_polls_go_on_and_each_keeps_a_time_of_its_own(size: Any, figure: Any) -> None:
    clock, stats, each = Jumping(), LinkStats(), size(12, 400)
    async with Device() as device:
        settings = connection(device.port, {"address": 7}, {"address": 9}, period_s=PERIOD_S, timeout_s=2)
        source = Source(settings, [Place("m", "c", "s", "", "P")] * 2, {})
        lines: list[bytes] = []
        readings = 0
        asked_s = []
        async with ModbusLink(LinkContext(settings, None, clock, stats)) as link:
            async for delivery in link.deliveries():
                asked_s.append(clock.monotonic_s())
                readings += sum(len(scan) for scan in delivery.scans)
                lines += [line for part in source.encode(delivery, clock.now_ns()) for line in part.body.splitlines()]
                if len(asked_s) == each * (len(JUMPS) + 1):
                    break
                if len(asked_s) % each == 0:
                    clock.offset_ns = list(JUMPS.values())[len(asked_s) // each - 1]
    points = {
        (field.split(b"=")[0], line.rsplit(b" ", 1)[1])
        for line in lines
        if not line.startswith(b"gap")
        for field in line.split(b" ")[1].split(b",")
        if not field.split(b"=")[0].endswith((b"_quality", b"_source_time"))
    }
    assert len(points) == readings == 2 * each * (len(JUMPS) + 1)
    asked = len(asked_s) - 1 + stats.overruns
    elapsed = (asked_s[-1] - asked_s[0]) / PERIOD_S
    figure("readings lost or doubled over four jumps", asked="0", measured=readings - len(points))
    figure("periods off the schedule after four jumps", asked="≤ 1", measured=abs(elapsed - asked))
    assert abs(elapsed - asked) <= 1


@pytest.mark.parametrize("jump", list(JUMPS)[:3])
def test_a_source_whose_clock_jumps_is_flagged_and_kept(jump: str) -> None:
    """The agent's clock is right and the PLC's is not: the agent's time, Uncertain, and the PLC's beside it."""
    now = 1_790_000_000_000_000_000
    off = {"to 1970": -now + 10**9}.get(jump, JUMPS[jump])
    place = Place("m", "c", "s", "", "P")
    source = Source(Connection(name="plc", tags=(TagSettings(name="a"),), max_skew_s=600), [place], {})
    seen = []
    for step in range(5):
        at = now + step * 10**9
        told = at + (off if step > 1 else 0)
        (lines,) = source.encode(Delivery((scan_of([0], told, [float(step)]),)), at)
        seen += [line.split(b" ", 1)[1].decode() for line in lines.body.splitlines()]
    assert seen[:2] == [f"a=0.0,a_quality=0i {now}", f"a=1.0 {now + 10**9}"]
    for step, line in enumerate(seen[2:], 2):
        at = now + step * 10**9
        assert line == f"a={step:.1f},a_quality={UNCERTAIN}i,a_source_time={at + off}i {at}"


@pytest.mark.parametrize("day", ["2026-03-29T00:59:58", "2026-10-25T00:59:58"])
def test_nights_of_summer_time_mean_nothing(day: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both changes of Europe/Berlin happen at 01:00 UTC; times are UTC from the reading on."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        start = int(np.datetime64(day, "ns").astype(np.int64))
        place = Place("m", "c", "s", "", "P")
        source = Source(Connection(name="plc", tags=(TagSettings(name="a"),)), [place], {})
        stamps = [
            int(line.rsplit(b" ", 1)[1])
            for step in range(6)
            for part in source.encode(Delivery((scan_of([0], start + step * 10**9, [1.0]),)), start + step * 10**9)
            for line in part.body.splitlines()
        ]
        assert stamps == [start + step * 10**9 for step in range(6)]
    finally:
        monkeypatch.undo()
        time.tzset()
