"""A small shop for tests of pages: a press with alarms and a meter, an agent, and what they told from 08:00 on."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import httpx

from tests.set_clock import SetClock
from viewer.access.access import Access
from viewer.access.mode import Mode
from viewer.app import make_app
from viewer.book.book import Book
from viewer.catalog import Catalog
from viewer.stores.base import Store

SECOND = 10**9
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
T0 = round(datetime(2026, 9, 6, 23, tzinfo=UTC).timestamp()) * SECOND
"""Monday 2026-09-07, 08:00 in Korea."""
COMPANY = "한국금속"
SITE: dict[str, Any] = {
    "company": COMPANY,
    "site": "A",
    "line": "L1",
    "calendar": {"day_start": "08:00", "shifts": [{"name": "주간", "from": "08:00", "to": "20:00"}]},
    "machines": {
        "PRS-01": {
            "class": "press",
            "label": {"ko": "프레스 1호기", "en": "Press 1"},
            "count": {"good": "good"},
            "energy": {"kwh": "MTR-01/kwh", "covers": "line"},
        },
        "CNC-01": {"class": "cnc", "label": {"ko": "가공기 1호기", "en": "CNC 1"}, "energy": {"kw": "power_kw"}},
        "MTR-01": {"class": "meter", "label": {"ko": "전력량계", "en": "Power meter"}},
    },
    "alarms": [
        {
            "name": "estop",
            "machine": "PRS-01",
            "tag": "estop",
            "equals": True,
            "priority": "urgent",
            "safety": True,
            "label": {"ko": "비상정지", "en": "Emergency stop"},
            "action": {"ko": "사람이 안전한지 확인", "en": "Make sure everyone is safe"},
        },
        {
            "name": "lube_low",
            "machine": "PRS-01",
            "tag": "lube_p",
            "below": 0.25,
            "priority": "important",
            "label": {"ko": "윤활 압력 저하", "en": "Lubrication low"},
            "action": {"ko": "윤활유 양을 점검", "en": "Check the oil"},
        },
        {
            "name": "air_low",
            "machine": "PRS-01",
            "tag": "air_p",
            "below": 0.45,
            "priority": "caution",
            "label": {"ko": "공압 저하", "en": "Air low"},
        },
        {"name": "die_life", "machine": "PRS-01", "tag": "shots", "above": 300000, "priority": "info"},
    ],
    "connections": [
        {
            "name": "prs",
            "machine": "PRS-01",
            "period_s": 10,
            "tags": [
                {"name": "estop", "label": {"ko": "비상정지 스위치", "en": "Stop button"}},
                {"name": "lube_p", "label": {"ko": "윤활 압력", "en": "Oil pressure"}, "engineering_unit": "MPa"},
                {"name": "air_p", "mode": "subscribe", "label": {"ko": "공압", "en": "Air"}},
            ],
        },
        {"name": "mtr", "machine": "MTR-01", "period_s": 10, "tags": [{"name": "kwh"}]},
        {"name": "cnc", "machine": "CNC-01", "period_s": 10, "tags": [{"name": "power_kw"}]},
    ],
}
CATALOG = Catalog.of([SITE])
A = CATALOG.sites[COMPANY, "A"]


def tags(machine: str, **more: str) -> str:
    """Tags of a machine's series."""
    further = "".join(f",{key}={value}" for key, value in more.items())
    return f"company={COMPANY},site=A,line=L1,machine={machine}{further}"


def beats(start_ns: int, end_ns: int, fields: str = "connections=3i,connected=3i") -> Iterator[str]:
    """Heartbeats of the agent every ten seconds."""
    for at in range(start_ns, end_ns, 10 * SECOND):
        yield f"agent,{tags('edge-1')} {fields} {at}"


def page(store: Store, path: str, now_ns: int, catalog: Catalog = CATALOG, **query: str) -> str:
    """A page as text."""
    clock = SetClock(now_ns)
    app = make_app(store, catalog, clock, (), Access(Book(), clock, Mode.OPEN))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
            return await client.get(f"{path}?{urlencode(query)}")

    answer = asyncio.run(ask())
    assert answer.status_code == 200, answer.text
    return answer.text


def part(text: str, start: str, end: str) -> str:
    """Words from one mark of a page to the next, one space between them."""
    between = text.split(start, 1)[1].split(end, 1)[0].partition(">")[2]
    return " ".join(re.sub(r"<[^>]+>", " ", between).split())


def rows(text: str, table: str) -> list[list[str]]:
    """Words of each cell of the body of a table."""
    body = text.split(f'<table id="{table}"', 1)[1].split("</table>", 1)[0].split("<tbody>", 1)[1]
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in body.split("<tr")[1:]]
    return [[" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in row] for row in cells]
