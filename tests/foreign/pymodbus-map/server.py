"""A Modbus TCP server that is not ours (pymodbus) with a given map: `server.py MAP.json`; prints {"port": N}.

The map: {unit: {table: {address: register or bit}}}; addresses that are not named do not exist. Ends with its stdin.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice


def blocks(table: dict[str, int], bits: bool) -> list[SimData]:
    out: list[tuple[int, list[int]]] = []
    for address in sorted(map(int, table)):
        if out and address == out[-1][0] + len(out[-1][1]):
            out[-1][1].append(table[str(address)])
        else:
            out.append((address, [table[str(address)]]))
    kind = DataType.BITS if bits else DataType.REGISTERS
    found = [SimData(at, values=[bool(v) for v in values] if bits else values, datatype=kind) for at, values in out]
    return found or [SimData(65535, values=[False] if bits else [0], datatype=kind)]


async def main() -> None:
    units = json.loads(Path(sys.argv[1]).read_text())
    devices = [
        SimDevice(
            int(unit),
            simdata=tuple(blocks(tables.get(name, {}), name in {"coil", "discrete"}) for name in ("coil", "discrete", "holding", "input")),
        )
        for unit, tables in units.items()
    ]
    server = ModbusTcpServer(devices, address=("127.0.0.1", 0))
    await server.listen()
    print(json.dumps({"port": server.transport.sockets[0].getsockname()[1]}), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
