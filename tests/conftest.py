"""What every test leaves behind: nothing."""

import gc
from collections.abc import Generator, Iterator
from itertools import chain, groupby
from typing import Final

import pytest
import structlog
from hypothesis import HealthCheck, settings

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("the same", settings.get_profile("any machine"), derandomize=True)
settings.load_profile("any machine")  # how long an example takes says nothing of what is tested

LONG: Final = (
    "tests/e2e/",
    "tests/faults/",
    "tests/grafana/",
    "tests/simulators/test_lines.py",
    "tests/viewer/test_browser.py",
)
"""Where tests take seconds each, most of them waiting."""
ALONE: Final = "tests/faults/"
"""Where all tests are that run after the others: the rest need not be loaded for them."""


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """A command run inside a test configures logging; the next test starts from the default again."""
    yield
    structlog.reset_defaults()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is loaded and collected stays: looking through it for garbage takes a quarter of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_unconfigure() -> None:
    """Libraries that count what is left at the end find nothing."""
    gc.unfreeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that open sockets get a second attempt; files of long tests are spread over the shares of all processes.

    pytest-xdist's `worksteal` deals out neighbouring tests in equal shares and moves from the ends of shares, so that
    long tests, left where they stand, would run one after the other in one process while the others have nothing to do.
    """
    for item in items:
        if item.get_closest_marker("alone") and not item.nodeid.startswith(ALONE):
            raise pytest.UsageError(f"{item.nodeid}: `make test` looks for tests that run alone under {ALONE}")
        if config.getoption("max_suite_reruns") and item.get_closest_marker("wire"):
            item.add_marker(pytest.mark.flaky(reruns=1, reruns_delay=1))
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    if workers > 1:
        items[:] = dealt(items, workers)


def dealt(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """Every test once: equal shares of `workers` one behind the other, each with as many of the long files.

    The tests of a file stay together, or what they share would be set up again for each.
    """
    files = [list(tests) for _, tests in groupby(items, lambda item: item.nodeid.partition("::")[0])]
    long = [tests for tests in files if tests[0].nodeid.startswith(LONG)]
    short = [tests for tests in files if not tests[0].nodeid.startswith(LONG)]
    order: list[pytest.Item] = []
    for worker in range(workers):
        mine, left = long[worker::workers], workers - worker
        until = len(order) + (len(items) - len(order)) // left - sum(map(len, mine))
        others: list[list[pytest.Item]] = []
        while short and (left == 1 or sum(map(len, others)) < until - len(order)):
            others.append(short.pop(0))
        every = max(1, len(others) * 3 // 4 // max(1, len(mine)))
        for number, tests in enumerate(mine):
            order += chain(tests, *others[number * every : (number + 1) * every])
        order += chain(*others[len(mine) * every :])
    return order
