"""A PLC whose clock restarts: yesterday stays, what comes now has our time, is Uncertain, and keeps the PLC's time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipelines.point import UNCERTAIN
from tests.connectors.opcua.conftest import run_foreign
from tests.e2e.foreign_parts import Places, Plc, Store, collector, site_of
from tests.faults.delivery.changes import counted
from tests.faults.delivery.clocks import Machine, changed
from tests.services.ports import free_port

HALF_S = 1800
pytestmark = [pytest.mark.wire, pytest.mark.fault(24)]


@dataclass(frozen=True)
class Press:
    """A PLC that can be switched off and on again, with a clock that forgets."""

    folder: Path
    port: int

    @contextmanager
    def on(self, name: str, offset_s: int | None) -> Iterator[Plc]:
        """It runs; changes since then are in a log of their own."""
        self.folder.mkdir(exist_ok=True)
        machine, log = Machine(self.folder), self.folder / f"{name}.log"
        machine.set(20 - int(time.time()) if offset_s is None else offset_s)
        environment = {**machine.environment, "LOG": str(log), "COUNTERS": "1", "PORT": str(self.port)}
        with run_foreign(self.folder / "certificates", **environment) as server:
            yield Plc(server, log)


def replaced(plc: Plc, store: Store, began_ns: int) -> int:
    """Changes of this PLC as they are stored: all between the first and the last, none as if its clock were right."""
    truth = {time_ns: value for value, time_ns in plc.written("Counter0").items()}
    rows = store.rows("press")
    values, quality = dict(rows["Counter0"]), dict(rows["Counter0_quality"])
    found = [(time_ns, truth[source_ns]) for time_ns, source_ns in rows["Counter0_source_time"] if source_ns in truth]
    assert all(values[time_ns] == value and quality[time_ns] == UNCERTAIN for time_ns, value in found)
    assert all(began_ns < time_ns < time.time_ns() for time_ns, _ in found)
    numbers = [value for _, value in found]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert not truth.keys() & values.keys(), "none by the PLC's time"
    return len(numbers)


def test_while_both_were_off(places: Places, tmp_path: Path, size: Any, figure: Any) -> None:
    """Half an hour back is less than `max_skew_s`: only what the agent kept of the day before can tell."""
    each, store, press = size(60, 3_000), Store(places.influx, "bothoff"), Press(tmp_path / "press", free_port())
    with press.on("yesterday", 0) as plc:
        site = site_of("bothoff", [plc.connection("press", plc.tag("Counter0"))])
        with collector(tmp_path, site, places.broker) as running:
            counted(running, each)
            assert running.stop() == 0
    yesterday = {"press": store.rows("press")}
    assert "Counter0_source_time" not in yesterday["press"]
    began_ns = time.time_ns()
    with press.on("today", -HALF_S) as plc, collector(tmp_path, site, places.broker) as running:
        counted(running, each)
        assert running.status()["connections"]["press"]["skew_s"] == pytest.approx(-HALF_S, abs=5)
        assert running.stop() == 0
        number = replaced(plc, store, began_ns)
    overwritten = changed(yesterday, store)
    figure("PLC's clock back while both were off: points overwritten", asked="0", measured=len(overwritten))
    figure("the same: changes with our time, Uncertain, the PLC's beside it", asked="all", measured=f"all {number}")
    assert overwritten == []
    assert number >= each // 2


def test_while_the_agent_runs(places: Places, tmp_path: Path, size: Any, figure: Any) -> None:
    each, clocks, number = size(60, 3_000), (None, -HALF_S)[: size(1, 2)], 0
    store, press = Store(places.influx, "running"), Press(tmp_path / "press", free_port())
    with press.on("yesterday", 0) as plc:
        site = site_of("running", [plc.connection("press", plc.tag("Counter0"))])
        collecting = collector(tmp_path, site, places.broker)
        running = collecting.__enter__()
        counted(running, each)
    try:
        yesterday = {"press": store.rows("press")}
        for offset_s in clocks:
            began_ns = time.time_ns()
            with press.on(f"off by {offset_s}", offset_s) as plc:
                counted(running, each)
                if offset_s is None:
                    running.until(lambda: any("the device's clock is" in one for one in running.status()["troubles"]))
                running.until(lambda since=began_ns: _newest(store) > since)  # type: ignore[misc]
                number += replaced(plc, store, began_ns)
        assert running.stop() == 0
    finally:
        collecting.__exit__(None, None, None)
    overwritten = changed(yesterday, store)
    figure("PLC's clock restarts under a running agent: points overwritten", asked="0", measured=len(overwritten))
    figure("the same: changes with our time, Uncertain, the PLC's beside it", asked="all", measured=f"all {number}")
    assert overwritten == []


def _newest(store: Store) -> int:
    return max((time_ns for time_ns, _ in store.rows("press")["Counter0"]), default=0)
