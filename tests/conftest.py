"""What every test leaves behind: nothing."""

from collections.abc import Iterator
from typing import Final

import pytest
import structlog

LONG: Final = ("tests/e2e/", "tests/faults/", "tests/simulators/test_lines.py", "tests/viewer/test_browser.py")
"""Where tests take seconds each, most of them waiting."""


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """A command run inside a test configures logging; the next test starts from the default again."""
    yield
    structlog.reset_defaults()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long tests are spread over the shares of all processes, and over the first part of each.

    pytest-xdist's `worksteal` deals out neighbouring tests in equal shares and moves from the ends of shares, so that
    long tests, left where they stand, would run one after the other in one process while the others have nothing to do.
    """
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    if workers > 1:
        items[:] = dealt(items, workers)


def dealt(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """Every test once: equal shares of `workers` one behind the other, each with as many of the long ones."""
    long = [item for item in items if item.nodeid.startswith(LONG)]
    short = [item for item in items if not item.nodeid.startswith(LONG)]
    order: list[pytest.Item] = []
    for worker in range(workers):
        mine = long[worker::workers]
        size = len(items) // workers - len(mine) if worker < workers - 1 else len(short)
        others, short = short[:size], short[size:]
        every = max(1, len(others) * 3 // 4 // max(1, len(mine)))
        for number, item in enumerate(mine):
            order += [item, *others[number * every : (number + 1) * every]]
        order += others[len(mine) * every :]
    return order
