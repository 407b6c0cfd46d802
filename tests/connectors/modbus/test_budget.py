"""Time of a serial line: the formula, and what a check tells of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from agent.cli import run
from connectors.modbus.budget import load_of, otherwise, transaction_s
from connectors.modbus.config import ModbusConnection
from connectors.modbus.endpoint import SerialSettings

from .conftest import connection

if TYPE_CHECKING:
    from pathlib import Path

PORT = {"device": "/dev/ttyUSB0", "baudrate": 9600}


def on_a_line(*tags: dict[str, Any], **more: Any) -> ModbusConnection:
    return connection(None, *tags, **{"transport": "rtu", "serial": PORT, "period_s": 1, **more})


def test_twenty_registers_at_9600() -> None:
    """(8 + 5 + 40)·11/9600 = 60.7 ms, 7·11/9600 = 8.0 ms of silence, 30 ms for the device."""
    serial = SerialSettings(baudrate=9600)
    assert transaction_s(serial, 40, ascii_frames=False) == pytest.approx(0.0607 + 0.0080 + 0.030, abs=1e-4)
    assert transaction_s(serial, 40, ascii_frames=True) == pytest.approx(108 * 10 / 9600 + 0.030)


def test_the_load_is_the_sum_over_the_plan() -> None:
    tags = [{"address": 0, "datatype": "float32"}, {"address": 0, "unit": 2}, {"address": 0, "unit": 3, "period_s": 10}]
    load = load_of(on_a_line(*tags))
    assert load is not None
    serial = SerialSettings(baudrate=9600)
    spent = [transaction_s(serial, size, ascii_frames=False) / period for size, period in ((4, 1), (2, 1), (2, 10))]
    assert load.share == pytest.approx(sum(spent))
    assert load.requests_per_s == pytest.approx(2.1)
    delayed = load_of(on_a_line(*tags, request_delay_s=0.1))
    assert delayed is not None
    assert delayed.share == pytest.approx(load.share + 0.21)


def test_behind_a_gateway_only_where_the_line_is_told() -> None:
    assert load_of(connection(4001, {"address": 0}, transport="rtu_over_tcp", period_s=1)) is None
    told = connection(4001, {"address": 0}, transport="rtu_over_tcp", period_s=1, serial={"baudrate": 9600})
    assert load_of(told) == load_of(on_a_line({"address": 0}))


def test_a_timeout_that_no_reply_can_keep(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """125 registers at 1200 bit/s: (8 + 5 + 250 + 7)·11/1200 + 0.03 s = 2.5 s."""
    path = tmp_path / "site.yaml"
    path.write_text(
        "company: c\nsite: s\nmachines: {M: {class: meter}}\nconnections:\n  - name: bus\n    type: modbus\n"
        "    transport: rtu\n    serial: {device: /dev/ttyUSB0, baudrate: 1200}\n    machine: M\n    period_s: 60\n"
        "    tags:\n      - {name: t, address: 0, datatype: string, length: 125}\n"
    )
    assert run(["check", str(path)]) == 0
    assert (
        "connections[bus].timeout_s: a request and its reply take up to 2.5 s at 1200 8N1, timeout_s is 1: every such "
        "reply would come too late; raise timeout_s, or lower max_registers"
    ) in capsys.readouterr().err


def test_a_register_number_instead_of_an_address(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It may be right, as SunSpec begins at 40000; mostly it is the number in the manual."""
    path = tmp_path / "site.yaml"
    path.write_text(
        "company: c\nsite: s\nmachines: {M: {class: meter}}\nconnections:\n  - name: plc\n    type: modbus\n"
        "    host: 127.0.0.1\n    machine: M\n    tags:\n"
        "      - {name: a, address: 40000, datatype: uint16}\n      - {name: b, address: 30001, datatype: uint16}\n"
        "      - {name: c, address: 40011, datatype: uint16}\n      - {name: d, address: 40021, datatype: uint16}\n"
    )
    assert run(["check", str(path)]) == 0
    assert capsys.readouterr().err == (
        f"note: {path}:12: connections[plc].tags[c].address: 40011 is an address on the wire; the manual's "
        "register 40011 is at 10 (and 1 more)\n"
    )


def test_one_port_by_two_names_is_one_port(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """/dev/serial/by-id/… is a link to /dev/ttyUSB0."""
    (tmp_path / "ttyUSB0").touch()
    (tmp_path / "by-id").symlink_to("ttyUSB0")
    path = tmp_path / "site.yaml"
    lines = "".join(
        f"  - name: {name}\n    type: modbus\n    transport: rtu\n    serial: {{device: {tmp_path / name}}}\n"
        f"    machine: M\n    tags: [{{name: t_{at}, unit: {at}, address: 0, datatype: uint16}}]\n"
        for at, name in enumerate(("ttyUSB0", "by-id"), 1)
    )
    path.write_text("company: c\nsite: s\nmachines: {M: {class: meter}}\nconnections:\n" + lines)
    assert run(["check", str(path)]) == 2
    assert f"{tmp_path / 'ttyUSB0'} is used by connection 'ttyUSB0' too" in capsys.readouterr().err


class Device:
    """How a maker delivers it."""

    baud, parity, stop_bits = 9600, "none", 2


def test_a_device_delivered_otherwise() -> None:
    assert otherwise(SerialSettings(baudrate=9600, parity="even"), Device()) == "9600 8N2"
    assert otherwise(SerialSettings(baudrate=9600, stop_bits=2), Device()) == ""


def test_check_tells_how_busy_a_line_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "site.yaml"
    rows = "".join(f"      - {{name: t{unit}, unit: {unit}, address: 0, datatype: uint16}}\n" for unit in range(1, 21))
    path.write_text(
        "company: c\nsite: s\nmachines: {M: {class: meter}}\nconnections:\n  - name: bus\n    type: modbus\n"
        "    transport: rtu\n    serial: {device: /dev/ttyUSB0, baudrate: 9600}\n    machine: M\n    tags:\n" + rows
    )
    assert run(["check", str(path)]) == 0
    said = capsys.readouterr()
    assert said.err == (
        f"note: {path}:8: connections[bus].serial: the line is busy 110% of the time; longer periods, fewer registers "
        "or a second line make room for repeats\n"
    )
    fact = "line 9600 8N1 busy 110% (20 requests/s)"
    assert said.out.splitlines()[0] == f"bus: 20 tags at modbus+rtu:///dev/ttyUSB0, {fact}"
    assert run(["check", "--json", str(path)]) == 0
    assert json.loads(capsys.readouterr().out)["facts"] == {"bus": [fact]}
