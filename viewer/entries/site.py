"""What is known of a site that entries are made about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pipelines.settings import Labels
from viewer.entries.settings import EntrySettings
from viewer.site_info import SiteInfo

SiteKey = tuple[str, str]
"""Company and site."""


@dataclass(frozen=True, slots=True)
class EntrySite:
    """One site.

    Attributes:
        company: its company.
        name: of the site.
        machines: line by machine; empty where no site file names any: all are taken then.
        labels: what people call a machine, by language.
        settings: reasons to choose from.
    """

    company: str
    name: str
    machines: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    settings: EntrySettings = field(default_factory=EntrySettings)

    @property
    def key(self) -> SiteKey:
        """Company and site."""
        return self.company, self.name

    @property
    def lines(self) -> list[str]:
        """Its lines, in the order of its machines."""
        return list(dict.fromkeys(line for line in self.machines.values() if line))

    def reasons(self, kind: str) -> Mapping[str, Labels]:
        """What may be chosen as the reason of this kind; empty = anything may be written."""
        return {"stop": self.settings.stop_reasons, "defect": self.settings.defect_types}.get(kind, {})


def entry_sites(sites: Iterable[SiteInfo]) -> dict[SiteKey, EntrySite]:
    """What is known of configured sites, by company and site."""
    return {
        one.key: EntrySite(
            *one.key,
            {name: machine.line for name, machine in one.machines.items()},
            {name: machine.label for name, machine in one.machines.items()},
            one.entry or EntrySettings(),
        )
        for one in sites
    }
