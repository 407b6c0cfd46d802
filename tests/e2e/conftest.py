"""Foreign PLCs, and a broker, a store and a bridge, shared by the tests of this folder: each uses its own company."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.connectors.modbus.conftest import libmodbus, modbus_serial
from tests.connectors.opcua.conftest import run_foreign
from tests.e2e.foreign_parts import Places, Plc, bridge
from tests.services.influxd import running_influxd
from tests.services.mosquitto import Mosquitto

__all__ = ["libmodbus", "modbus_serial", "places", "plc"]


@pytest.fixture(scope="package")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    folder = tmp_path_factory.mktemp("places")
    with Mosquitto(folder / "mosquitto") as mosquitto, running_influxd() as influx:
        broker = f"mqtt://127.0.0.1:{mosquitto.port}"
        with bridge(folder, broker, influx.url):
            yield Places(broker, influx)


@pytest.fixture(scope="package")
def plc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plc]:
    folder = tmp_path_factory.mktemp("plc")
    with run_foreign(folder / "certificates", LOG=str(folder / "log")) as server:
        yield Plc(server, folder / "log")
