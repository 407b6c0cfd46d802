"""An MTConnect agent with switches: the plant's own simulator, which is written from the standard, stepped by hand."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any, Self

from connectors.mtconnect.config import MtConnectConnection
from simulators.mtconnect import MtConnectServer
from simulators.plant import plant_of

VARIABLES: dict[str, Any] = {
    "count": {"model": "counter", "initial": 0, "add": 1},
    "load": {"model": "constant", "value": 12.345},
    "program": {"model": "constant", "value": "O<1001> & 가공"},
    "steady": {"model": "constant", "value": 7},
    "broken": {"model": "constant", "value": 1},
    "gone": {"model": "constant", "value": "UNAVAILABLE"},
    "whole": {"model": "constant", "value": 12},
    "place": {"model": "constant", "value": "1.0 -2.5 3e-05"},
}
SIGNALS: dict[str, dict[str, Any]] = {
    "parts": {"item": "pc", "category": "EVENT", "type": "PART_COUNT", "datatype": "Int32", "of": "count"},
    "load": {
        "item": "ld",
        "category": "SAMPLE",
        "type": "LOAD",
        "units": "PERCENT",
        "datatype": "Double",
        "decimals": 3,
    },
    "program": {"item": "pg", "category": "EVENT", "type": "PROGRAM", "datatype": "String"},
    "steady": {"item": "st", "category": "SAMPLE", "type": "TEMPERATURE", "units": "CELSIUS", "datatype": "Double"},
    "gone": {"item": "gone", "category": "SAMPLE", "type": "FLOW", "datatype": "String"},
    "whole": {"item": "whole", "category": "EVENT", "type": "BLOCK_COUNT", "datatype": "Int32"},
    "place": {"item": "place", "category": "SAMPLE", "type": "PATH_POSITION", "units": "MILLIMETER_3D"},
    "coolant": {"item": "cl", "category": "CONDITION", "type": "LEVEL", "of": "broken"},
}


class NoTruth:
    """Takes what a simulator says of itself."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def write(self, kind: str, **fields: Any) -> None:
        self.lines.append((kind, fields))


class Agent(MtConnectServer):
    """Device `mill` with `SIGNALS`; `tick` is one change of its counter."""

    def __init__(self, buffer_size: int = 4096) -> None:
        signals = {name: {"every_s": 0.05, **spec} for name, spec in SIGNALS.items()}
        mill = {"type": "mtconnect", "buffer_size": buffer_size, "signals": signals}
        self.plant = plant_of([{"line": "test", "variables": VARIABLES, "devices": {"mill": mill}}])
        self.truth_log = NoTruth()
        super().__init__(self.plant.panels["mill"], self.truth_log, time.time_ns)  # type: ignore[arg-type]

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end()

    async def tick(self, times: int = 1) -> None:
        """The counter counts; every value that changed is observed now."""
        for _ in range(times):
            self.plant.step()
            await self.update(self.plant.steps, time.time_ns() // 1000 * 1000)

    async def run(self, period_s: float = 0.01) -> None:
        while True:
            await self.tick()
            await asyncio.sleep(period_s)

    @property
    def requests(self) -> Counter[str]:
        return self.asked

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def connection(endpoint: str, *items: str | dict[str, Any], **more: Any) -> MtConnectConnection:
    given = [{"data_item": one} if isinstance(one, str) else one for one in items]
    tags = [{"name": f"t{position}", **one} for position, one in enumerate(given)]
    fields = {"type": "mtconnect", "name": "m", "endpoint": endpoint, "period_s": 0.02, "timeout_s": 2.0, "tags": tags}
    return MtConnectConnection.model_validate(fields | more)
