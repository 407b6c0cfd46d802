"""One line, every page, both languages; `make campaign ARGS=pages` walks all lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver

from tests.viewer.test_browser import browser, chromium
from tests.walk.book import BUYER, MANAGER
from tests.walk.walk import Place, served, walk

__all__ = ["browser", "chromium"]

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with served(["food_workshop_haccp"], 1200, Path(tmp_path_factory.mktemp("walk"))) as place:
        yield place


@pytest.mark.parametrize("name", [MANAGER, BUYER])
def test_every_page_in_both_languages(browser: webdriver.Chrome, place: Place, name: str) -> None:
    report = walk(browser, place, name, whole=False)
    assert report.wrong == []
    assert name == BUYER or report.looked["figures"] > 100
