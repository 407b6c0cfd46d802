"""What fault tests share: how much they do, and what they measured.

`make test` runs them small; `python -m tests.campaign connectors` runs them at full size and writes the figures down.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Protocol

import pytest

from tests.campaign import FIGURES_VARIABLE


class Size(Protocol):
    def __call__(self, small: int, large: int) -> int:
        """`small` in `make test`, `large` in a campaign."""


class Figure(Protocol):
    def __call__(self, name: str, *, asked: str, measured: object) -> None:
        """Write down what was `measured` where `asked` was promised."""


@pytest.fixture
def size() -> Size:
    campaign = FIGURES_VARIABLE in os.environ
    return lambda small, large: large if campaign else small


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Figure:
    path = os.environ.get(FIGURES_VARIABLE)
    mark = request.node.get_closest_marker("fault")

    def write(name: str, *, asked: str, measured: object) -> None:
        if path is None:
            return
        row = {
            "fault": mark.args[0] if mark else None,
            "test": request.node.nodeid,
            "figure": name,
            "asked": asked,
            "measured": f"{measured:.3g}" if isinstance(measured, float) else str(measured),
        }
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")

    return write


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """At full size a fault test may take its time."""
    if FIGURES_VARIABLE in os.environ:
        for item in items:
            item.add_marker(pytest.mark.timeout(3600), append=False)
