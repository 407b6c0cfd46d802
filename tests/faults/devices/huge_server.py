"""An asyncua server with values no tag can take, beside one that counts.

`python -m tests.faults.devices.huge_server`
"""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

from asyncua import Server, ua

from tests.services.ports import free_port

V = ua.VariantType
DEEP = 60


async def main() -> None:
    """Print the port, count until stdin closes."""
    logging.disable(logging.CRITICAL)
    port = free_port()
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/huge")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    index = await server.register_namespace("urn:test:huge")
    deep: Any = ua.Variant(1, V.Int32)
    for _ in range(DEEP):
        deep = ua.Variant([deep], V.Variant)
    values = {
        "array": ua.Variant([float(i) for i in range(100_000)], V.Double),
        "blob": ua.Variant(bytes(16 * 1024 * 1024), V.ByteString),
        "text": ua.Variant("가" * 100_000, V.String),
        "deep": deep,
        "counter": ua.Variant(0, V.Int64),
        "list": ua.Variant([1, 2, 3], V.Int16),
    }
    nodes = {
        name: await server.nodes.objects.add_variable(ua.NodeId(name, index), name, value, datatype=ua.NodeId(24))
        for name, value in values.items()
    }
    async with server:
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        gone = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        count = 0
        while not gone.done():
            count += 1
            await nodes["counter"].write_value(ua.Variant(count, V.Int64))
            await asyncio.wait([gone], timeout=0.1)


if __name__ == "__main__":
    asyncio.run(main())
