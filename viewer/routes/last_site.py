"""The site that somebody looked at last: pages that are about one site, opened from the menu, go on with it.

A cookie names it, and counts only while its reader may see that site.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import Response

from viewer.site_info import SiteInfo

_COOKIE: Final = "site"
_LEVELS: Final = 2


def last_site(request: Request, sites: Sequence[SiteInfo]) -> SiteInfo:
    """The site that was looked at last, if it is one of these; else the first of them."""
    return _among(request.cookies.get(_COOKIE, ""), sites) or sites[0]


def remember_site(request: Request, sites: Callable[[], Sequence[SiteInfo]], response: Response) -> None:
    """Keep the site that an address names by `unit`, or by company and site in its path; most name none."""
    company, unit = request.path_params.get("company"), request.query_params.get("unit", "")
    if company:
        name = request.path_params.get("site")
        found = next((one for one in sites() if one.company == company and name in {None, one.name}), None)
    else:
        found = _among(unit, sites()) if unit else None
    if found and request.cookies.get(_COOKIE) != _text(found):
        response.set_cookie(_COOKIE, _text(found), httponly=True, samesite="lax")


def _text(site: SiteInfo) -> str:
    return "/".join(quote(level, safe="") for level in site.key)


def _among(text: str, sites: Sequence[SiteInfo]) -> SiteInfo | None:
    key = tuple(unquote(level) for level in text.split("/")[:_LEVELS])
    return next((one for one in sites if one.key == key), None)
