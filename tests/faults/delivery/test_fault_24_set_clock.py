"""A real agent on a machine whose wall clock jumps, boots in 1970, and crosses nights of summer time."""

from __future__ import annotations

import calendar
import time
from pathlib import Path
from typing import Any

import pytest

from tests.connectors.modbus.conftest import libmodbus
from tests.e2e.foreign_parts import Places, Plc, Store, site_of
from tests.faults.delivery.changes import lost
from tests.faults.delivery.clocks import (
    HOUR_S,
    Machine,
    changed,
    finish,
    jumped,
    jumps,
    polled,
    read_on,
    said_s,
    schedule_error,
    uncertain,
)

__all__ = ["libmodbus"]
pytestmark = [pytest.mark.wire, pytest.mark.fault(24), pytest.mark.alone]

NIGHTS = (
    ("Europe/Berlin", "2027-10-31T01:00:00"),
    ("Europe/Berlin", "2027-03-28T01:00:00"),
    ("America/New_York", "2027-03-14T07:00:00"),
    ("America/New_York", "2027-11-07T06:00:00"),
    ("Asia/Seoul", "2027-03-28T01:00:00"),
)


SETTINGS_S = (-HOUR_S, 0, HOUR_S, 0, None, 0)
"""By how much the clock is off, one after the other; None = 1970."""


def test_jumps_of_a_running_agent(
    places: Places, plc: Plc, libmodbus: int, tmp_path: Path, size: Any, figure: Any
) -> None:
    each, machine = size(5, 300), Machine(tmp_path)
    store = Store(places.influx, "jumps")
    changes = plc.connection("changes", plc.tag("Counter0"), max_skew_s=2 * HOUR_S)
    began_ns = time.time_ns()
    with machine.agent(site_of("jumps", [changes, polled(libmodbus)]), places.broker) as running:
        read_on(running, each)
        for number, offset_s in enumerate(SETTINGS_S, 1):
            if offset_s is None:
                machine.set_1970()
            else:
                machine.set(offset_s)
            jumped(running, number)
            read_on(running, each)
        count = finish(running)
    machine.set(2 * HOUR_S)  # the time of everything that was stamped ahead has come
    with machine.agent(site_of("jumps", [polled(libmodbus, "later")]), places.broker) as running:
        running.until(lambda: len(store.rows("polls")["v"]) >= count.read and len(jumps(store)) >= len(SETTINGS_S))
        read_on(running, 1, "later")
        assert running.status()["records"]["held"] == 0
        finish(running, "later")
    rows = store.rows("polls")
    times = [time_ns for time_ns, _ in rows["v"]]
    missing = max(0, count.read - len(times))
    figure("polls lost: agent run, −1 h, +1 h, 1970 and back", asked="0", measured=missing)
    assert count.read <= len(times)
    assert lost(plc, store, "changes", "Counter0") == []
    figure("changes lost or altered over the same jumps", asked="0", measured=0)
    half_ns = began_ns + HOUR_S * 10**9 // 2
    ahead = [one for one in times if one > half_ns]
    assert len(ahead) >= each, "what was stamped an hour ahead is there, and nowhere else"
    steady = sorted([one for one in times if one <= half_ns] + [one - HOUR_S * 10**9 for one in ahead])
    assert began_ns < steady[0] < steady[-1] < time.time_ns()
    error = schedule_error(steady, count.left_out)
    figure("cadence over the same jumps, periods off", asked="≤ 1", measured=error)
    assert error <= 1
    told = sorted(float(one["jump_s"]) for one in jumps(store) if one["cause"] == "set")
    wanted = [-began_ns / 1e9, -HOUR_S, -HOUR_S, 0, 0, HOUR_S]
    assert told[0] == pytest.approx(wanted[0], abs=HOUR_S)
    assert told[1:] == pytest.approx(wanted[1:], abs=1)
    figure("jumps told with their size", asked=str(len(wanted)), measured=len(told))
    doubtful = uncertain(rows)
    assert 2 * each <= len(doubtful) <= len(times) - 4 * each
    figure("polls while the clock could not be right, flagged", asked="all", measured=f"all {len(doubtful)}")


