from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from connectors.modbus.link import ModbusLink
from tests.connectors.conformance import ConnectorConformance

from .conftest import connection
from .device import Device

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from connectors.base import Connector, LinkContext
    from connectors.modbus.config import ModbusConnection

pytestmark = pytest.mark.wire


class _Plc(Device):
    @property
    def settings(self) -> ModbusConnection:
        tags = (
            {"address": 1},
            {"address": 9, "datatype": "float64"},
            {"table": "coil", "address": 3, "datatype": "bool"},
        )
        return connection(self.port, *tags, period_s=0.02, timeout_s=2)

    async def until_idle(self) -> None:
        await self.until(lambda: self.opened == self.closed)


class TestModbusConformance(ConnectorConformance):
    kind = "modbus"

    def make(self, context: LinkContext) -> Connector:
        return ModbusLink(context)

    @pytest.fixture
    async def device(self) -> AsyncIterator[_Plc]:
        async with _Plc() as plc:
            yield plc
