"""Servers that are not ours on every transport, each as the settings of a connection to it."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.services.certificates import Authority
from tests.services.serial_line import serial_line

from .conftest import FOREIGN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.services.serial_line import Line

SERVERS = (
    "libmodbus rtu", "modbus-serial rtu", "pymodbus rtu", "pymodbus ascii", "pymodbus udp", "pymodbus tls",
    "pymodbus rtu_over_tcp", "pymodbus ascii_over_tcp", "pymodbustcp tcp",
)  # fmt: skip
"""Who serves, and over what."""


@contextmanager
def running(command: list[str], folder: Path) -> Iterator[dict[str, Any]]:
    """A child of the test, once it has said where it listens."""
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, f"{command} ended before it said where it listens"
            yield json.loads(line)
        finally:
            process.terminate()


@contextmanager
def serve(name: str, folder: Path, libmodbus: Path) -> Iterator[dict[str, Any]]:
    """Settings of a connection to one of `SERVERS`."""
    who, transport = name.split()
    command = {
        "libmodbus": [str(libmodbus)],
        "modbus-serial": ["node", "server.js"],
        "pymodbus": [sys.executable, "server.py", transport],
        "pymodbustcp": [sys.executable, "server.py"],
    }[who]
    where = FOREIGN / who
    if transport in {"rtu", "ascii"}:
        with serial_line(folder) as line, running([*command, str(line.theirs)], where):
            yield settings_of(transport, line)
    elif transport == "tls":
        authority = Authority(folder)
        server, client = authority.pair("server", "127.0.0.1"), authority.pair("client")
        files = [str(server.certificate), str(server.key), str(authority.file)]
        with running([*command, *files], where) as said:
            tls = {
                "ca_file": str(authority.file),
                "cert_file": str(client.certificate),
                "key_file": str(client.key),
            }
            yield {"transport": "tls", "port": said["port"], "tls": tls}
    else:
        with running(command, where) as said:
            yield {"transport": transport, "port": said["port"]}


def settings_of(transport: str, line: Line) -> dict[str, Any]:
    """Settings of a connection on our end of a line."""
    return {"transport": transport, "serial": {"device": str(line.ours), "baudrate": 115200}}
