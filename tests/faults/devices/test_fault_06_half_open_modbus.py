"""Fault 6, the part of Modbus: the cable is pulled, nobody says so; tags are told bad, and all is back by itself."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.foreign_parts import collector, site_of
from tests.services.cable import cable
from tests.services.influxd import free_port

from .modbus_lies import lying_server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.conftest import Figure, Size

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.fault(6)]


def test_half_open(tmp_path: Path, size: Size, figure: Figure) -> None:
    down_s = size(3, 40)
    with cable() as line, lying_server(0, timeout_s=1, host=line.there, through=line.beyond) as port:
        tags = [{"name": f"t{i}", "address": 8 * i, "datatype": "uint64"} for i in range(3)]
        meter = {"name": "meter", "type": "modbus", "host": line.there, "port": port, "tags": tags}
        site = site_of("hansol", [meter])
        with collector(tmp_path, site, f"mqtt://127.0.0.1:{free_port()}") as agent:

            def link() -> dict[str, int]:
                found: dict[str, int] = agent.status().get("connections", {}).get("meter", {})
                return found

            def events(name: str) -> list[dict[str, str]]:
                return [one for one in agent.events(name) if one["link"] == "meter"]

            agent.until(lambda: link().get("last_reading_ns"))
            line.pull()
            pulled_s = time.monotonic()
            agent.until(lambda: not link()["connected"])
            noticed_s = time.monotonic() - pulled_s
            (down,) = events("link_down")
            while (left_s := pulled_s + down_s - time.monotonic()) > 0:
                time.sleep(left_s)  # the time that the cable is out
            line.plug()
            plugged_s, plugged_ns = time.monotonic(), time.time_ns()
            agent.until(lambda: link()["connected"] and link()["last_reading_ns"] > plugged_ns)
            back_s = time.monotonic() - plugged_s
            assert agent.process.poll() is None
            assert len(events("link_down")) == 1
            assert len(events("link_up")) == 1
            assert f"modbus://{line.there}:{port}" in down["reason"]
            assert agent.stop() == 0
    figure("silent line flagged (Modbus)", asked="≤ 10 s", measured=f"{noticed_s:.1f} s")
    figure(f"back after the cable ({down_s} s out) is in again (Modbus)", asked="≤ 5 s", measured=f"{back_s:.1f} s")
    assert noticed_s <= 10
    assert back_s <= 5
