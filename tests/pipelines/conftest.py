"""A real broker for each test that asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.mosquitto import Mosquitto


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as broker:
        yield broker
