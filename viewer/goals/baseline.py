"""기준값 측정: a baseline computed of what was stored before the improvement, with what it was made of."""

from __future__ import annotations

from pipelines.calendar import Span
from viewer.figure_text import period as period_text
from viewer.goals.model import Baseline, Measured, Whose
from viewer.kpi.goal import GROWTH
from viewer.kpi.oee import Profile
from viewer.kpi.production import Produced
from viewer.kpi.result import Result
from viewer.query.figures import figures_of
from viewer.query.inputs import inputs_of
from viewer.query.needs import needs
from viewer.query.unit import Unit
from viewer.reports.gather.sources import digest_of, sources_of
from viewer.site_info import SiteInfo
from viewer.stores.base import Store


def tried(store: Store, site: SiteInfo, unit: Unit, code: str, period: Span, profile: Profile) -> Result:
    """A figure of a period before, to look at; growth is that against itself, 0 %, with what was made.

    Raises:
        DependencyError: the store cannot be reached.
        KeyError: the catalogue has no such code, or the site no such machine or line.
    """
    before = produced(store, site, unit, period) if code == GROWTH else None
    (result,) = figures_of(store, site, unit, [code], period, profile=profile, before=before)
    return result


def produced(store: Store, site: SiteInfo, unit: Unit, period: Span) -> Produced | None:
    """Pieces of a period with its working time; None where nothing counted, or nobody worked.

    Raises:
        DependencyError: the store cannot be reached.
        KeyError: the site has no such machine or line.
    """
    return inputs_of(store, site, unit, period, parts=needs([GROWTH])).produced()


def measure(store: Store, site: SiteInfo, unit: Unit, code: str, period: Span, profile: Profile) -> Baseline | None:
    """The same as a baseline, with its query and the hash of what the site's series held; None = 미수집.

    Raises:
        DependencyError: the store cannot be reached.
        KeyError: the catalogue has no such code, or the site no such machine or line.
    """
    result = tried(store, site, unit, code, period, profile)
    if result.value is None:
        return None
    query = f"{code} {Whose.of(site, unit)} {period_text(period)} {profile}: {result.formula.ko}"
    digest = digest_of(sources_of(store, site.company, site.name, period))
    evidence = result.evidence
    kept = Measured(evidence.period, evidence.samples, evidence.cover, query, digest)
    before = produced(store, site, unit, period) if code == GROWTH else None
    return Baseline(result.value, measured=kept, before=before)
