"""Reads through the Modbus link, reopened as the supervisor would, every reading judged."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from connectors.base import LinkContext
from connectors.modbus.config import ModbusConnection
from connectors.modbus.link import ModbusLink
from pipelines.clock import SystemClock
from pipelines.errors import LinkError
from pipelines.stats import LinkStats

from .modbus_lies import PITCH, Judge


def settings_of(port: int, places: list[tuple[int, int]], **more: Any) -> ModbusConnection:
    """A 64-bit tag, and so a request, for each (unit, address)."""
    tags = [
        {"name": f"t{unit}_{address}", "unit": unit, "address": address, "datatype": "uint64"}
        for unit, address in places
    ]
    fields = {"type": "modbus", "name": "m", "host": "127.0.0.1", "port": port, "max_gap": 0, "period_s": 0.001}
    return ModbusConnection.model_validate({**fields, "tags": tags, **more})


def places_of(units: int, tags: int) -> list[tuple[int, int]]:
    return [(unit, PITCH * (1 + tag)) for unit in range(1, units + 1) for tag in range(tags)]


async def run(settings: ModbusConnection, judge: Judge, reads: int) -> LinkStats:
    """At least `reads` requests; a link that ends is reopened at once."""
    lag = asyncio.ensure_future(judge.lag.watch())
    try:
        return await _run(settings, judge, reads)
    finally:
        lag.cancel()


async def _run(settings: ModbusConnection, judge: Judge, reads: int) -> LinkStats:
    stats = LinkStats()
    while stats.requests < reads:
        with suppress(LinkError):
            async with ModbusLink(LinkContext(settings, None, SystemClock(), stats)) as link:
                async for delivery in link.deliveries():
                    for scan in delivery.scans:
                        judge.look(scan.tag, scan.time_ns, scan.value, scan.status)
                    if stats.requests >= reads:
                        break
    return stats
