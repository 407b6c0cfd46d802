"""Companies of one simulated line each: what their agents would have stored of a day at work, with trouble in it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from agent.server import catalog_of
from pipelines.sinks.duckdb import DuckDbSink
from tests.lines.playing import LINES, PLANTS, START_NS
from tests.viewer.query.played import played
from viewer.catalog import Catalog
from viewer.stores.duckdb import DuckDbStore

COMPANIES: Final = {
    "heat_treatment": "시범열처리",
    "auto_press_machining": "시범오토",
    "injection_molding": "시범사출",
    "cathode_kiln": "시범양극재",
    "electrode_coating": "시범전극",
    "battery_second_life": "시범배터리",
    "chemical_safety": "시범화학",
    "food_workshop_haccp": "시범식품",
    "ceramics_sintering": "시범세라믹",
    "ship_equipment_welding": "시범선재",
    "utilities_energy": "시범에너지",
    "laser_cell": "시범레이저",
    "cnc_turning": "시범선반",
    "lite_workshop": "시범공방",
}
"""Line to a company that has it; 시범 says that it is none."""
LOST: Final = {"ceramics_sintering": 0.6}
"""Lines of which nothing more came after this share of the time."""
LONG_STOP: Final = {"auto_press_machining": {"at": "40m", "fault": "overload_stop", "for": "65m"}}
"""What stands still for longer than the others, where there is time for it: the first order of its script."""
FIRST_S: Final = 600
"""When the first fault comes, seconds after the start of the day."""


_LONG_S: Final = 7200


@dataclass(frozen=True)
class Factories:
    """Some lines in one store.

    Attributes:
        lines: names.
        catalog: of all of them.
        store: what was stored.
        end_ns: when the last value came, ns since 1970 UTC.
    """

    lines: tuple[str, ...]
    catalog: Catalog
    store: DuckDbStore
    end_ns: int


def faults_of(line: str, seconds: int) -> str:
    """A script with each fault of a line's own, one after the other, those that fit."""
    own = yaml.safe_load((PLANTS / line / "plant.yaml").read_text(encoding="utf-8")).get("faults") or {}
    orders, at_s = [], float(FIRST_S)
    if line in LONG_STOP and seconds > _LONG_S:
        orders, at_s = [LONG_STOP[line]], float(_LONG_S)
    for name, fault in own.items():
        for_s = min(float(fault.get("for_s") or 300), 600.0)
        if at_s + for_s < seconds:
            orders.append({"at": f"{at_s:.0f}s", "fault": name, "for": f"{for_s:.0f}s"})
        at_s += for_s + FIRST_S
    return yaml.safe_dump(orders)


@contextmanager
def factories(lines: Sequence[str], seconds: int, folder: Path) -> Iterator[Factories]:
    """A store with so many seconds of each line, a Monday from 08:00 on, and all that its agent would derive."""
    sink = DuckDbSink(folder / "points.duckdb")
    files = []
    for line in lines:
        text = (LINES / line / "site.yaml").read_text(encoding="utf-8")
        files.append(folder / f"{line}.yaml")
        files[-1].write_text(text.replace("company: demo", f"company: {COMPANIES[line]}", 1), encoding="utf-8")
        bodies = played.__wrapped__(line, seconds, faults_of(line, seconds)).bodies
        for body in bodies[: round(len(bodies) * LOST.get(line, 1))]:
            own = body.replace(b"company=demo,", f"company={COMPANIES[line]},".encode())
            asyncio.run(sink.write(COMPANIES[line], own))
    store = DuckDbStore(sink.cursor)
    try:
        yield Factories(tuple(lines), catalog_of(files), store, START_NS + seconds * 10**9)
    finally:
        store.close()
        asyncio.run(sink.close())
