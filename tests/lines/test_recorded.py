"""Every line's values are recorded, so that another machine must give the same."""

from __future__ import annotations

import pytest

from simulators.plant import line_names
from tests.simulators.test_reproducible import COMMAND, recorded, source


@pytest.mark.parametrize("line", line_names())
def test_the_record_is_of_this_plant(line: str) -> None:
    assert recorded().get(line, {}).get("plant") == source(line), f"run: {COMMAND}"
