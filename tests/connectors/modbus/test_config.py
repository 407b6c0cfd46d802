from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.modbus.config import ModbusConnection

from .conftest import connection


def test_defaults_and_place() -> None:
    settings = ModbusConnection.model_validate(
        {
            "type": "modbus",
            "name": "plc",
            "host": "10.0.0.5",
            "tags": [{"name": "t", "address": 0, "datatype": "int16"}],
        }
    )
    assert (settings.tcp_port(), settings.unit, settings.period_s, settings.timeout_s) == (502, 1, 1.0, 1.0)
    assert (settings.byte_order, settings.max_registers, settings.max_bits, settings.max_gap) == ("ABCD", 125, 2000, 8)
    assert settings.where() == "modbus://10.0.0.5:502"
    assert settings.model_copy(update={"host": "fe80::1"}).where() == "modbus://[fe80::1]:502"
    assert len(settings.tag_list()) == 1


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        ({"table": "coil", "datatype": "int16"}, "datatype must be bool in table coil"),
        ({"table": "discrete", "datatype": "string", "length": 2}, "datatype must be bool in table discrete"),
        ({"datatype": "int16", "bit": 3}, "bit needs datatype bool"),
        ({"table": "coil", "datatype": "bool", "bit": 3}, "bit needs datatype bool and table input or holding"),
        ({"datatype": "bool", "bit": 16}, "less than or equal to 15"),
        ({"datatype": "string"}, "string needs it"),
        ({"datatype": "int16", "length": 1}, "belongs to datatype string"),
        ({"address": 65535, "datatype": "int32"}, "goes beyond 65535"),
        ({"address": 65530, "datatype": "string", "length": 7}, "goes beyond 65535"),
        ({"address": 65536}, "less than 65536"),
        ({"address": -1}, "greater than or equal to 0"),
        ({"unit": 256}, "less than or equal to 255"),
        ({"period_s": 0}, "greater than 0"),
        ({"writable": True}, "Extra inputs"),
    ],
)
def test_refused_tags(tag: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        connection(502, {"address": 0, **tag})


def test_a_value_wider_than_a_request_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"t0 takes 4 registers, more than max_registers \(3\)"):
        connection(502, {"address": 0, "datatype": "int64"}, max_registers=3)


def test_configuration_imports_no_protocol_library() -> None:
    code = "import sys, connectors.modbus.plan; sys.exit('pymodbus' in sys.modules or 'asyncio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
