from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from connectors.mtconnect.link import MtConnectLink
from pipelines.point import BAD_NO_COMMUNICATION, BAD_TYPE_MISMATCH
from tests.connectors.conformance import DEADLINE_S, ConnectorConformance, Expected, Truth

from .device import Agent, connection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from connectors.base import Connector, LinkContext
    from connectors.mtconnect.config import MtConnectConnection

pytestmark = pytest.mark.wire


class _Mill(Agent):
    @property
    def settings(self) -> MtConnectConnection:
        return connection(self.url, "pc", "ld", "pg", timeout_s=1.0)

    @property
    def truth(self) -> Truth:
        expected = [
            Expected("t0", 12.345),
            Expected("t1", "O<1001> & 가공"),
            Expected("t2", 7.0),
            Expected("t3", "Fault"),
            Expected("t4", 0.0, BAD_NO_COMMUNICATION),
            Expected("t5", 12),
            Expected("t6", "12.345"),
            Expected("t7", 0, BAD_TYPE_MISMATCH),
            Expected("t8", "[3]"),
            Expected("t8", 1.0, suffix="_x"),
            Expected("t8", -2.5, suffix="_y"),
            Expected("t8", 3e-05, suffix="_z"),
        ]
        items: list[str | dict[str, Any]] = ["ld", "pg", "st", "cl", "gone", "whole"]
        items += [{"data_item": "ld", "datatype": "string"}, {"data_item": "pg", "datatype": "int64"}, "place"]
        return Truth(connection(self.url, *items), tuple(expected))

    @property
    def unknown(self) -> MtConnectConnection:
        return connection(self.url, "ld", "pg", "nowhere")

    async def until_idle(self) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while self.connections:  # noqa: ASYNC110 (a stream server has no event for it)
                await asyncio.sleep(0.01)


class TestMtConnect(ConnectorConformance):
    kind = "mtconnect"
    cannot = {  # noqa: RUF012 - declared as a ClassVar above
        "uncertain": "an MTConnect agent knows a value or says UNAVAILABLE, nothing between",
        "secret": "MTConnect has no login, and a password in the endpoint is refused by the configuration",
    }
    most_held = 1

    def requests_in(self, sent: bytes) -> int:
        return sent.count(b"GET /")

    def requests_per_s(self, settings: Any) -> float:
        return float(1 / settings.period_s)

    def make(self, context: LinkContext) -> Connector:
        return MtConnectLink(context)

    @pytest.fixture
    async def device(self) -> AsyncIterator[_Mill]:
        async with _Mill() as mill, asyncio.TaskGroup() as group:
            task = group.create_task(mill.run())
            yield mill
            task.cancel()
