"""Modbus: the registers of one response to columns, 75 mixed tags."""

from __future__ import annotations

import random

from pymodbus.client.mixin import ModbusClientMixin

from benchmarks.timing import Stage
from connectors.modbus.config import ModbusConnection
from connectors.modbus.decode import Decoder
from connectors.modbus.plan import plan
from connectors.modbus.tick import Tick

TAGS = 75
_TYPES = ("int16", "uint16", "float32", "int32", "uint32")
_SIZE = {"int16": 1, "uint16": 1, "float32": 2, "int32": 2, "uint32": 2}


def stages() -> list[Stage]:
    """The Modbus path without its socket: response bytes to a delivery."""
    tags, address = [], 0
    for number in range(TAGS):
        datatype = _TYPES[number % len(_TYPES)]
        tags.append({"name": f"t{number}", "table": "input", "address": address, "datatype": datatype})
        address += _SIZE[datatype]
    settings = ModbusConnection.model_validate(
        {"name": "m", "type": "modbus", "host": "127.0.0.1", "machine": "M", "tags": tags}
    )
    (request,) = plan(settings)
    decoder = Decoder(settings, request)
    dice = random.Random(1)
    registers = [dice.randrange(0x3000, 0x4F00) for _ in range(address)]
    data = b"".join(register.to_bytes(2, "big") for register in registers)
    convert = ModbusClientMixin.convert_from_registers
    types = {name: getattr(ModbusClientMixin.DATATYPE, name.upper()) for name in _TYPES}

    def ours() -> object:
        tick = Tick()
        tick.add(decoder.decode(data), 1)
        return tick.delivery()

    def library() -> object:
        found, at = [], 0
        words = [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)]
        for number in range(TAGS):
            name = _TYPES[number % len(_TYPES)]
            found.append(convert(words[at : at + _SIZE[name]], types[name]))
            at += _SIZE[name]
        return found

    return [Stage("modbus_path", "response bytes to a delivery", "convert_from_registers", (TAGS, TAGS), ours, library)]
