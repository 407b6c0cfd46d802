"""The Modbus server against pymodbus and against raw bytes."""

from __future__ import annotations

import socket
import struct
import time
from typing import Any

import pytest
from pymodbus.client import ModbusTcpClient

from pipelines.errors import ConfigError

pytestmark = [pytest.mark.wire, pytest.mark.slow]


@pytest.fixture
def press(plant: Any) -> Any:
    return plant("--line", "auto_press_machining")


def connect(process: Any, device: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", process.endpoints[device]["port"]), timeout=10)


def ask(sock: socket.socket, unit: int, pdu: bytes, transaction: int = 7) -> bytes:
    sock.sendall(struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit) + pdu)
    return take(sock, transaction, unit)


def take(sock: socket.socket, transaction: int, unit: int) -> bytes:
    head = sock.recv(7, socket.MSG_WAITALL)
    got, protocol, length, who = struct.unpack(">HHHB", head)
    assert (got, protocol, who) == (transaction, 0, unit)
    return sock.recv(length - 1, socket.MSG_WAITALL)


def test_values_on_the_wire_are_the_values_in_the_truth(press: Any) -> None:
    port = press.endpoints["prs"]["port"]
    with ModbusTcpClient("127.0.0.1", port=port) as client:
        holding = client.read_holding_registers(0, count=21, device_id=1)
        coils = client.read_coils(0, count=3, device_id=1)
        part = client.read_holding_registers(3, count=2, device_id=1)
    with ModbusTcpClient("127.0.0.1", port=press.endpoints["mtr"]["port"]) as meter:
        volts = meter.read_input_registers(0, count=12, device_id=1)
    assert press.stop() == 0
    truth = press.truth()
    names = {s["id"]: s["name"] for s in truth[0]["signals"]}
    polls = [line for line in truth if line["k"] == "poll"]
    assert [(p["device"], p["fc"], p["address"], p["count"]) for p in polls] == [
        ("prs", 3, 0, 21),
        ("prs", 1, 0, 3),
        ("prs", 3, 3, 2),
        ("mtr", 4, 0, 12),
    ]
    assert all(p["t0"] <= p["t1"] and p["status"] == 0 for p in polls)
    served = dict(zip((names[i] for i in polls[0]["ids"]), polls[0]["values"], strict=True))
    registers = holding.registers
    assert len(served) == 16
    assert served["shot_total"] == registers[2] + (registers[3] << 16)  # low word first
    assert served["ton_peak"] == registers[8] / 10
    assert served["bdc_dev"] == struct.unpack(">h", struct.pack(">H", registers[12]))[0]
    assert served["die_height"] == registers[11] / 100
    assert dict(zip((names[i] for i in polls[1]["ids"]), polls[1]["values"], strict=True)) == {
        "estop": coils.bits[0],
        "lightcurtain": coils.bits[1],
        "overload": coils.bits[2],
    }
    assert polls[2]["ids"] == []  # half of two values: none is wholly covered
    assert part.registers[0] == registers[3]
    first = struct.unpack(">f", struct.pack(">HH", *volts.registers[:2]))[0]
    assert polls[3]["values"][0] == first


def test_exceptions(press: Any) -> None:
    with connect(press, "prs") as sock:
        assert ask(sock, 1, struct.pack(">BHH", 3, 250, 10)) == b"\x83\x02"
        assert ask(sock, 1, struct.pack(">BHH", 4, 0, 1)) == b"\x84\x02"
        assert ask(sock, 1, struct.pack(">BHH", 3, 0, 126)) == b"\x83\x03"
        assert ask(sock, 1, struct.pack(">BHH", 3, 0, 0)) == b"\x83\x03"
        assert ask(sock, 1, b"\x03\x00") == b"\x83\x03"
        assert ask(sock, 1, b"\x2b\x0e\x01\x00") == b"\xab\x01"
        assert ask(sock, 9, struct.pack(">BHH", 3, 0, 1)) == b"\x83\x0b"
    with connect(press, "mtr") as sock:
        assert ask(sock, 1, struct.pack(">BHH", 4, 0, 62)) == b"\x84\x03"  # more than 30 parameters
    assert press.stop() == 0
    assert [p["status"] for p in press.truth() if p["k"] == "poll"] == [2, 2, 3, 3, 3, 1, 11, 3]
    assert not [line for line in press.truth() if line["k"] == "write"]


