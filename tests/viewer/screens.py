"""Pictures of pages over a store that `agent simulate --store DIR` left, as of its last heartbeat, for docs/screens/.

    PYTHONPATH=. .venv/bin/python -m tests.viewer.screens DIR SITE_FILE OUT PAGE…

DIR may be the address of a viewer that runs, http://127.0.0.1:PORT, for what only a running agent can answer;
SITE_FILE is not looked at then.

A page is NAME=PATH, for example `alarms=/alarms?period=today`. `--dark`, `--width 390`, `--height 800`, `--lang en` and
`--tall` (the whole page) change what is drawn; `--goals docs/screens/goals.yaml` fills the book behind `/goals`.
"""

from __future__ import annotations

import argparse
import base64
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import yaml
from selenium import webdriver

from agent.server import catalog_of
from tests.set_clock import SetClock
from tests.viewer.entries.desks import desk_in_thread
from tests.viewer.serving import serving
from tests.viewer.test_browser import chrome
from viewer.access.access import Access
from viewer.access.mode import Mode
from viewer.app import make_app
from viewer.book.book import Book
from viewer.catalog import Catalog
from viewer.goals.book import GoalBook
from viewer.goals.exchange import take_in
from viewer.goals.model import Whose
from viewer.goals.programme import Programmes
from viewer.overview import HEARTBEAT
from viewer.reports.goals_file import GoalsFile
from viewer.reports.programme import ProgrammeFile
from viewer.stores.duckdb import DuckDbStore

NO_BARS: Final = "--hide-scrollbars"


def add_looks(parser: argparse.ArgumentParser, height: int) -> None:
    """What changes how a page looks: its size, colour scheme and language."""
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=height)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--tall", action="store_true")
    parser.add_argument("--lang", default="ko")


def main() -> None:
    """Draw them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store")
    parser.add_argument("site", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("pages", nargs="+")
    add_looks(parser, height=1000)
    parser.add_argument("--goals", type=Path)
    said = parser.parse_args()
    said.out.mkdir(parents=True, exist_ok=True)
    if said.store.startswith("http://"):
        with TemporaryDirectory() as profile:
            draw(said.store.rstrip("/"), profile, said)
        return
    file = Path(said.store)
    store = DuckDbStore(file / "points.duckdb" if file.is_dir() else file)
    beats = [one.time_ns or 0 for one in store.latest() if one.place.measurement == HEARTBEAT]
    catalog = catalog_of([said.site])
    with TemporaryDirectory() as profile, desk_in_thread(Path(profile) / "desk", catalog) as desk:
        clock = SetClock(max(beats))
        access = Access(Book(), clock, Mode.OPEN)
        if said.goals:
            promised(access, clock, catalog, yaml.safe_load(said.goals.read_text(encoding="utf-8")))
        app = make_app(store, catalog, clock, [], access, desk)
        with serving(app) as url:
            draw(url, profile, said)


def promised(access: Access, clock: SetClock, catalog: Catalog, said: dict[str, Any]) -> None:
    """Goals of the first site, all approved but the last change, and a programme."""

    def note(action: str, target: str = "", detail: str = "") -> None:
        access.audit.write("코디네이터1", "local", action, target, detail)

    goals, whose = GoalBook(access.book, clock), Whose(*next(iter(catalog.sites)))
    take_in(access.book, goals, whose, GoalsFile.model_validate(said["goals"]), "담당자1", note)
    for one in goals.history(whose):
        goals.approve(one, "코디네이터1", note)
    take_in(access.book, goals, whose, GoalsFile.model_validate({"goals": [said["change"]]}), "담당자1", note)
    programme = ProgrammeFile.model_validate(said["programme"])
    for target in programme.targets:
        Programmes(access.book, clock).put(programme.name, target, "담당자2", note)


def draw(url: str, profile: str, said: argparse.Namespace, cookies: Mapping[str, str] | None = None) -> None:
    """A file for each page; with the cookies of somebody who is logged in."""
    with chrome(Path(profile), NO_BARS) as browser:
        emulate(browser, "dark" if said.dark else "light")
        if cookies:
            browser.get(f"{url}/login")
            for name, value in cookies.items():
                browser.add_cookie({"name": name, "value": value})
        for name, _, path in (one.partition("=") for one in said.pages):
            seen = {"width": said.width, "height": said.height, "deviceScaleFactor": 1, "mobile": said.width < 600}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", seen)
            browser.get(f"{url}{path}{'&' if '?' in path else '?'}lang={said.lang}")
            tall = browser.execute_script("return document.documentElement.scrollHeight") if said.tall else said.height
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {**seen, "height": max(said.height, tall)})
            photograph(browser, said.out / f"{name}.png")


def emulate(browser: webdriver.Chrome, scheme: str) -> None:
    """By day, `light`, or by night, `dark`."""
    wish = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", wish)


def photograph(browser: webdriver.Chrome, file: Path) -> None:
    """What is seen, as a PNG."""
    picture = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
    file.write_bytes(base64.b64decode(picture["data"]))


if __name__ == "__main__":
    main()
