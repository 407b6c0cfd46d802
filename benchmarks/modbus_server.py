"""`python -m benchmarks.modbus_server`: answers every read of holding registers, in a process of its own."""

from __future__ import annotations

import asyncio


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Registers of a fixed pattern, until the other side ends (MODBUS Messaging on TCP/IP V1.0b §3.1)."""
    try:
        while True:
            head = await reader.readexactly(12)
            count = int.from_bytes(head[10:12], "big")
            body = head[6:8] + bytes((2 * count,)) + b"\x12\x34" * count
            writer.write(head[:4] + len(body).to_bytes(2, "big") + body)
    except asyncio.IncompleteReadError:
        writer.close()


async def main() -> None:
    """Serve on a free port and print it."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