def test_a_write_is_refused_and_told(press: Any) -> None:
    with connect(press, "prs") as sock:
        for fc in (5, 6, 15, 16, 22, 23):
            assert ask(sock, 1, bytes((fc, 0, 0, 0, 1))) == bytes((fc | 0x80, 1))
    assert press.stop() == 0
    assert [line["fc"] for line in press.truth() if line["k"] == "write"] == [5, 6, 15, 16, 22, 23]


def test_requests_in_pieces_and_several_at_once(press: Any) -> None:
    request = struct.pack(">HHHB", 1, 0, 6, 1) + struct.pack(">BHH", 3, 0, 1)
    with connect(press, "prs") as sock:
        for i in range(len(request)):
            sock.sendall(request[i : i + 1])
        assert take(sock, 1, 1)[:2] == b"\x03\x02"
        sock.sendall(request * 3)
        for _ in range(3):
            assert take(sock, 1, 1)[:2] == b"\x03\x02"


def test_a_foreign_protocol_is_disconnected(press: Any) -> None:
    with connect(press, "prs") as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert not sock.recv(1)


def heads(sock: socket.socket, transactions: range) -> list[tuple[int, int]]:
    """Ask once for each transaction, all at once; transaction and function code of the answers as they come."""
    for one in transactions:
        sock.sendall(struct.pack(">HHHB", one, 0, 6, 1) + struct.pack(">BHH", 3, 0, 1))
    found = []
    while True:
        try:
            transaction, _, length, _, code = struct.unpack(">HHHBB", sock.recv(8, socket.MSG_WAITALL))
        except TimeoutError:
            return found
        sock.recv(length - 2, socket.MSG_WAITALL)
        found.append((transaction, code))


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        ({"fault": "timeout", "every": 2}, [(1, 3), (3, 3)]),
        ({"fault": "exception", "every": 2, "code": 6}, [(1, 3), (2, 0x83), (3, 3), (4, 0x83)]),
        ({"fault": "late_reply", "every": 2, "late_s": 0.4}, [(1, 3), (3, 3), (2, 3), (4, 3)]),
        ({"fault": "wrong_reply", "every": 2}, [(1, 3), (2, 4), (3, 3), (4, 3)]),
    ],
)
def test_answers_that_go_wrong(press: Any, fault: dict[str, Any], found: list[tuple[int, int]]) -> None:
    """Every second one, of four requests that are sent at once."""
    press.tell(device="prs", for_s=600, **fault)
    press.wait(b'"fault":"%s"' % fault["fault"].encode())
    with connect(press, "prs") as sock:
        sock.settimeout(1.0)
        assert heads(sock, range(1, 5)) == found


@pytest.mark.parametrize("how", ["close", "silent"])
def test_comm_loss_and_return(press: Any, how: str) -> None:
    read = struct.pack(">BHH", 3, 0, 1)
    with connect(press, "prs") as sock:
        assert ask(sock, 1, read)[:1] == b"\x03"
        press.tell(fault="comm_loss", device="prs", for_s=0.5, how=how)
        sock.settimeout(0.2)
        with pytest.raises((ConnectionError, TimeoutError, struct.error)):
            while True:
                ask(sock, 1, read)
    with pytest.raises(ConfigError, match="there is no 'nobody'"):
        press.tell(fault="comm_loss", device="nobody", for_s=1)
    deadline_s = time.monotonic() + 30
    while time.monotonic() < deadline_s:
        try:
            with connect(press, "prs") as sock:
                sock.settimeout(0.05)
                assert ask(sock, 1, read)[:1] == b"\x03"
                break
        except (ConnectionError, TimeoutError):
            continue
    assert press.stop() == 0
    faults = [line for line in press.truth() if line["k"] == "fault"]
    assert [f.get("ended", False) for f in faults] == [False, True]
    assert 0.4e9 < faults[1]["end_ns"] - faults[1]["start_ns"] < 5e9
    inside = [
        p for p in press.truth() if p["k"] == "poll" and faults[1]["start_ns"] + 10**8 < p["t0"] < faults[0]["end_ns"]
    ]
    assert not inside
