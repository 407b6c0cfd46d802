"""Pictures of pages over all simulated lines, for docs/screens/: `python -m tests.walk.pictures [NAME …]`."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from selenium import webdriver

from tests.viewer.screens import NO_BARS, emulate, photograph
from tests.viewer.test_browser import chrome
from tests.walk.book import MANAGER
from tests.walk.factories import COMPANIES
from tests.walk.walk import log_in, served

OUT: Final = Path(__file__).parents[2] / "docs/screens"
SECONDS: Final = 4 * 3600
_AUTO: Final = f"{COMPANIES['auto_press_machining']}/gyeongsan"
PICTURES: Final = {
    "fleet_small": "/fleet",
    "fleet_kpi": "/fleet/kpi",
    "company": f"/company/{COMPANIES['auto_press_machining']}",
    "machines": "/machines",
    "machine": f"/machine/{_AUTO}/PRS-01",
    "kpi": f"/kpi?unit={_AUTO}/-/-&period=today",
    "oee": f"/oee/{_AUTO}/PRS-01?period=today",
    "entry": "/entry",
    "reports": "/reports",
    "level": "/level",
    "sharing": f"/sharing/{COMPANIES['auto_press_machining']}",
    "users": "/users",
    "audit": "/audit",
}
"""Name to what a TP manager opens."""
PHONES: Final = {"company_phone": PICTURES["company"], "machines_phone": "/machines"}
"""The same on a phone, 390 px wide, after dark."""
_WIDE: Final = {"width": 1280, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
_NARROW: Final = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}


def main() -> None:
    """Draw those that are named, or all."""
    wanted = set(sys.argv[1:])
    with TemporaryDirectory(prefix="sf-walk-") as folder, served(list(COMPANIES), SECONDS, Path(folder)) as place:
        for who, pictures, size, scheme in (
            (MANAGER, PICTURES, _WIDE, "light"),
            (MANAGER, PHONES, _NARROW, "dark"),
        ):
            some = {name: path for name, path in pictures.items() if not wanted or name in wanted}
            if some:
                with chrome(Path(folder) / f"{who}-{scheme}", NO_BARS) as browser:
                    log_in(browser, place.url, who)
                    draw(browser, place.url, some, size, scheme)


def draw(browser: webdriver.Chrome, url: str, pictures: dict[str, str], size: dict[str, object], scheme: str) -> None:
    """A file for each page."""
    emulate(browser, scheme)
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    for name, path in pictures.items():
        browser.get(f"{url}{path}")
        photograph(browser, OUT / f"{name}.png")


if __name__ == "__main__":
    main()
