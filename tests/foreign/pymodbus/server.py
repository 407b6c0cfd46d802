"""A Modbus server that is not ours (pymodbus), on every transport: `server.py TRANSPORT [DEVICE | CERT KEY [CA]]`.

Prints {"port": N} (or the device) and ends when its stdin closes.

Map, the same in `input` and `holding` of the units 1 and 7: item i of ITEMS in byte order o (0 ABCD, 1 CDAB, 2 BADC,
3 DCBA) starts at 1000 * o + 8 * i. Coil and discrete input a is on where a % 3 == 0. Only the first 4000 exist.
"""

from __future__ import annotations

import asyncio
import json
import math
import ssl
import struct
import sys
from typing import Any

from pymodbus import FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer, ModbusTlsServer, ModbusUdpServer
from pymodbus.simulator import DataType, SimData, SimDevice

ADDRESSES = 4000
ITEMS: list[tuple[str, Any]] = [
    ("h", -(2**15)), ("h", 2**15 - 1), ("h", -1), ("H", 2**16 - 1),
    ("i", -(2**31)), ("i", 2**31 - 1), ("I", 2**32 - 1), ("I", 0x01020304),
    ("f", 123.456), ("f", 3.4028234663852886e38), ("f", 1.401298464324817e-45), ("f", -0.0), ("f", math.nan),
    ("f", math.inf), ("f", -math.inf),
    ("q", -(2**63)), ("q", 2**63 - 1), ("Q", 2**64 - 1), ("Q", 0x0102030405060708),
    ("d", 0.1), ("d", 1.7976931348623157e308), ("d", 5e-324), ("d", -0.0), ("d", math.nan), ("d", math.inf),
    ("d", -math.inf),
    ("16s", "압출기 A1 ".encode()), ("16s", b"\xff\xfe!!"), ("16s", b'"\\\n, =# \\  '),
]  # fmt: skip


def registers() -> list[int]:
    """The map, without any help of pymodbus."""
    found = [0] * ADDRESSES
    for order in range(4):
        for item, (form, value) in enumerate(ITEMS):
            data = struct.pack(f">{form}", value)
            words = [data[i : i + 2] for i in range(0, len(data), 2)]
            if order >= 2:
                words = [word[::-1] for word in words]
            if order % 2 and not form.endswith("s"):
                words.reverse()
            at = 1000 * order + 8 * item
            found[at : at + len(words)] = [int.from_bytes(word, "big") for word in words]
    return found


def devices() -> list[SimDevice]:
    out = []
    for unit in (1, 7):
        bits = [[SimData(0, values=[a % 3 == 0 for a in range(ADDRESSES)], datatype=DataType.BITS)] for _ in range(2)]
        words = [[SimData(0, values=registers(), datatype=DataType.REGISTERS)] for _ in range(2)]
        out.append(SimDevice(unit, simdata=(bits[0], bits[1], words[0], words[1])))
    return out


def server(transport: str, args: list[str]) -> Any:
    here = ("127.0.0.1", 0)
    framer = FramerType.ASCII if transport.startswith("ascii") else FramerType.RTU
    if transport == "tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*args[:2])
        if args[2:]:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(args[2])
        return ModbusTlsServer(devices(), address=here, sslctx=context)
    if transport in {"rtu", "ascii"}:
        return ModbusSerialServer(devices(), framer=framer, port=args[0], baudrate=115200, ignore_missing_devices=True)
    if transport == "udp":
        return ModbusUdpServer(devices(), address=here)
    return ModbusTcpServer(devices(), framer=framer if transport != "tcp" else FramerType.SOCKET, address=here)


async def main() -> None:
    made = server(sys.argv[1], sys.argv[2:])
    await made.serve_forever(background=True)
    transport = made.transport
    if sys.argv[1] in {"rtu", "ascii"}:
        sys.stdout.write(json.dumps({"device": sys.argv[2]}) + "\n")
    else:
        line = transport.get_extra_info("socket") if sys.argv[1] == "udp" else transport.sockets[0]
        sys.stdout.write(json.dumps({"port": line.getsockname()[1]}) + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await made.shutdown()


if __name__ == "__main__":
    asyncio.run(main())
