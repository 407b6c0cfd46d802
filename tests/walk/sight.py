"""What is wrong with a page as a browser shows it: complaints, strangers asked, rules of WCAG, keys, figures."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from selenium import webdriver

from tests.viewer.test_browser import requests_of
from viewer import figure_text
from viewer.catalog import Catalog
from viewer.kpi.result import Result
from viewer.query.figures import figures_of
from viewer.query.unit import Unit
from viewer.routes.asked import find_unit
from viewer.site_info import SiteInfo
from viewer.stores.base import Store
from viewer.words import Words

_AXE: Final = Path(__file__).parents[1] / "foreign/axe-core/node_modules/axe-core/axe.min.js"
_RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_MACHINE: Final = 3
"""Levels of a path that ends with a machine."""
_PIECES: Final = 9
"""Of one field at most, such as the parts of a date, each with a stop of its own."""
_NAME: Final = """
const name = (one) => [one.tagName, one.getAttribute("href") ?? one.name, one.value, one.textContent.trim()].join(" ");
"""
"""Not the node itself: what is live on a page is replaced, and keeps the focus."""
_TABBABLE: Final = (
    _NAME
    + """
const all = document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]");
const usable = (one) => one.tabIndex >= 0 && !one.disabled && one.type !== "hidden" && one.checkVisibility();
const group = (one) => Array.from(document.querySelectorAll(`input[type=radio][name="${one.name}"]`));
const first = (one) => one === (group(one).find((two) => two.checked) ?? group(one)[0]);
const stops = Array.from(all).filter((one) => usable(one) && (one.type !== "radio" || first(one)));
return stops.map(name);
"""
)
_WHERE: Final = (
    _NAME
    + """
const one = document.activeElement, style = getComputedStyle(one);
const shown = style.outlineStyle !== "none" || style.boxShadow !== "none";
return [name(one), shown, one.outerHTML.slice(0, 80)];
"""
)
_FIGURES: Final = """
const text = (node) => (node?.textContent ?? "").replace(/\\s+/g, " ").trim();
return Array.from(document.querySelectorAll("[data-code][data-period]")).map((one) => ({
  code: one.dataset.code, period: one.dataset.period,
  value: text(one.querySelector(".figure-value, .number, .word") ?? one),
  of: one.closest("[data-of]")?.dataset.of ?? document.querySelector("[name=unit]")?.value ?? "",
  profile: one.closest("[data-profile]")?.dataset.profile ?? document.querySelector("[name=profile]")?.value ?? "",
  evidence: Array.from(one.querySelectorAll("header ~ .evidence dd")).map(text),
  whole: one.matches(".card"),
}));
"""
"""Of a card value, unit and evidence; of a cell of a table the value, with or without its unit."""


@cache
def _axe() -> str:
    if not _AXE.is_file():
        pytest.fail("axe-core is not installed: deploy/test-components.sh does it")
    return _AXE.read_text(encoding="utf-8")


def complaints(browser: webdriver.Chrome, url: str) -> list[str]:
    """What the console said since it was asked last, and who else was asked for anything."""
    said = [f"console: {one['message']}" for one in browser.get_log("browser")]
    asked = {urlsplit(one).netloc for one in requests_of(browser) if one.startswith("http")}
    return said + [f"asked {one}" for one in sorted(asked - {urlsplit(url).netloc})]


def barriers(browser: webdriver.Chrome) -> list[str]:
    """Rules of WCAG 2.2 A and AA, and good practice, that axe-core finds broken."""
    browser.execute_script(_axe())
    wish = json.dumps({"runOnly": _RULES, "resultTypes": ["violations"]})
    run = f"axe.run(document, {wish}).then((one) => done(one.violations), (error) => done(String(error)));"
    found = browser.execute_async_script(f"const done = arguments[0]; {run}")
    if isinstance(found, str):
        return [f"axe: {found}"]
    return [f"axe {one['id']}: {node['html'][:160]}" for one in found for node in one["nodes"]]


def keys(browser: webdriver.Chrome) -> tuple[int, list[str]]:
    """How often the tabulator key stops, and where it does not, in order, or stops without showing it."""
    stops = browser.execute_script(_TABBABLE)
    browser.execute_script("document.body.tabIndex = -1; document.body.focus(); window.scrollTo(0, 0);")
    wrong, before = [], ""
    for number, stop in enumerate(stops, 1):
        for _ in range(_PIECES):
            for kind in ("rawKeyDown", "keyUp"):
                key = {"type": kind, "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}
                browser.execute_cdp_cmd("Input.dispatchKeyEvent", key)
            at, shown, html = browser.execute_script(_WHERE)
            if at == stop or at != before:
                break
        if at != stop:
            return len(stops), [*wrong, f"key Tab {number} of {len(stops)} leads to {html}"]
        if not shown:
            wrong.append(f"focus is not seen on {html}")
        before = stop
    return len(stops), wrong


@dataclass(frozen=True)
class Library:
    """What the figures of pages are compared with.

    Attributes:
        store: what the pages read, asked here by itself.
        catalog: of all lines.
        known: what was asked: another language shows the same figures.
    """

    store: Store
    catalog: Catalog
    known: dict[tuple[object, ...], Result] = field(default_factory=dict)

    def differences(self, browser: webdriver.Chrome, words: Words) -> tuple[int, list[str]]:
        """How many figures a page shows with their period, and those that are not the library's own."""
        figures: list[dict[str, Any]] = browser.execute_script(_FIGURES)
        address = browser.current_url
        return len(figures), [line for one in figures for line in self._compared(one, address, words)]

    def _compared(self, shown: dict[str, Any], address: str, words: Words) -> list[str]:
        site, unit = self._whose(shown["of"], address)
        start_ns, end_ns = map(int, shown["period"].split("-"))
        profile = shown["profile"] or "iso22400"
        key = (site.key, unit, shown["code"], start_ns, end_ns, profile)
        if key not in self.known:
            (self.known[key],) = figures_of(
                self.store, site, unit, [shown["code"]], (start_ns, end_ns), profile=profile
            )
        one = self.known[key]
        bare = figure_text.value(words, one)
        value = bare if one.value is None else f"{bare} {figure_text.unit(words, one)}".strip()
        if shown["whole"]:
            told = [value, f"{one.evidence.samples:,}", figure_text.cover(words, one)]
            seen = [shown["value"], *shown["evidence"][1:3]]
        else:
            # A table has no room between a number and "%", as spreadsheets write it.
            told, seen = [value], [value if shown["value"] in {bare, value.replace(" %", "%")} else shown["value"]]
        return [] if seen == told else [f"figure {shown['code']}: {seen}, the library {told}"]

    def _whose(self, of: str, address: str) -> tuple[SiteInfo, Unit]:
        path, sites = urlsplit(address), list(self.catalog.sites.values())
        if asked := of or "".join(parse_qs(path.query).get("unit", [])):
            found = find_unit(asked, sites)
            assert found, address
            return found
        _, *levels = [unquote(one) for one in path.path.strip("/").split("/")]
        if len(levels) == _MACHINE:
            site = self.catalog.sites[levels[0], levels[1]]
            return site, Unit(site.machines[levels[2]].line, levels[2])
        msg = f"{address}: whose figures a page shows is to be told here"
        raise LookupError(msg)
