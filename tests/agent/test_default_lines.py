"""The lines that `agent simulate` begins with, as one agent and one viewer read them."""

from __future__ import annotations

from agent.commands.simulate import DEFAULT_LINES
from agent.config import load_sites
from agent.paths import LINES
from agent.server import catalog_of

FILES = [LINES / name / "site.yaml" for name in DEFAULT_LINES]


def test_one_agent_reads_them_together() -> None:
    assert load_sites(FILES).connections


def test_people_choose_from_the_reasons_of_every_line() -> None:
    (site,) = catalog_of(FILES).sites.values()
    own = [one for path in FILES for one in catalog_of([path]).sites.values()]
    assert site.entry is not None
    for one in own:
        assert one.entry is not None
        assert set(one.entry.stop_reasons) <= set(site.entry.stop_reasons)
        assert set(one.entry.defect_types) <= set(site.entry.defect_types)
    first = own[0].entry
    assert first is not None
    assert all(site.entry.stop_reasons[name] == words for name, words in first.stop_reasons.items())
