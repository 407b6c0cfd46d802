from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from connectors.mtconnect.link import MtConnectLink
from tests.connectors.conformance import DEADLINE_S, ConnectorConformance

from .device import Agent, connection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from connectors.base import Connector, LinkContext
    from connectors.mtconnect.config import MtConnectConnection

pytestmark = pytest.mark.wire


class _Mill(Agent):
    @property
    def settings(self) -> MtConnectConnection:
        return connection(self.url, "pc", "ld", "pg")

    async def until_idle(self) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while self.connections:  # noqa: ASYNC110 (a stream server has no event for it)
                await asyncio.sleep(0.01)


class TestMtConnect(ConnectorConformance):
    kind = "mtconnect"

    def make(self, context: LinkContext) -> Connector:
        return MtConnectLink(context)

    @pytest.fixture
    async def device(self) -> AsyncIterator[_Mill]:
        async with _Mill() as mill, asyncio.TaskGroup() as group:
            task = group.create_task(mill.run())
            yield mill
            task.cancel()
