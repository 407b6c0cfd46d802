"""How well a server of a redundant set says it can serve (OPC 10000-4 §6.6.2.4.2): one that cannot is left alone."""

from __future__ import annotations

from typing import Final

from connectors.opcua.library import ua
from connectors.opcua.session import OpcUaSession
from connectors.ticker import ticks
from pipelines.clock import Clock
from pipelines.errors import LinkRefused

LOWEST_USABLE: Final = 2
"""0 is maintenance, 1 is no data, 2-199 degraded, 200-255 healthy."""
_LOOK_S: Final = 10.0


async def usable(session: OpcUaSession) -> None:
    """Look once, where there is another server to go to.

    Raises:
        LinkRefused: this one says that it cannot serve.
        LinkError: it did not answer.
    """
    if not session.settings.backups:
        return
    (found,) = await session.read_attribute([ua.NodeId(ua.ObjectIds.Server_ServiceLevel)], ua.AttributeIds.Value)
    level = found.Value.Value if found.Value is not None else None
    if isinstance(level, int) and level < LOWEST_USABLE:
        why = "maintenance" if level == 0 else "no data"
        raise LinkRefused(session.settings.endpoint, f"ServiceLevel {level} ({why}): going to a backup")


async def watch(session: OpcUaSession, clock: Clock) -> None:
    """Look every 10 s, until the link ends.

    Raises:
        LinkError: the server cannot serve any more.
    """
    async for _ in ticks([_LOOK_S], clock):
        await usable(session)
