"""Servers and links for the Modbus tests."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from connectors.base import LinkContext
from connectors.modbus.config import ModbusConnection
from connectors.modbus.link import ModbusLink
from pipelines.clock import SystemClock
from pipelines.stats import LinkStats

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.point import Delivery

FOREIGN = Path(__file__).parents[2] / "foreign"


@pytest.fixture(autouse=True)
def _whole_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tick is one delivery, as on a machine that does nothing else: a busy one is no slow line."""
    monkeypatch.setattr("connectors.modbus.link._HAND_OVER_S", 60.0)


def connection(port: int | None, *tags: dict[str, Any], **more: Any) -> ModbusConnection:
    named = [{"name": f"t{i}", "datatype": "uint16", **tag} for i, tag in enumerate(tags)]
    fields: dict[str, Any] = {"type": "modbus", "name": "m", "host": "127.0.0.1", "port": port}
    fields |= {"period_s": 0.05, "timeout_s": 1.0}
    if more.get("transport") in {"rtu", "ascii"}:
        del fields["host"], fields["port"]
    if named:
        fields["tags"] = named
    return ModbusConnection.model_validate({**fields, **more})


def link_to(settings: ModbusConnection, resume: bytes | None = None, **more: Any) -> ModbusLink:
    return ModbusLink(LinkContext(settings, resume, SystemClock(), LinkStats(), **more))


async def read(link: ModbusLink, count: int = 1) -> list[Delivery]:
    """The first `count` deliveries of a link, opened and closed here."""
    out: list[Delivery] = []
    async with link:
        async for delivery in link.deliveries():
            out.append(delivery)
            if len(out) == count:
                break
    return out


async def once(link: ModbusLink) -> Delivery:
    """Every tag read at least once: on a slow line a cycle is handed over in pieces."""
    seen: list[Delivery] = []
    async with link:
        async for delivery in link.deliveries():
            seen.append(delivery)
            if len(table(*seen)) == len(link.context.settings.tag_list()):
                break
    scans = tuple(scan for one in seen for scan in one.scans)
    return replace(seen[-1], scans=scans, gaps=tuple(gap for one in seen for gap in one.gaps))


async def collect(link: ModbusLink, seen: list[Delivery]) -> None:
    """Every delivery until the link ends; `seen` keeps them although it raises."""
    async with link:
        async for delivery in link.deliveries():
            seen.append(delivery)  # noqa: PERF401


def table(*deliveries: Delivery) -> dict[int, list[tuple[int, Any, int]]]:
    """(time, value, status) by tag, in the order of delivery."""
    out: dict[int, list[tuple[int, Any, int]]] = {}
    for delivery in deliveries:
        for scan in delivery.scans:
            rows = zip(scan.tag, scan.time_ns, scan.value, scan.status, strict=True)
            for tag, time_ns, value, status in rows:
                out.setdefault(int(tag), []).append((int(time_ns), value, int(status)))
    return out


def _port(process: subprocess.Popen[bytes], what: str) -> int:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"{what} ended before it said its port"
    return int(json.loads(line)["port"])


def need(*commands: str) -> None:
    """Fail and name what is not installed."""
    for command in commands:
        assert shutil.which(command), f"{command} is missing: run deploy/test-components.sh"


def _serve(command: list[str], what: str, cwd: Path) -> Iterator[int]:
    with subprocess.Popen(command, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield _port(process, what)
        finally:
            process.terminate()


@pytest.fixture(scope="package")
def modbus_serial() -> Iterator[int]:
    """Port of a server made with npm modbus-serial."""
    need("node", "npm")
    folder = FOREIGN / "modbus-serial"
    if not (folder / "node_modules" / "modbus-serial").is_dir():
        subprocess.run(["npm", "ci", "--omit=dev", "--silent"], cwd=folder, check=True, timeout=100)
    yield from _serve(["node", "server.js"], "tests/foreign/modbus-serial", folder)


@pytest.fixture(scope="package")
def libmodbus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Port of a server made with Debian's libmodbus."""
    need("gcc")
    folder = tmp_path_factory.mktemp("libmodbus")
    build = ["gcc", "-Wall", "-O1", "-o", "server", str(FOREIGN / "libmodbus" / "server.c"), "-lmodbus"]
    built = subprocess.run(build, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert built.returncode == 0, f"libmodbus-dev is missing? {built.stderr}"
    yield from _serve(["./server"], "tests/foreign/libmodbus", folder)
