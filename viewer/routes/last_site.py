"""The site that somebody looked at last: pages that are about one site, opened from the menu, go on with it.

A cookie names it, and counts only while its reader may see that site.
"""

from __future__ import annotations

from collections.abc import Sequence
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


def remember_site(request: Request, sites: Sequence[SiteInfo], response: Response) -> None:
    """Keep the site that an address names by `unit`, or by company and site in its path."""
    named = request.query_params.get("unit", "")
    if company := request.path_params.get("company"):
        site = request.path_params.get("site")
        own = (one for one in sites if one.company == company and site in {None, one.name})
        named = next((_text(one) for one in own), "")
    if found := _among(named, sites):
        response.set_cookie(_COOKIE, _text(found), httponly=True, samesite="lax")


def _text(site: SiteInfo) -> str:
    return "/".join(quote(level, safe="") for level in site.key)


def _among(text: str, sites: Sequence[SiteInfo]) -> SiteInfo | None:
    key = tuple(unquote(level) for level in text.split("/")[:_LEVELS])
    return next((one for one in sites if one.key == key), None)
