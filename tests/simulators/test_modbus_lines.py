"""The plant's Modbus device on every line, read by pymodbus's clients: the values are those of the truth."""

from __future__ import annotations

import ssl
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pymodbus import FramerType
from pymodbus.client import ModbusSerialClient, ModbusTcpClient, ModbusTlsClient, ModbusUdpClient

from tests.services.certificates import Authority
from tests.services.serial_line import serial_line

pytestmark = [pytest.mark.wire, pytest.mark.slow]

HOST = "127.0.0.1"


@contextmanager
def where_of(transport: str, folder: Path) -> Iterator[tuple[str, Callable[[str], Any]]]:
    """What to ask the plant for, and a client for where it then is."""
    framer = FramerType.ASCII if transport.startswith("ascii") else FramerType.RTU
    if transport in {"rtu", "ascii"}:
        with serial_line(folder) as line:
            yield str(line.theirs), lambda _: ModbusSerialClient(str(line.ours), framer=framer, baudrate=115200)
    elif transport == "udp":
        yield "0", lambda port: ModbusUdpClient(HOST, port=int(port))
    elif transport == "tls":
        authority = Authority(folder)
        pair = authority.pair("server", HOST)
        context = ssl.create_default_context(cafile=str(authority.file))
        context.check_hostname = False  # this client names no host
        yield (
            f"0:{pair.certificate}:{pair.key}",
            lambda port: ModbusTlsClient(HOST, port=int(port), sslctx=context),
        )
    else:
        yield "0", lambda port: ModbusTcpClient(HOST, port=int(port), framer=framer)


@pytest.mark.parametrize("transport", ["rtu", "ascii", "rtu_over_tcp", "ascii_over_tcp", "udp", "tls"])
def test_values_on_the_line_are_the_values_in_the_truth(transport: str, plant: Any, tmp_path: Path) -> None:
    with where_of(transport, tmp_path) as (where, client_at):
        asked = f"mtr={transport}:{where}"
        process = plant("--line", "auto_press_machining", "--also", asked)
        with client_at(process.ready["lines"][asked]) as client:
            volts = client.read_input_registers(0, count=12, device_id=1)
            refused = client.read_input_registers(0, count=62, device_id=1)
        assert process.stop() == 0
    polls = [line for line in process.truth() if line["k"] == "poll"]
    assert [(p["device"], p["fc"], p["address"], p["count"], p["status"]) for p in polls] == [
        ("mtr", 4, 0, 12, 0), ("mtr", 4, 0, 62, 3),
    ]  # fmt: skip
    assert refused.isError()
    assert polls[0]["values"][0] == struct.unpack(">f", struct.pack(">HH", *volts.registers[:2]))[0]
