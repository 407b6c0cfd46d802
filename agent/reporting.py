"""Reports from the command line: whose, of which month, from which store, into which file."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, get_args

from pipelines.calendar import Calendar, Span
from pipelines.errors import ConfigError
from viewer.catalog import Catalog
from viewer.kpi.period import month, until_now
from viewer.reports.cell import Language
from viewer.reports.kpi_report import collection_report, kpi_report, monthly_report
from viewer.reports.model import Report
from viewer.reports.page import page
from viewer.reports.pdf import pdf
from viewer.reports.subject import Subject
from viewer.reports.xlsx import xlsx
from viewer.site_info import SiteInfo

KINDS: Final[dict[str, Callable[[Subject], Report]]] = {
    "kpi": kpi_report,
    "monthly": monthly_report,
    "collection": collection_report,
}
"""What can be asked for."""
DRAWINGS: Final[dict[str, Callable[[Report, Language], bytes]]] = {
    ".xlsx": xlsx,
    ".pdf": pdf,
    ".html": lambda report, language: page(report, language).encode(),
}
"""What each ending of a file is made by."""
LANGUAGES: Final = get_args(Language)
_MONTH: Final = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")


def kind_of(kind: str) -> Callable[[Subject], Report]:
    """What makes a report of this kind.

    Raises:
        ConfigError: there is none.
    """
    if kind not in KINDS:
        raise ConfigError(None, None, f"there is no report {kind}; there are {', '.join(KINDS)}")
    return KINDS[kind]


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
    found = _MONTH.fullmatch(text)
    if found is None:
        raise ConfigError(None, None, f"--month {text}: is no month; write it as 2026-11")
    span = until_now(month(calendar, int(found[1]), int(found[2])), now_ns)
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
