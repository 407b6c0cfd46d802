"""`python -m agent.broker --host 127.0.0.1 --port 1883`: the embedded broker as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import sys

from agent.broker.embedded import EmbeddedBroker
from agent.stopping import when_told


async def _serve(host: str, port: int) -> None:
    ended = asyncio.Event()
    when_told(ended.set)
    broker = EmbeddedBroker()
    server = await asyncio.get_running_loop().create_server(broker.session, host, port)
    with contextlib.closing(server):
        await ended.wait()
    broker.close()


def main() -> int:
    """Serve until SIGTERM or SIGINT; 3 when the port cannot be had."""
    parser = argparse.ArgumentParser(prog="python -m agent.broker", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; it has no authentication: loopback")
    parser.add_argument("--port", type=int, default=1883, help="TCP port, 1-65535")
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        asyncio.run(_serve(given.host, given.port))
    except OSError as error:
        logging.getLogger(__name__).error("%s:%d: %s", given.host, given.port, error.strerror or error)  # noqa: TRY400
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
