"""Reports from the command line: whose, of which month, from which store, into which file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.kept_goals import facts_of, goals_of, programme_of, used_of
from pipelines.calendar import Calendar, Span
from pipelines.errors import ConfigError
from pipelines.table import read_table
from viewer.book.facts import Facts
from viewer.catalog import Catalog
from viewer.kpi.oee import Profile
from viewer.kpi.period import written_month
from viewer.reports.cell import Language
from viewer.reports.cluster import cluster_report
from viewer.reports.drawings import DRAWINGS
from viewer.reports.gather.cluster import members_of
from viewer.reports.gather.company import subject_of
from viewer.reports.gather.programme import companies_of
from viewer.reports.goals_file import read_goals
from viewer.reports.groups import GROUPINGS
from viewer.reports.kinds import KINDS
from viewer.reports.model import Report
from viewer.reports.programme import ProgrammeFile, programme_report
from viewer.site_info import SiteInfo
from viewer.stores.base import Store

PROGRAMME: Final = "programme"
CLUSTER: Final = "cluster"
"""What can be asked for over many companies."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says of any report.

    Attributes:
        catalog: of the configuration files.
        store_of: the store of a company.
        month: as it was written.
        now_ns: when it is made, ns since 1970 UTC.
        source: what the store is, for the reader.
        goals: file of goals or targets; None = those of the book count.
        profile: how OEE is split.
        book: the viewer's state folder, where goals are that were set on the pages; None = there is none.
    """

    catalog: Catalog
    store_of: Callable[[str], Store]
    month: str
    now_ns: int
    source: str
    goals: Path | None
    profile: Profile
    book: Path | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A report.

    Attributes:
        report: it.
        points: stored points that it is made of; None = they were not counted.
        digest: their hash, hexadecimal; empty = there is none.
    """

    report: Report
    points: int | None = None
    digest: str = ""


def of_site(asked: Asked, kind: str, company: str | None, at: str | None) -> Made:
    """A report of one site.

    Raises:
        ConfigError: there is no such kind, site or month, or the file of goals cannot be used.
        DependencyError: the store cannot be reached.
    """
    if kind not in KINDS:
        raise ConfigError(None, None, f"there is no report {kind}; there are {', '.join([*KINDS, PROGRAMME, CLUSTER])}")
    site = site_of(asked.catalog, company, at)
    goals = read_goals(asked.goals) if asked.goals else goals_of(asked.book, site)
    period = period_of(asked.month, site.calendar, asked.now_ns)
    store = asked.store_of(site.company)
    use = used_of(asked.book, site, period)
    subject = subject_of(
        store,
        site,
        period,
        asked.now_ns,
        source=asked.source,
        goals=goals,
        profile=asked.profile,
        use=use,
        facts=facts_of(asked.book).get(site.company),
    )
    return Made(KINDS[kind](subject), sum(one.count for one in subject.sources), subject.digest)


def programme(asked: Asked, company: str | None) -> Made:
    """The summary of a programme over all companies of the configuration, or of one.

    Raises:
        ConfigError: there is no file of targets, no such company, or no such month.
        DependencyError: a store cannot be reached.
    """
    if asked.goals is None:
        file = programme_of(asked.book)
    else:
        file = read_table(asked.goals, ProgrammeFile, "file of a programme's targets")
    sites = [one for one in asked.catalog.sites.values() if company in {None, one.company}]
    if not sites:
        known = ", ".join(dict.fromkeys(one.company for one in asked.catalog.sites.values())) or "none at all"
        raise ConfigError(None, None, f"{company}: the configuration has {known}; name one with --company")
    period = period_of(asked.month, sites[0].calendar, asked.now_ns)
    companies = companies_of(asked.store_of, sites, period)
    return Made(programme_report(file, companies, period, asked.now_ns))


def cluster(asked: Asked, by: str, group: str | None, *, lines: bool) -> Made:
    """The month of the companies of the configuration next to each other, or of those of one group.

    Args:
        asked: the rest of the command line.
        by: of `GROUPINGS`.
        group: of these only; None = of all.
        lines: whether single companies are listed.

    Raises:
        ConfigError: there is no such grouping or group, no company, or no such month.
        DependencyError: a store, or the book, cannot be reached.
    """
    if by not in GROUPINGS:
        raise ConfigError(None, None, f"--by {by}: companies are put together by {', '.join(GROUPINGS)}")
    known, grouping = facts_of(asked.book), GROUPINGS[by]
    sites = [(grouping.of(known.get(one.company) or Facts(one.company)), one) for one in asked.catalog.sites.values()]
    wanted = [(of, one) for of, one in sites if group is None or (of is not None and group in of)]
    if not wanted:
        names = ", ".join(dict.fromkeys(of.ko for of, _ in sites if of)) or "none; enter it at /company-facts"
        raise ConfigError(None, None, f"--group {group or '-'}: no company is in it; known are {names}")
    if asked.goals is not None:
        raise ConfigError(None, None, "--goals: the goals of a cluster are those of the pages; name their --state-dir")

    def month_of(site: SiteInfo) -> Span:
        return period_of(asked.month, site.calendar, asked.now_ns)

    period = month_of(wanted[0][1])
    members = members_of(asked.store_of, lambda site: goals_of(asked.book, site), wanted, month_of, asked.now_ns)
    name = group or f"전체 ({grouping.title.ko})"
    return Made(cluster_report(name, grouping.title, members, period, asked.now_ns, lines=lines))


def drawing_of(file: Path) -> Callable[[Report, Language], bytes]:
    """What draws a report into this file.

    Raises:
        ConfigError: its ending says nothing, or its folder is not there.
    """
    if file.suffix.lower() not in DRAWINGS:
        raise ConfigError(file, None, f"ends in none of {', '.join(DRAWINGS)}; name one of these with -o")
    if not file.absolute().parent.is_dir():
        raise ConfigError(file, None, "its folder is not there; make it first")
    return DRAWINGS[file.suffix.lower()]


def site_of(catalog: Catalog, company: str | None, at: str | None) -> SiteInfo:
    """The site that is reported on.

    Raises:
        ConfigError: the site files have no such one, or several.
    """
    known = list(catalog.sites.values())
    found = [one for one in known if company in {None, one.company} and at in {None, one.name}]
    if len(found) == 1:
        return found[0]
    names = ", ".join(f"{one.company}/{one.name}" for one in found or known) or "none at all"
    asked = "/".join(one for one in (company, at) if one) or "the report"
    remedy = "name one with --company and --at" if found else "name the company's configuration with --site FILE"
    raise ConfigError(None, None, f"{asked}: the configuration has {names}; {remedy}")


def period_of(text: str, calendar: Calendar, now_ns: int) -> Span:
    """The production days of a month, up to now at most, ns since 1970 UTC.

    Raises:
        ConfigError: it is no month, or has not begun.
    """
    span = written_month(calendar, text, now_ns)
    if span is None:
        raise ConfigError(None, None, f"--month {text}: is no month; write it as 2026-11")
    if span[0] == span[1]:
        raise ConfigError(None, None, f"--month {text}: has not begun; take one that has, or set the clock right")
    return span


def write(file: Path, data: bytes) -> None:
    """The file, whole or not at all.

    Raises:
        ConfigError: it cannot be written.
    """
    part = file.with_name(f".{file.name}.part")
    try:
        part.write_bytes(data)
        part.replace(file)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ConfigError(file, None, f"cannot be written: {error.strerror}; name another file with -o") from error
