"""The unprotected channel over which a server tells its endpoints."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from connectors.opcua.library import Client


@asynccontextmanager
async def discovery(endpoint: str, timeout_s: float) -> AsyncIterator[Any]:
    """A client with an unprotected channel, for GetEndpoints alone (OPC 10000-4 §5.5.4); every wait has a deadline.

    Raises:
        TimeoutError, OSError, ua.UaError: it does not answer.
    """
    client = Client(endpoint, timeout=timeout_s)
    client.application_uri = "urn:shopfloor-agent"
    try:
        async with asyncio.timeout(timeout_s * 2):
            await client.connect_socket()
            await client.send_hello()
            await client.open_secure_channel()
            yield client
            await client.close_secure_channel()
    finally:
        client.disconnect_socket()
