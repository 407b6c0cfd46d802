"""FreeOpcUa's python-opcua server: every scalar type it has, subscribed and read, and a cut in between."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services.ports import free_port

from .conftest import Consumer, connection, proxy_to, tag

pytestmark = pytest.mark.wire

SERVER = Path(__file__).parents[2] / "foreign" / "python-opcua" / "plant.py"


@contextlib.contextmanager
def run_python_opcua(**environment: str) -> Iterator[dict[str, Any]]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, str(SERVER)],
        env=os.environ | {"PORT": str(port)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout
    try:
        line = process.stdout.readline()
        if not line:
            pytest.fail(f"{SERVER} ended before it listened: is `opcua` installed?")
        yield json.loads(line) | {"port": port}
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


@pytest.fixture(scope="module")
def python_opcua() -> Iterator[dict[str, Any]]:
    with run_python_opcua(COUNTERS="3", PERIOD_MS="150") as server:
        yield server


@pytest.mark.parametrize("mode", ["subscribe", "read"])
async def test_every_scalar_type(python_opcua: dict[str, Any], mode: str) -> None:
    values = python_opcua["values"]
    space = f"nsu={python_opcua['namespace']}"
    tags = [
        tag(f"t{i}", f"{space};s={one['name']}" if i % 2 else "", **path_of(space, one, i), mode=mode)
        for i, one in enumerate(values)
    ]
    consumer = Consumer(connection(python_opcua["endpoint"], *tags))
    await consumer.until(lambda: len({row[0] for row in consumer.rows}) == len(values))
    found = {row[0]: row[2] for row in consumer.rows if row[3] == 0}
    for index, one in enumerate(values):
        if one["type"] == "DateTime":
            assert str(found[index]).startswith("2026-01-02T03:04:05.678"), found[index]
        elif one["type"] == "Float":
            assert found[index] == pytest.approx(one["value"], rel=1e-7)
        else:
            assert found[index] == one["value"], one


def path_of(space: str, one: dict[str, Any], index: int) -> dict[str, str]:
    """Every second tag is bound by its browse path."""
    return {} if index % 2 else {"path": f"/Objects/{space};Plant/{one['name']}"}


async def test_a_cut_is_repaired_or_named(python_opcua: dict[str, Any]) -> None:
    """This server keeps no session for a later connection: what was missed is a gap, and data goes on."""
    async with proxy_to(python_opcua["port"]) as proxy:
        endpoint = f"opc.tcp://127.0.0.1:{proxy.port}/plant"
        consumer = Consumer(connection(endpoint, tag("count", "nsu=urn:foreign:python;s=Counter0")))
        await consumer.until(lambda: len(consumer.rows) > 3)
        proxy.cut()
        known = len(consumer.rows)
        await consumer.until(lambda: len(consumer.rows) > known + 3)
    values = [row[2] for row in dict.fromkeys(consumer.rows)]
    missing = set(range(values[0], values[-1] + 1)) - set(values)
    assert not missing or {gap.cause for gap in consumer.gaps} == {"no_communication"}
