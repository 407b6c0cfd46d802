"""node-opcua's client gets from the simulated server every change the truth log tells, each once, with its time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.campaign.big_line import NAMESPACE, write_line

pytestmark = [pytest.mark.wire, pytest.mark.slow]
FOREIGN = Path(__file__).parents[1] / "foreign" / "node-opcua"
TAGS = 200


def test_node_opcua_hears_every_change_once(plant: Any, tmp_path: Path) -> None:
    cell = plant("--line", str(write_line(tmp_path / "big", TAGS)), "--speed", "5")
    node = shutil.which("node")
    if node is None or not (FOREIGN / "node_modules" / "node-opcua").is_dir():
        pytest.fail("node-opcua is not installed: run `npm ci --omit=dev` in tests/foreign/node-opcua")
    environment = {
        "CERTIFICATES": str(tmp_path / "certificates"),
        "ENDPOINT": cell.endpoints["big"]["url"],
        "NAMESPACE": NAMESPACE,
        "OBJECT": "Unit00",
        "CHANGES": "6",
        "MOST": "150",
    }
    ran = subprocess.run(
        [node, "client.js"],
        cwd=FOREIGN,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout.splitlines()[-1])
    assert cell.stop() == 0
    names, truth, read = {}, defaultdict(list), {}
    for line in cell.truth():
        if line["k"] == "header":
            names = {signal["id"]: signal["node"].rpartition("/")[2] for signal in line["signals"]}
        elif line["k"] == "item" and line["event"] == "created":  # what came before, nobody watched
            truth[names[line["id"]]] = [[line["value"], line["time"] // 1_000_000, line["status"]]]
        elif line["k"] == "change":
            truth[names[line["id"]]].append([line["value"], line["time"] // 1_000_000, line["status"]])
        elif line["k"] == "read":
            rows = zip(line["ids"], line["values"], line["times"], line["status"], strict=True)
            read |= {names[number]: [value, time // 1_000_000, status] for number, value, time, status in rows}
    assert len(found["told"]) == TAGS
    for name, told in found["told"].items():
        assert len(told) >= 6
        assert told == truth[name][: len(told)], name
    assert found["read"] == read
