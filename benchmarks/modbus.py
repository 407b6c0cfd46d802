"""Modbus: the registers of one response to columns, 75 mixed tags."""

from __future__ import annotations

import asyncio
import atexit
import random
import subprocess
import sys

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.client.mixin import ModbusClientMixin

from benchmarks.timing import Stage
from connectors.modbus.config import ModbusConnection
from connectors.modbus.decode import Decoder
from connectors.modbus.lines.open import open_wire
from connectors.modbus.plan import plan
from connectors.modbus.tick import Tick
from connectors.modbus.wire import Wire, question
from pipelines.clock import SystemClock
from pipelines.stats import LinkStats

TAGS = 75
REGISTERS = 112
REQUESTS = 100
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

    return [
        _requests(),
        Stage("modbus_path", "response bytes to a delivery", "convert_from_registers", (TAGS, TAGS), ours, library),
    ]


def _requests() -> Stage:
    """One request of 112 registers after the other, over loopback; only the client's CPU counts."""
    server = subprocess.Popen([sys.executable, "-m", "benchmarks.modbus_server"], stdout=subprocess.PIPE)
    atexit.register(server.kill)
    assert server.stdout is not None
    port = int(server.stdout.readline())
    tags = [{"name": f"t{number}", "address": number, "datatype": "uint16"} for number in range(REGISTERS)]
    settings = ModbusConnection.model_validate(
        {"name": "m", "type": "modbus", "host": "127.0.0.1", "port": port, "machine": "M", "tags": tags}
    )
    (request,) = plan(settings)
    asked = question(request, settings.where())
    loop = asyncio.new_event_loop()

    async def opened() -> tuple[Wire, AsyncModbusTcpClient]:
        wire = await open_wire(settings, SystemClock(), LinkStats(), settings.where())
        client = AsyncModbusTcpClient("127.0.0.1", port=port)
        await client.connect()
        return wire, client

    wire, client = loop.run_until_complete(opened())

    async def ours() -> None:
        for _ in range(REQUESTS):
            await wire.ask(asked)

    async def library() -> None:
        for _ in range(REQUESTS):
            await client.read_holding_registers(0, count=REGISTERS)

    values = REQUESTS * REGISTERS
    return Stage(
        "modbus_request",
        "112 registers asked for and checked, one request at a time",
        "pymodbus client, not decoded",
        (values, values),
        lambda: loop.run_until_complete(ours()),
        lambda: loop.run_until_complete(library()),
    )
