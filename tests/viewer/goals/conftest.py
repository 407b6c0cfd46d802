"""Fixtures of the tests of goals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.viewer.goals.played import Plant


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    """A shift, a book, and users of every role."""
    plant = Plant(tmp_path)
    yield plant
    plant.close()


@pytest.fixture
def open_plant(tmp_path: Path) -> Iterator[Plant]:
    """The same without users: everybody sees everything."""
    plant = Plant(tmp_path, users=False)
    yield plant
    plant.close()
