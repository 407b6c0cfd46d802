"""`agent bridge` as a process: what it says of itself, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.cli import run
from tests.pipelines.bridge.bench import OWN, agents
from tests.pipelines.conftest import broker
from tests.pipelines.waiting import until
from tests.services.influx_v2 import Answer, InfluxV2, refusal, running_influx_v2
from tests.services.mosquitto import Mosquitto
from tests.services.ports import free_port

__all__ = ["broker"]
pytestmark = pytest.mark.wire
DEADLINE_S = 20.0


@contextmanager
def bridge(broker: Mosquitto, store: InfluxV2, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and where its health is."""
    command = [sys.executable, "-m", "agent.cli", "bridge", "--mqtt", f"mqtt://{broker.host}:{broker.port}"]
    command += ["--influx", f"{store.url}?org=factory&bucket=points", "--metrics", "0", "--json"]
    with (tmp_path / "log").open("wb") as log:
        environment = os.environ | {"INFLUX_TOKEN": "secret-token"}
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        yield process, told["metrics"].removesuffix("/metrics")
    finally:
        process.kill()
        process.communicate()
    assert "Traceback" not in (tmp_path / "log").read_text()


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=DEADLINE_S) as answer:  # noqa: S310 - loopback
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def metrics(url: str) -> dict[str, float]:
    _, text = get(f"{url}/metrics")
    return {name: float(value) for name, value in re.findall(r"^(shopfloor_\S+) (\S+)$", text, re.MULTILINE)}


def status(url: str) -> dict[str, Any]:
    return dict(json.loads(get(f"{url}/status")[1]))


async def test_it_says_how_it_is(broker: Mosquitto, tmp_path: Path) -> None:
    with running_influx_v2() as store, bridge(broker, store, tmp_path) as (_, url):
        async with agents(broker) as one:
            await until(lambda: status(url)["connected"], DEADLINE_S)
            assert get(f"{url}/healthz") == (200, "alive\n")
            assert get(f"{url}/readyz")[0] == 200
            store.script.append(Answer(503, refusal("unavailable", "later"), {"Retry-After": "1"}))
            one.send(1, OWN + b" f=1 1")
            await until(lambda: status(url)["store_errors"], DEADLINE_S)
            assert status(url)["lanes"]["C"] == {"held": 1, "error": "HTTP 503: later"}
            assert get(f"{url}/readyz") == (503, f"{store.url}: C: HTTP 503: later\n")
            assert metrics(url)['shopfloor_bridge_store_up{company="C"}'] == 0
            await until(lambda: one.stored, DEADLINE_S)
            one.send(2, b"nonsense")
            await until(lambda: metrics(url)["shopfloor_bridge_strangers_total"], DEADLINE_S)
            found = metrics(url)
            assert found["shopfloor_bridge_records_total"] == 1
            assert found["shopfloor_bridge_broker_up"] == 1
            assert status(url)["healthy"]


async def test_it_stores_what_it_has_before_it_ends(broker: Mosquitto, tmp_path: Path) -> None:
    with running_influx_v2() as store, bridge(broker, store, tmp_path) as (process, url):
        async with agents(broker) as one:
            await until(lambda: status(url)["connected"], DEADLINE_S)
            store.script.append(Answer(503, refusal("unavailable", "later"), {"Retry-After": "1"}))
            one.send(1, OWN + b" f=1 1")
            await until(lambda: status(url)["store_errors"], DEADLINE_S)
            process.send_signal(signal.SIGTERM)
            await until(lambda: one.stored, DEADLINE_S)
            ended = threading.Thread(target=process.wait)
            ended.start()
            await until(lambda: not ended.is_alive(), DEADLINE_S)
        assert process.returncode == 0
        assert len(store.points) == 1


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1:", "127.0.0.1:70000", "127.0.0.1:http"])
def test_an_address_that_is_none(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--mqtt", "mqtt://127.0.0.1:1", "--influx", "http://127.0.0.1:1?db=x", "--metrics", address]
    assert run(["bridge", *arguments]) == 2
    assert f"--metrics {address}: expected PORT or HOST:PORT" in capsys.readouterr().err


def test_an_address_that_is_taken(broker: Mosquitto, tmp_path: Path) -> None:
    del tmp_path
    command = [sys.executable, "-m", "agent.cli", "bridge", "--mqtt", f"mqtt://127.0.0.1:{free_port()}"]
    command += ["--influx", "http://127.0.0.1:1?db=x", "--metrics", f"{broker.host}:{broker.port}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE_S)
    assert done.returncode == 3
    assert "choose another --metrics" in done.stderr
