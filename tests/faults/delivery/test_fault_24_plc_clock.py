"""A PLC whose clock restarts: yesterday stays, what comes now has our time, is Uncertain, and keeps the PLC's time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipelines.point import UNCERTAIN
from tests.connectors.opcua.conftest import run_foreign
from tests.e2e.foreign_parts import Places, Plc, Store, collector, site_of
from tests.faults.delivery.clocks import Machine, changed, store_on
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


def test_a_plc_whose_clock_restarts(places: Places, tmp_path: Path, size: Any, figure: Any) -> None:
    """Half an hour back while both were off, then 1970 and half an hour back again under the running agent.

    Half an hour is less than `max_skew_s`: only what the agent kept of the day before can tell.
    """
    each, restarts, number = size(60, 3_000), (None, -HALF_S)[: size(0, 2)], 0
    store, press = Store(places.influx, "restarts"), Press(tmp_path / "press", free_port())
    with press.on("yesterday", 0) as plc:
        site = site_of("restarts", [plc.connection("press", plc.tag("Counter0"))])
        with collector(tmp_path, site, places.broker) as running:
            store_on(running, each)
            assert running.stop() == 0
    yesterday = {"press": store.rows("press")}
    assert "Counter0_source_time" not in yesterday["press"]
    began_ns = time.time_ns()
    with ExitStack() as switches:
        plc = switches.enter_context(press.on("today", -HALF_S))
        with collector(tmp_path, site, places.broker) as running:
            store_on(running, each)
            assert running.status()["connections"]["press"]["skew_s"] == pytest.approx(-HALF_S, abs=5)
            for offset_s in restarts:
                number += replaced(plc, store, began_ns)
                switches.pop_all().close()
                began_ns = time.time_ns()
                plc = switches.enter_context(press.on(f"off by {offset_s}", offset_s))
                store_on(running, each)
                running.until(lambda since=began_ns: _newest(store) > since)  # type: ignore[misc]
                if offset_s is None:
                    running.until(lambda: any("device's clock is" in one for one in running.status()["troubles"]))
            assert running.stop() == 0
        number += replaced(plc, store, began_ns)
    overwritten = changed(yesterday, store)
    figure("a PLC's clock restarts, agent off or on: points overwritten", asked="0", measured=len(overwritten))
    figure("the same: changes with our time, Uncertain, the PLC's beside it", asked="all", measured=f"all {number}")
    assert overwritten == []
    assert number >= each // 2


def _newest(store: Store) -> int:
    return max((time_ns for time_ns, _ in store.rows("press")["Counter0"]), default=0)
