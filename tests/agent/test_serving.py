"""`agent run` alone: its file says `serve`, and broker, store and screen are there, come back, and end with it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import urllib3

from agent.alarming import LIST
from agent.control.client import ask, order
from agent.serving import ServeSettings, command
from pipelines.errors import DependencyError
from tests.agent.one_meter import SITE
from tests.services.ports import free_port

pytestmark = pytest.mark.wire
DEADLINE_S = 60.0


def until(met: Callable[[], Any]) -> Any:
    """What is waited for, once it is there."""
    deadline = time.monotonic() + DEADLINE_S
    while not (found := met()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def children(pid: int) -> list[int]:
    """Processes that this one started and that still run."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(one) for one in found.split()]


def shelve(viewer: str) -> str:
    """Shelve the meter's alarm with the form of its page; the page after that."""
    where = {"unit": "demo/gyeongsan/-/-", "alarm": "meter/peak"}
    with httpx.Client(base_url=viewer, follow_redirects=True, timeout=DEADLINE_S) as browser:
        page = browser.get("/alarm", params=where).text
        said = dict(re.findall(r'<input type="hidden" name="(csrf|id|action)" value="([^"]*)"', page))
        if "action" not in said:  # the viewer has not found the agent yet
            return ""
        said |= {"minutes": "60", "comment": "점검", "author": "반장-1"}
        return browser.post("/alarm/order", params=where, data=said).text


def orders_of(state: Path) -> list[str]:
    return [one["state"] for one in order(state, LIST, {})["alarms"]]


def test_everything_runs_beside_the_agent_and_ends_with_it(tmp_path: Path) -> None:
    viewer, mqtt = free_port(), free_port()
    site, state = tmp_path / "site.yaml", tmp_path / "state"
    alarms = "alarms: [{name: peak, machine: meter, tag: power, above: 95, priority: info}]\n"
    site.write_text(f"{SITE}{alarms}serve: {{port: {viewer}}}\nmqtt: {{port: {mqtt}}}\n", encoding="utf-8")
    pool = urllib3.PoolManager(retries=False)

    def answers() -> bool:
        try:
            return bool(pool.request("GET", f"http://127.0.0.1:{viewer}/").status == 200)
        except urllib3.exceptions.HTTPError:
            return False

    def stored() -> int:
        try:
            return int(orjson.loads(ask(state))["points"]["stored"])
        except DependencyError:
            return 0

    argv = [sys.executable, "-m", "agent.cli", "run", str(site), "--state-dir", str(state)]
    environment = os.environ | {"NOTIFY_SOCKET": str(tmp_path / "none"), "WATCHDOG_USEC": "20000000"}
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(argv, stderr=log, env=environment) as agent:
        try:
            until(answers)
            until(stored)
            assert (state / "store/points.duckdb").exists()
            (server,) = children(agent.pid)
            os.kill(server, signal.SIGKILL)
            until(lambda: children(agent.pid) not in ([], [server]))
            until(answers)
            (server,) = children(agent.pid)
            until(lambda: "peak" in shelve(f"http://127.0.0.1:{viewer}") and orders_of(state) == ["SHELVED"])
            told = Path(f"/proc/{server}/environ").read_bytes()
            assert b"NOTIFY_SOCKET=" not in told
            assert b"WATCHDOG_USEC=" not in told
        finally:
            agent.send_signal(signal.SIGTERM)
            assert agent.wait(DEADLINE_S) == 0
    assert not Path(f"/proc/{server}").exists()
    assert not answers()
    log_text = (tmp_path / "log").read_text(encoding="utf-8")
    assert "agent serve" in log_text
    assert f"http://127.0.0.1:{viewer}\n" in log_text


def test_the_store_stands_in_the_state_folder_unless_the_file_says_otherwise(tmp_path: Path) -> None:
    sites = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    argv = command(ServeSettings(port=8081), 1884, sites, tmp_path)
    assert argv[argv.index("--store") + 1] == str(tmp_path / "store")
    assert argv[argv.index("--mqtt-port") + 1] == "1884"
    assert [argv[at + 1] for at, word in enumerate(argv) if word == "--site"] == [str(one) for one in sites]
    assert "/srv/points" in command(ServeSettings(store=Path("/srv/points")), 1883, sites, tmp_path)
