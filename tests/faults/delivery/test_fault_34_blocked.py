"""An event loop that stands still for 20 s: the watchdog starves, the service manager restarts it, nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from agent.control.client import ask
from pipelines.errors import DependencyError
from tests.e2e.foreign_parts import Places, Plc, Store, site_of, write_site
from tests.faults.delivery.changes import lost
from tests.faults.delivery.service_manager import DEADLINE_S, ServiceManager

pytestmark = [pytest.mark.wire, pytest.mark.fault(34)]

BLOCK_S: Final = 20.0
BLOCKABLE: Final = f"""
import signal, time
from agent.cli import main
signal.signal(signal.SIGUSR1, lambda *_: time.sleep({BLOCK_S}))
main()
"""
"""`agent`, but a signal holds its main thread, in which the event loop turns, and no other thread."""


def test_a_blocked_loop_is_restarted_and_nothing_is_lost(
    places: Places, plc: Plc, tmp_path: Path, size: Any, figure: Any
) -> None:
    blocks, watchdog_s = size(1, 5), float(size(2, 15))
    store = Store(places.influx, "blocked")
    config = write_site(
        tmp_path, site_of("blocked", [plc.connection("line", plc.tag("Counter0"), plc.tag("Counter1"))])
    )
    state = tmp_path / "state"
    run = ["run", str(config), "--state-dir", str(state), "--mqtt", places.broker, "--drain-s", "20"]
    starved, restarted = [], []
    with ServiceManager([sys.executable, "-c", BLOCKABLE, *run], tmp_path, watchdog_s) as manager:
        for number in range(blocks):
            manager.until_ready(number + 1)
            assert status(state)["ready"] is True
            assert status(state)["connections"]["line"]["opened"] == 1
            until(lambda: points(state)["stored"] > 100, manager)
            accepted = points(state)["accepted"]
            until(lambda least=accepted: points(state)["accepted"] > least, manager)  # type: ignore[misc]
            blocked_s = time.monotonic()
            os.kill(manager.pid, signal.SIGUSR1)
            manager.until_ready(number + 2)
            assert len(manager.aborted) == number + 1
            starved.append(manager.aborted[-1] - blocked_s)
            restarted.append(time.monotonic() - manager.aborted[-1])
        until(lambda: points(state)["stored"] > 100, manager)
    assert max(starved) < BLOCK_S, "it was ended while it stood still, not later"
    for counter in ("Counter0", "Counter1"):
        assert lost(plc, store, "line", counter) == [], manager.said()
    figure(f"event loop blocked {BLOCK_S:.0f} s: changes lost", asked="0", measured=f"0 in {blocks} blocks")
    figure(f"… aborted after, seconds (WatchdogSec={watchdog_s:.0f})", asked="≤ 20", measured=max(starved))
    figure("… ready again after, seconds", asked="reported", measured=max(restarted))


def status(state: Path) -> dict[str, Any]:
    try:
        said: dict[str, Any] = json.loads(ask(state))
    except DependencyError:
        return {"points": {"stored": 0, "accepted": 0}}
    return said


def points(state: Path) -> dict[str, int]:
    terms: dict[str, int] = status(state)["points"]
    assert terms.get("imbalance", 0) == 0, terms
    return terms


def until(true: Callable[[], bool], manager: ServiceManager) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline_s, manager.said()
        manager.pause()