def test_an_agent_whose_clock_boots_in_1970(
    places: Places, plc: Plc, libmodbus: int, tmp_path: Path, size: Any, figure: Any
) -> None:
    each, boots, machine = size(5, 50), size(1, 10), Machine(tmp_path)
    store = Store(places.influx, "boots")
    site = site_of("boots", [plc.connection("changes", plc.tag("Counter0")), polled(libmodbus)])
    with machine.agent(site, places.broker) as running:
        read_on(running, each)
        count = finish(running)
    yesterday = store.rows("polls")
    before = {"polls": yesterday, "changes": store.rows("changes")}
    last_ns = yesterday["v"][-1][0]
    began_ns = 0
    for boot in range(boots):
        machine.set_1970()
        began_ns = time.time_ns()
        with machine.agent(site, places.broker) as running:
            read_on(running, each)
            said = running.status()
            assert said["clock"]["time_unsynced"]
            assert not said["clock"]["believed"]
            assert not said["healthy"]
            assert any("time_unsynced" in trouble for trouble in said["troubles"])
            told = said["clock"]["jumps"]
            if boot == boots - 1:
                machine.set(0)
                jumped(running, told + 1)
                running.until(lambda: any(one["cause"] == "set" for one in jumps(store)))
                read_on(running, each)
                assert running.status()["clock"]["believed"]
                assert not any("time_unsynced" in trouble for trouble in running.status()["troubles"])
            count += finish(running)
    rows = store.rows("polls")
    times = [time_ns for time_ns, _ in rows["v"]]
    assert count.read <= len(times)
    assert lost(plc, store, "changes", "Counter0") == []
    overwritten = changed(before, store)
    assert overwritten == []
    figure("an agent boots in 1970: points of yesterday overwritten", asked="0", measured=len(overwritten))
    figure("an agent boots in 1970: polls and changes lost", asked="0", measured=max(0, count.read - len(times)))
    doubtful = sorted(uncertain(rows))
    assert len(doubtful) >= each * boots
    assert min(doubtful) > last_ns, "an estimate lies behind everything that is known"
    figure("polls stamped by estimate, flagged Uncertain", asked="all", measured=f"all {len(doubtful)}")
    right = [one for one in jumps(store) if one["cause"] == "set"]
    size_ns, noticed_ns = round(float(right[-1]["jump_s"]) * 1e9), int(right[-1]["time"])
    last_boot = [one for one in doubtful if one + size_ns >= began_ns]
    assert len(last_boot) >= each
    off_s = max(0.0, (max(last_boot) + size_ns - noticed_ns) / 1e9)
    figure("estimates set right by the jump that is told, seconds off", asked="≤ 1", measured=off_s)
    assert off_s <= 1
    assert not {one for one in times if one >= noticed_ns + 10**9} & set(doubtful)


def test_nights_of_summer_time(places: Places, libmodbus: int, tmp_path: Path, size: Any, figure: Any) -> None:
    """Both changes of Berlin and New York; Seoul has none. Times are UTC from the reading on."""
    nights, worst = NIGHTS[: size(1, 5)], 0.0
    for number, (zone, at) in enumerate(nights):
        folder = tmp_path / str(number)
        folder.mkdir()
        machine, company = Machine(folder), f"night{number}"
        night_s = calendar.timegm(time.strptime(at, "%Y-%m-%dT%H:%M:%S"))
        begins_s, ends_s = night_s - size(4, 12), night_s + size(1, 12)
        machine.set(begins_s - 86_400 - int(time.time()))
        with machine.agent(site_of(company, [polled(libmodbus)]), places.broker, TZ=zone) as running:
            running.until(lambda: said_s(running))
            machine.set(begins_s - int(time.time()))
            left_out = running.status()["connections"]["polls"]["overruns"]
            running.until(lambda ends_s=ends_s: said_s(running) > ends_s)  # type: ignore[misc]
            assert running.status()["clock"]["jumps"] == 1, "the one to the evening before, and no other"
            count = finish(running)
        rows = Store(places.influx, company).rows("polls")
        assert count.read <= len(rows["v"])
        times = [time_ns for time_ns, _ in rows["v"] if time_ns > (begins_s - 60) * 10**9]
        assert begins_s * 10**9 <= times[0] < night_s * 10**9 < times[-1] < (night_s + 90) * 10**9
        assert uncertain(rows) == set()
        worst = max(worst, schedule_error(times, count.left_out - left_out))
    figure(f"{len(nights)} nights of summer time: cadence, periods off", asked="≤ 1", measured=worst)
    figure("readings lost, doubled or flagged in these nights", asked="0", measured=0)
    assert worst <= 1
