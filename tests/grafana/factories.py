"""Two small factories of two companies as they run: plant, broker, an agent each, and a bridge into a real influxd.

Their clock runs fast: within seconds machines run and, by faults of the plant, break down, idle outside of the shifts
of their calendar, lose a link and raise an alarm.
"""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import yaml

from agent.simulate.plant import tell_plant
from tests.e2e.foreign_parts import Child, child, write_site
from tests.services.influxd import Influxd
from tests.services.mosquitto import Mosquitto

DATABASE: Final = "shopfloor"
COMPANIES: Final = {"auto_press_machining": "demo", "lite_workshop": "hansol.precision"}
"""Line template to company; the dot is a character that a pattern must not take for any."""
RATE: Final = 8.0
"""Plant seconds a second; a press that does not count for 3.5 of them stands."""
_LINES: Final = Path(__file__).parents[2] / "agent/lines"
_KST: Final = dt.timezone(dt.timedelta(hours=9))
_PATIENCE: Final = 3
"""How often the usual time of a child for something is waited for."""


def run_until(folder: Path, influxd: Influxd, seen: Callable[[], bool]) -> None:
    """Run both until something is seen in the store, and end them in order, so that all is stored."""
    influxd.create(DATABASE)
    origin_ns = time.time_ns()
    clock = {"SHOPFLOOR_CLOCK": f"{origin_ns}:{RATE:g}"}
    with ExitStack() as stack:
        broker = f"mqtt://127.0.0.1:{stack.enter_context(Mosquitto(folder / 'mosquitto')).port}"
        endpoints = stack.enter_context(_plant(folder, origin_ns))
        into = ("bridge", "--mqtt", broker, "--influx", f"{influxd.url}?db={DATABASE}")
        bridge = stack.enter_context(child(folder / "bridge.log", folder, *into, environment=clock))
        agents = []
        for line, company in COMPANIES.items():
            of = _site(folder / line, line, company, endpoints)
            run = ("run", *of, "--mqtt", broker, "--state-dir", str(folder / line / "state"))
            log, state = folder / line / "log", folder / line / "state"
            agents.append(stack.enter_context(child(log, state, *run, environment=clock)))
        for one in agents:
            one.until(lambda one=one: _connected(one))
        for fault in ("tool_break", "left_idling"):
            tell_plant(folder / "plant.sock", fault=fault, for_s=3600)
        tell_plant(folder / "plant.sock", fault="comm_loss", device="mtr", for_s=20)
        _until(agents[0], seen)
        assert [one.stop() for one in (*agents, bridge)] == [0, 0, 0], [one.said()[-500:] for one in (*agents, bridge)]


def _connected(one: Child) -> bool:
    links = one.status().get("connections", {})
    return bool(links) and all(link["connected"] for link in links.values())


def _until(one: Child, seen: Callable[[], bool]) -> None:
    for _ in range(_PATIENCE - 1):
        try:
            one.until(seen)
        except AssertionError:
            continue
        return
    one.until(seen)


def _clock(hours: int) -> str:
    """Time of day in Korea so many hours from now."""
    return f"{dt.datetime.now(_KST) + dt.timedelta(hours=hours):%H:%M}"


@contextmanager
def _plant(folder: Path, origin_ns: int) -> Iterator[Mapping[str, Any]]:
    """The plant's process; where its devices listen, by connection."""
    argv = [sys.executable, "-m", "simulators", *(word for line in COMPANIES for word in ("--line", line))]
    argv += ["--truth", str(folder / "truth.jsonl"), "--control", str(folder / "plant.sock")]
    argv += ["--speed", f"{RATE:g}", "--origin-ns", str(origin_ns)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["endpoints"]
        finally:
            process.kill()


def _site(folder: Path, line: str, company: str, endpoints: Mapping[str, Any]) -> list[str]:
    """Arguments for the site of a line template, under another company, at the simulated devices."""
    site = yaml.safe_load((_LINES / line / "site.yaml").read_text(encoding="utf-8"))
    site.pop("serve", None)
    if line == "lite_workshop":
        shift = {"name": "later", "from": _clock(6), "to": _clock(8)}
        site["calendar"] = {"day_start": _clock(6), "shifts": [shift], "days": list(range(7))}
    folder.mkdir()
    argv = [str(write_site(folder, site | {"company": company}))]
    for one in site["connections"]:
        place = endpoints[one["name"]]
        argv += ["--endpoint", f"{one['name']}={place['host']}:{place['port']}"]
    return argv
