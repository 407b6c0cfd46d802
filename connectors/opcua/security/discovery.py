"""The unprotected channel over which a server tells its endpoints."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from connectors.opcua.channel import use_channel
from connectors.opcua.library import Client, ua
from pipelines.errors import LinkRefused


async def _dial(client: Any) -> None:
    await client.connect_socket()  # within the client's own deadline


@asynccontextmanager
async def discovery(
    endpoint: str, timeout_s: float, dial: Callable[[Any], Awaitable[None]] = _dial
) -> AsyncIterator[Any]:
    """A client with an unprotected channel, for GetEndpoints alone (OPC 10000-4 §5.5.4); every wait has a deadline.

    Args:
        endpoint: where the server is.
        timeout_s: deadline of each wait, seconds.
        dial: opens the client's TCP connection within a deadline of its own; default: to `endpoint`.

    Raises:
        TimeoutError, OSError, ua.UaError: it does not answer.
        LinkRefused: it has no unprotected channel, not even for GetEndpoints.
    """
    client = Client(endpoint, timeout=timeout_s)
    use_channel(client)
    client.application_uri = "urn:shopfloor-agent"
    try:
        await dial(client)
        async with asyncio.timeout(timeout_s * 2):
            await client.send_hello()
            await _open_unprotected(client, endpoint)
            yield client
            await client.close_secure_channel()
    finally:
        client.disconnect_socket()


async def _open_unprotected(client: Any, endpoint: str) -> None:
    try:
        await open_channel(client)
    except ua.UaStatusCodeError as error:
        name = ua.StatusCode(error.code).name
        reason = f"the server does not tell its endpoints: it refuses the unprotected channel to ask for them ({name})"
        raise LinkRefused(endpoint, f"{reason}; switch discovery on in the server, readings stay protected") from error


async def open_channel(client: Any, *, renew: bool = False) -> None:
    """Open or renew the secure channel; asyncua fails an assertion when the answer is a fault.

    Raises:
        TimeoutError, OSError, ua.UaError: it is not open.
    """
    try:
        await client.open_secure_channel(renew=renew)
    except AssertionError as error:
        raise ua.UaError("the answer to OpenSecureChannel was a fault") from error
