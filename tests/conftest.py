"""What every test leaves behind: nothing."""

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """A command run inside a test configures logging; the next test starts from the default again."""
    yield
    structlog.reset_defaults()
