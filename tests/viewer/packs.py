"""A site that tests battery packs, and what it stored: a pack tested twice, one whose link was lost, one running."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final
from urllib.parse import urlencode

import httpx
from starlette.applications import Starlette

from pipelines.derive.battery.grading import load
from pipelines.derive.battery.rule import BatteryRule
from pipelines.derive.ear import SETTLED_NS
from pipelines.derive.rule import Ref
from pipelines.derive.settle import Reading
from pipelines.encode.line import line
from pipelines.place import Place
from pipelines.point import BAD_NO_COMMUNICATION, GOOD
from tests.pipelines.derive.battery.test_channel import STATES, curve
from tests.pipelines.derive.battery.test_channel import T0 as CURVE_NS
from tests.set_clock import SetClock
from tests.viewer.one_shop import COMPANY
from viewer.app import make_app
from viewer.catalog import Catalog
from viewer.stores.base import Store

SECOND = 10**9
HOUR = 3600 * SECOND
T0: Final = CURVE_NS // HOUR * HOUR
NOW: Final = T0 + 60 * HOUR
ROLES: Final = ("state", "step", "v", "i", "t", "t1", "pack", "delta_mv")
PLACE: Final = Place("cycler", COMPANY, "B", "L1", "CYC-01")
INCOMING: Final = Place("ocv", COMPANY, "B", "L1", "OCV-01")
HEALTH: Final = 81.0
"""SoH of the pack, percent: 48.6 of 60 Ah (domain.md §10.8)."""
LOST_S: Final = (9000, 9300)
"""Of the third test: its link is lost, and is back, seconds into it."""


def site(**battery: Any) -> dict[str, Any]:
    """The site's file; `battery`: more settings of the cycler."""
    channels = {
        name: {"t": [f"{name}_t", f"{name}_t1"]} | {role: f"{name}_{role}" for role in ROLES if role[0] != "t"}
        for name in ("ch1", "ch2", "ch3")
    }
    tags: list[dict[str, Any]] = [
        {
            "name": f"{name}_{role}",
            "node": f"ns=2;s={name}.{role}",
            "mode": "subscribe",
            "engineering_unit": {"v": "V", "i": "A"}.get(role, ""),
        }
        for name in channels
        for role in ROLES
    ]
    tags += [
        {"name": name, "machine": "OCV-01", "node": f"ns=2;s={name}", "mode": "subscribe", "label": label}
        for name, label in {"no": {}, "pack": {}, "maker": {"ko": "제조사"}, "looks": {"ko": "외관 양호"}}.items()
    ]
    cycler = {"class": "cycler", "label": {"ko": "팩 충방전기", "en": "Pack cycler"}}
    incoming = {
        "class": "ocv",
        "label": {"ko": "입고 검사"},
        "cycle": {"at": "no", "values": ["pack", "maker", "looks"]},
    }
    return {
        "company": COMPANY,
        "site": "B",
        "line": "L1",
        "machines": {
            "CYC-01": {**cycler, "battery": {"states": STATES, "channels": channels, **battery}},
            "OCV-01": incoming,
        },
        "connections": [
            {"name": "cyc", "type": "opcua", "endpoint": "opc.tcp://127.0.0.1:4840", "machine": "CYC-01", "tags": tags}
        ],
    }


CATALOG: Final = Catalog.of([site()])
SITE: Final = CATALOG.sites[COMPANY, "B"]


def at(start_ns: int, pack: str, delta_mv: float) -> list[Reading]:
    """A test that begins then, by the oracle's curve, a reading each 30 s; the channel was idle before."""
    found = curve(period_s=30, delta_mv=delta_mv)
    shifted = [one._replace(time_ns=one.time_ns - CURVE_NS + start_ns) for one in found]
    named = [one._replace(value=pack) if one.role == "pack" else one for one in shifted]
    return [Reading(start_ns - 60 * SECOND, "state", 0, GOOD), *named]


def behind_a_lost_link(start_ns: int) -> tuple[list[Reading], list[Reading]]:
    """A test whose link was lost for five minutes: what is stored, and what rules heard.

    A device that tells changes alone says nothing anew of what did not change meanwhile.
    """
    low, high = (start_ns + one * SECOND for one in LOST_S)
    whole = [one for one in at(start_ns, "PK-3", 30.0) if not low < one.time_ns < high]
    stored = [
        one
        for one in whole
        if one.time_ns <= low or one.role in {"v", "i"} or not one.time_ns - start_ns < 9348 * SECOND
    ]
    lost = [Reading(low + SECOND, role, 0, BAD_NO_COMMUNICATION) for role in ROLES]
    held = {one.role: one for one in sorted(whole, key=lambda one: one.time_ns) if one.time_ns <= low}
    back_ns = min(one.time_ns for one in stored if one.time_ns > low) + SETTLED_NS
    again = [one._replace(time_ns=back_ns) for role, one in held.items() if role not in {"v", "i"}]
    return [*stored, *lost], [*stored, *lost, *again]


@cache
def stored() -> bytes:
    """Everything that is stored, as line protocol."""
    return b"".join(_lines())


def _lines() -> Iterator[bytes]:
    twice = [*at(T0, "PK-1", 30.0), *at(T0 + 24 * HOUR, "PK-1", 85.0)]
    yield from _raw("ch1", twice)
    yield from _told("ch1", twice)
    yield line(INCOMING.series("cycle"), {"number": 1, "pack_text": "PK-1", "maker_text": "A사", "looks": 1.0}, T0)
    yield line(INCOMING.series(), {"looks": True}, T0)
    left, heard = behind_a_lost_link(T0)
    yield from _raw("ch3", left)
    yield from _told("ch3", heard)
    now = [one for one in at(NOW - 3 * HOUR, "PK-2", 20.0) if one.time_ns <= NOW]
    yield from _raw("ch2", now)
    yield from _told("ch2", now)


def _raw(channel: str, readings: Sequence[Reading]) -> Iterator[bytes]:
    for one in readings:
        field = f"{channel}_{one.role}"
        said = {field: one.value} if one.status == GOOD else {f"{field}_quality": one.status}
        yield line(PLACE.series(), said, one.time_ns)


def _told(channel: str, readings: Sequence[Reading]) -> Iterator[bytes]:
    tags = {role: Ref("CYC-01", f"{channel}_{role}") for role in ROLES}
    of = BatteryRule("CYC-01", channel, tags, STATES, load())
    ordered = sorted(readings, key=lambda one: one.time_ns)
    for one in ordered:
        of.take(tags[one.role], one.time_ns, one.value, one.status)
    if NOW - ordered[-1].time_ns > HOUR:
        of.tick(ordered[-1].time_ns + 10 * SECOND)
    for point in of.lines():
        yield line(PLACE.series(point.measurement, point.tags), point.fields, point.time_ns)


def app_of(store: Store, catalog: Catalog = CATALOG) -> Starlette:
    """The pages over it."""
    return make_app(store, catalog, SetClock(NOW))


def ask(app: Starlette, path: str, **query: str) -> httpx.Response:
    """An answer of the pages."""

    async def get() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://viewer") as client:
            return await client.get(f"{path}?{urlencode(query)}")

    return asyncio.run(get())
