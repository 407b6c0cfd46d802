"""A Modbus TCP server that is not ours (pyModbusTCP). Prints {"port": N} and ends when its stdin closes.

The map is that of tests/foreign/pymodbus/server.py.
"""

from __future__ import annotations

import importlib.util
import json
import socket
import sys
from pathlib import Path

from pyModbusTCP.server import DataBank, ModbusServer

path = Path(__file__).parents[1] / "pymodbus" / "server.py"
spec = importlib.util.spec_from_file_location("map", path)
assert spec is not None
assert spec.loader is not None
the_map = importlib.util.module_from_spec(spec)
spec.loader.exec_module(the_map)

bank = DataBank()
bank.set_holding_registers(0, the_map.registers())
bank.set_input_registers(0, the_map.registers())
bits = [address % 3 == 0 for address in range(the_map.ADDRESSES)]
bank.set_coils(0, bits)
bank.set_discrete_inputs(0, bits)
with socket.socket() as free:  # it binds by number only
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
server = ModbusServer("127.0.0.1", port, no_block=True, data_bank=bank)
server.start()
sys.stdout.write(json.dumps({"port": port}) + "\n")
sys.stdout.flush()
sys.stdin.read()
server.stop()
