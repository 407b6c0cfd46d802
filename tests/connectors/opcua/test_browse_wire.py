"""Browsing servers that are not ours: thousands of nodes, circles, units and ranges, limits, what is written runs."""

from __future__ import annotations

import asyncio
import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua

from agent.cli import run
from agent.config import load_site
from connectors.base import Browsable, Found, LinkContext
from connectors.opcua import browse as browse_module
from connectors.opcua.config import OpcUaConnection
from connectors.opcua.link import OpcUaLink
from pipelines.clock import SystemClock
from pipelines.stats import LinkStats
from tests.services.asyncua_nodes import new_server
from tests.services.ports import free_port

from .conftest import FOREIGN, run_foreign

pytestmark = pytest.mark.wire
HALL = FOREIGN.parent / "python-opcua" / "server.py"


@contextmanager
def hall(count: int) -> Iterator[str]:
    """Endpoint of a PyPI opcua server with so many variables."""
    command = [sys.executable, "-W", "ignore", str(HALL), str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "tests/foreign/python-opcua ended before it said its endpoint"
        try:
            yield json.loads(line)["endpoint"]
        finally:
            process.terminate()


async def browsed(endpoint: str, **more: Any) -> list[Found]:
    settings = OpcUaConnection(name="b", type="opcua", endpoint=endpoint, security={"policy": "none"})  # type: ignore[arg-type]
    async with OpcUaLink(LinkContext(settings, None, SystemClock(), LinkStats())) as link:
        assert isinstance(link, OpcUaLink)
        assert isinstance(link, Browsable)
        return [one async for one in link.browse(**more)]


def test_thousands_of_nodes_of_python_opcua(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """2,000 variables with a way back up from every machine: each once, named, with unit and range, ready to run."""
    site, tags = tmp_path / "site.yaml", tmp_path / "tags.csv"
    with hall(2000) as endpoint:
        arguments = ["browse", endpoint, "--policy", "none", "--match", "Objects/Hall/**/Temp*"]
        assert run([*arguments, "--yaml", str(site), "--csv", str(tags)]) == 0
        assert run(["check", str(site)]) == 0
        (settings,) = load_site(site).connections
        assert isinstance(settings, OpcUaConnection)
        assert (
            len(settings.tags) == len({tag.node for tag in settings.tags}) == len({tag.name for tag in settings.tags})
        )
        assert len(settings.tags) == 2000
        first = next(tag for tag in settings.tags if tag.node == "nsu=urn:foreign:hall;s=M0.T0")
        assert (first.name, first.engineering_unit) == ("M0_Temp_0", "°C")
        assert first.range is not None
        assert (first.range.low, first.range.high) == (-20, 900)
        assert run([*arguments, "--unit", "°C", "--type", "double", "--json"]) == 0
        nodes = json.loads(capsys.readouterr().out.splitlines()[-1])["nodes"]
        assert len(nodes) == 20
        assert run([*arguments[:4], "--match", "**/Nothing*", "--json"]) == 1
        assert run([*arguments, "--yaml", str(site)]) == 2
    rows = list(csv.DictReader(tags.read_text(encoding="utf-8-sig").splitlines()))
    assert len(rows) == 2000
    assert rows[0]["node"] == "nsu=urn:foreign:hall;s=M0.T0"
    assert rows[0]["range.high"] == "900.0"


async def test_continuation_points_of_node_opcua(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browse_module, "_REFERENCES", 100)
    with run_foreign(tmp_path, COUNTERS="1000", PERIOD_MS="5000") as foreign:
        found = await browsed(foreign.endpoint)
        few = await browsed(foreign.endpoint, depth=1)
    counters = [one for one in found if "Counter" in one.path]
    assert len(counters) == 1000
    assert len({one.address for one in found}) == len(found)
    assert {one.path for one in few} >= {"/Plant"}
    assert all(one.path.count("/") == 1 for one in few)


async def test_circles_units_and_ranges_of_asyncua() -> None:
    server = await new_server()
    port = free_port()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/x")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    index = await server.register_namespace("urn:own")
    oven = await server.nodes.objects.add_object(index, "Oven")
    zone = await oven.add_object(index, "Zone")
    await zone.add_reference(oven.nodeid, ua.ObjectIds.Organizes, bidirectional=False)
    temp = await zone.add_variable(ua.NodeId("T", index), "온도", 812.5)
    unit = ua.EUInformation(DisplayName=ua.LocalizedText("℃"))
    await temp.add_property(ua.NodeId("u", index), ua.QualifiedName("EngineeringUnits", 0), unit)
    await temp.add_property(ua.NodeId("r", index), ua.QualifiedName("EURange", 0), ua.Range(Low=700.0, High=900.0))
    await temp.add_property(ua.NodeId("s", index), ua.QualifiedName("Serial", index), "A1")
    async with server:
        async with asyncio.timeout(20):
            found = {one.path: one for one in await browsed(f"opc.tcp://127.0.0.1:{port}/x")}
            flat = await browsed(f"opc.tcp://127.0.0.1:{port}/x", depth=3)
    assert [path for path in found if path.startswith("/Oven")] == [
        "/Oven", "/Oven/Zone", "/Oven/Zone/온도", "/Oven/Zone/온도/Serial",
    ]  # fmt: skip
    one = found["/Oven/Zone/온도"]
    assert (one.unit, one.usual, one.possible, one.value) == ("℃", (700.0, 900.0), None, "812.5")
    assert one.tag == {"node": "nsu=urn:own;s=T"}
    assert found["/Oven/Zone/온도/Serial"].tag is None
    assert next(each for each in flat if each.path == one.path) == one
