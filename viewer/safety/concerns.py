"""Whether a site has anything for the pages of safety and of critical control points."""

from __future__ import annotations

from viewer.catalog import Catalog
from viewer.site_info import SiteInfo


def has_safety(site: SiteInfo) -> bool:
    """Whether it watches gases, or has safety alarms."""
    return bool(site.gases) or any(one.safety for one in site.alarms)


def has_ccp(site: SiteInfo) -> bool:
    """Whether it has critical control points."""
    return any(one.ccp for one in site.alarms)


def any_safety(catalog: Catalog) -> bool:
    """Whether any site of those that a reader may see has."""
    return any(has_safety(one) for one in catalog.sites.values())


def any_ccp(catalog: Catalog) -> bool:
    """Whether any site of those that a reader may see has critical control points."""
    return any(has_ccp(one) for one in catalog.sites.values())
