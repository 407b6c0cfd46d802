"""Nothing here can write to a PLC."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import connectors.modbus
from connectors.modbus.plan import Request
from connectors.modbus.wire import question

SOURCES = sorted(Path(connectors.modbus.__file__).parent.rglob("*.py"))
WRITES = {5, 6, 15, 16, 21, 22, 23}
ALLOWED = {
    "pymodbus.pdu.bit_message": {"ReadCoilsRequest", "ReadDiscreteInputsRequest"},
    "pymodbus.pdu.register_message": {"ReadHoldingRegistersRequest", "ReadInputRegistersRequest"},
}
"""Everything of pymodbus that is used."""


def test_only_the_four_reads_of_pymodbus_are_imported() -> None:
    seen: dict[str, set[str]] = {}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pymodbus"):
                seen.setdefault(node.module or "", set()).update(alias.name for alias in node.names)
            elif isinstance(node, ast.Import):
                assert not any(alias.name.startswith("pymodbus") for alias in node.names), path
    assert seen == ALLOWED


def test_no_name_of_a_write_service() -> None:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            name = getattr(node, "id", None) or getattr(node, "attr", None) or getattr(node, "name", None)
            assert not re.match(r"write_(coil|register)|mask_write|readwrite|Write", str(name)), f"{path}: {name}"


def test_the_only_bytes_sent_are_those_of_a_question() -> None:
    """One place of each pipe sends, wires alone use them, and a question exists only for the four tables."""
    sends = [
        (path.name, node.attr)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in {"write", "writelines", "send", "sendall", "sendto"}
    ]
    assert sorted(sends) == [
        ("bus.py", "send"), ("datagram.py", "sendto"), ("numbered.py", "send"), ("port.py", "write"),
        ("stream.py", "write"),
    ]  # fmt: skip
    functions = {}
    for table in ("coil", "discrete", "holding", "input"):
        asked = question(Request(17, table, 1.0, 0x0102, 3, (0,)), "modbus://plc:502")
        functions[table] = asked.function
        assert asked.tail == bytes((17, asked.function, 1, 2, 0, 3))
        assert asked.place == "modbus://plc:502 unit 17"
    assert functions == {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
    assert not WRITES & set(functions.values())
