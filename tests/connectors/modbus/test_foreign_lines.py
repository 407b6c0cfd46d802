"""Servers that are not ours on every transport: every type and order, bits, exceptions; mbpoll sees the same."""

from __future__ import annotations

import asyncio
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipelines.point import BAD_CONFIGURATION_ERROR, BAD_NO_COMMUNICATION, Delivery

from .conftest import FOREIGN, connection, link_to, need, once, table
from .line_servers import SERVERS, serve
from .test_modbus_foreign import ORDERS, check_items, items_in

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.wire, pytest.mark.slow]


@pytest.fixture(scope="session")
def libmodbus_server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Program made with Debian's libmodbus."""
    need("gcc")
    path = tmp_path_factory.mktemp("libmodbus") / "server"
    build = ["gcc", "-Wall", "-O1", "-o", str(path), str(FOREIGN / "libmodbus" / "server.c"), "-lmodbus"]
    built = subprocess.run(build, capture_output=True, text=True, check=False, timeout=60)
    assert built.returncode == 0, f"libmodbus-dev is missing? {built.stderr}"
    return path


@pytest.fixture(scope="module", params=SERVERS)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, libmodbus_server: Path
) -> Iterator[dict[str, Any]]:
    """Settings of a connection to each of `SERVERS`."""
    folder = FOREIGN / "modbus-serial"
    if request.param.startswith("modbus-serial") and not (folder / "node_modules" / "serialport").is_dir():
        need("node", "npm")
        subprocess.run(["npm", "ci", "--omit=dev", "--silent"], cwd=folder, check=True, timeout=100)
    with serve(request.param, tmp_path_factory.mktemp("served"), libmodbus_server) as settings:
        yield settings


def to(served: dict[str, Any], *tags: dict[str, Any], **more: Any) -> Any:
    rest = {key: value for key, value in served.items() if key != "port"}
    return link_to(connection(served.get("port"), *tags, **{"timeout_s": 5, **rest, **more}))


@pytest.mark.parametrize("order", ORDERS)
async def test_every_type(served: dict[str, Any], order: str) -> None:
    delivery = await once(to(served, *items_in(order), byte_order=order))
    check_items(delivery)


async def test_bits(served: dict[str, Any]) -> None:
    tags = [{"table": kind, "address": 7 * i, "datatype": "bool"} for kind in ("coil", "discrete") for i in range(40)]
    delivery = await once(to(served, *tags))
    got = table(delivery)
    for i in range(80):
        assert got[i][0][1:] == (7 * (i % 40) % 3 == 0, 0)


async def test_an_address_the_device_lacks(served: dict[str, Any], request: pytest.FixtureRequest) -> None:
    name = request.node.callspec.params["served"]
    beyond = 60000 if "modbus-serial" in name else 4000
    if "pymodbustcp" in name:  # it has all of them
        return
    link = to(served, {"address": beyond - 2}, {"address": beyond}, {"address": 24})
    delivery = await once(link)
    got = table(delivery)
    assert [got[i][0][2] for i in range(3)] == [0, BAD_CONFIGURATION_ERROR, 0]
    assert got[2][0][1] == 65535


async def test_a_unit_that_is_not_there(served: dict[str, Any], request: pytest.FixtureRequest) -> None:
    """On a bus a missing unit is silence, behind a network an exception or silence; the others do not notice."""
    name = request.node.callspec.params["served"]
    if "modbus-serial" in name or "pymodbustcp" in name:  # they answer as every unit
        return
    link = to(served, {"address": 24}, {"address": 24, "unit": 77}, {"address": 16}, timeout_s=0.3)
    seen: list[Delivery] = []
    async with link:
        async for delivery in link.deliveries():
            seen.append(delivery)
            got = table(*seen)
            if min(len(got.get(tag, ())) for tag in (0, 2)) == 3:
                break
    assert {row[1:] for row in got[0] + got[2]} == {(65535, 0)}
    assert all(status for _, _, status in got[1])
    if "libmodbus" in name:
        assert {status for _, _, status in got[1]} == {BAD_NO_COMMUNICATION}


@pytest.mark.parametrize(
    ("kind", "datatype", "format_", "address", "count"),
    [
        ("holding", "uint16", "4", 0, 40), ("input", "uint16", "3", 0, 40), ("holding", "int32", "4:int", 32, 1),
        ("input", "float32", "3:float", 64, 1), ("coil", "bool", "0", 0, 30), ("discrete", "bool", "1", 5, 30),
    ],
)  # fmt: skip
async def test_mbpoll_reads_the_same(
    served: dict[str, Any], kind: str, datatype: str, format_: str, address: int, count: int
) -> None:
    """An independent reader of the same server, one after the other."""
    if served["transport"] not in {"tcp", "rtu"}:
        return
    need("mbpoll")
    step = 2 if datatype.endswith("32") else 1
    tags = [{"table": kind, "address": address + step * i, "datatype": datatype} for i in range(count)]
    delivery = await once(to(served, *tags))
    ours = [rows[0][1] for _, rows in sorted(table(delivery).items())]
    mode, where = "tcp", ["-p", str(served.get("port")), "127.0.0.1"]
    if served["transport"] == "rtu":
        mode, where = "rtu", ["-b", "115200", "-P", "none", served["serial"]["device"]]
    command = ["mbpoll", "-m", mode, "-a", "1", "-0", "-1", "-B", "-r", str(address), "-c", str(count), "-t", format_]
    said = await asyncio.to_thread(
        subprocess.run, [*command, *where], capture_output=True, text=True, check=False, timeout=20
    )
    theirs = re.findall(r"^\[\d+\]:\s+(\S+)", said.stdout, re.MULTILINE)
    assert len(theirs) == count, said.stdout + said.stderr
    if datatype == "float32":
        assert [np.float32(one) for one in theirs] == [np.float32(f"{one:g}") for one in ours]
    else:
        assert [int(one) for one in theirs] == [int(one) for one in ours]
