"""The shift of domain.md §10.1 as points: 480 min, 40 planned, 30 down, 25 setup, 15 minor stops, 700 pieces.

Two machines: PRS-01 has that shift; PRS-02 stands in it all day, and MTR-01 meters the line.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any

from pipelines.derive.signals import DOWN, IDLE, MINOR, PLANNED, RUN, SETUP

MINUTE = 60 * 10**9
T0 = round(datetime(2026, 9, 6, 23, tzinfo=UTC).timestamp()) * 10**9
"""Monday 2026-09-07, 08:00 in Korea."""
SHIFT = (T0, T0 + 480 * MINUTE)
DAY = (T0, T0 + 1440 * MINUTE)
COMPANY = "한국금속"
SITE: dict[str, Any] = {
    "company": COMPANY,
    "site": "A",
    "line": "L1",
    "calendar": {"day_start": "08:00", "shifts": [{"name": "주간", "from": "08:00", "to": "16:00"}]},
    "kpis": ["P-OEE", "P-UTIL", "P-UPH", "P-CT", "P-MTBF", "P-MTTR", "Q-PDR", "Q-FDR", "C-KWH", "E-PEAK"],
    "machines": {
        "PRS-01": {
            "class": "press",
            "label": {"ko": "프레스 1호기", "en": "Press 1"},
            "state": {"tag": "state"},
            "count": {"total": "shots", "good": "good", "ideal_s": 30},
            "cycle": {"at": "shots", "values": ["ton"], "quality": {"value": "ton", "low": 90.0, "high": 110.0}},
            "energy": {"kwh": "MTR-01/kwh", "covers": "line"},
        },
        "PRS-02": {"class": "press", "state": {"tag": "state"}, "count": {"total": "shots", "ng": "ng", "ideal_s": 60}},
        "MTR-01": {"class": "meter"},
    },
    "connections": [
        {
            "name": "one",
            "period_s": 10,
            "tags": [
                {"name": "state", "machine": "PRS-01"},
                {"name": "shots", "machine": "PRS-01", "mode": "subscribe"},
                {"name": "kwh", "machine": "MTR-01"},
            ],
        }
    ],
}
STATES = (
    (RUN, 100, "1"), (DOWN, 10, "4"), (PLANNED, 40, "meeting"), (DOWN, 20, "금형 파손"), (RUN, 170, "1"),
    (SETUP, 25, "3"), (MINOR, 15, "no_count"), (RUN, 100, "1"),
)  # fmt: skip
"""A failure, a meeting in the middle of it, and what followed; minutes."""


METERED_GOOD = 575
"""Good pieces of the seven metered hours: of the 686, 111 are of the fourth, 210 to 322 without the bad 250 and 300."""


def tags(machine: str) -> str:
    """Tags of a machine's series."""
    return f"company={COMPANY},site=A,line=L1,machine={machine}"


def lines() -> Iterator[str]:
    """Line protocol of the shift."""
    running = [minute for minute, code, _, _ in _minutes() if code == RUN]
    yield from _states()
    yield from _pieces(running)
    yield from _energy()
    yield from _readings()


def _minutes() -> Iterator[tuple[int, int, str, int]]:
    """Each minute of PRS-01: state, reason, since when."""
    ends = list(accumulate(minutes for _, minutes, _ in STATES))
    for (code, minutes, reason), end in zip(STATES, ends, strict=True):
        for minute in range(end - minutes, end):
            yield minute, code, reason, T0 + (end - minutes) * MINUTE


def _states() -> Iterator[str]:
    for minute, code, reason, since in _minutes():
        yield f'state,{tags("PRS-01")} code={code}i,reason="{reason}",since={since}i {T0 + minute * MINUTE}'
    for minute in range(480):
        yield f'state,{tags("PRS-02")} code={IDLE}i,reason="amber",since={T0}i {T0 + minute * MINUTE}'
    yield f'state,{tags("PRS-01")} code={IDLE}i,reason="2",since={T0 - 20 * MINUTE}i {T0 - 20 * MINUTE}'
    for minute in range(-19, 0):
        yield f'state,{tags("PRS-01")} code={IDLE}i,reason="2",since={T0 - 20 * MINUTE}i {T0 + minute * MINUTE}'


def _pieces(running: list[int]) -> Iterator[str]:
    yield f"count,{tags('PRS-01')} total=5000i,good=4990i,epoch=0i {T0 - 20 * MINUTE}"
    for number in range(1, 701):
        at = T0 + running[(number - 1) * len(running) // 700] * MINUTE + 1 + number
        bad = number // 50
        yield f"count,{tags('PRS-01')} total={5000 + number}i,good={4990 + number - bad}i,epoch=0i {at}"
    for number in range(35):
        at = T0 + number * 10 * MINUTE + 7
        values = f"duration_s={30 + number % 3},ton={98 + 2 * (number % 3)}"
        yield f"cycle,{tags('PRS-01')} number={number}i,counts=20i,{values} {at}"


def _energy() -> Iterator[str]:
    for hour in range(8):
        kwh = "" if hour == 3 else "kwh=42.875,"
        at = T0 + hour * 60 * MINUTE
        yield f"energy,{tags('PRS-01')},per=hour {kwh}cover={0 if hour == 3 else 100},demand_kw={50 + hour} {at}"
        yield f'energy,{tags("PRS-01")},per=lot kwh=1000,cover=100,lot="x",end={at}i {at + 5}'


def _readings() -> Iterator[str]:
    for second in range(0, 480 * 60, 10):
        at = T0 + second * 10**9
        if second < 240 * 60:
            yield f"press,{tags('PRS-01')} state=1i {at}"
        if second % 3600 == 0:
            yield f"press,{tags('PRS-01')} shots={second}i {at}"
        yield f"meter,{tags('MTR-01')} kwh={second / 10} {at}"
        agent = f"agent,company={COMPANY},site=A,line=L1,machine=edge-1"
        yield f"{agent} connections=3i,connected=3i,accepted={second}i {at}"
