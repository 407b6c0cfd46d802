"""Reports of a site, each a list of chapters: 스마트공장 핵심성과지표(KPI) 성과보고서 and the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from viewer.kpi.words import Text
from viewer.reports.model import Report, Section
from viewer.reports.parts.aftercare import actions, checklist
from viewer.reports.parts.alarms import alarms
from viewer.reports.parts.batteries import batteries, packs
from viewer.reports.parts.detail import detail
from viewer.reports.parts.energy import energy
from viewer.reports.parts.guards import ccp, safety, safety_alarms
from viewer.reports.parts.production import defects, downtime, effectiveness
from viewer.reports.parts.quality import history, quality, sources
from viewer.reports.parts.summary import summary
from viewer.reports.subject import Subject

Chapter = Callable[[Subject], Section]

Make = Callable[[Subject], Report]

_CHAPTERS: Final[dict[str, tuple[Text, tuple[Chapter, ...]]]] = {
    "kpi": (
        Text("스마트공장 핵심성과지표(KPI) 성과보고서", "Smart factory key figures: results"),
        (summary, detail, effectiveness, downtime, defects, energy, alarms, quality, sources, history),
    ),
    "monthly": (
        Text("월간 운영보고서", "Monthly report of operation"),
        (effectiveness, downtime, defects, energy, alarms, quality, sources),
    ),
    "collection": (Text("데이터 수집 현황표", "Status of data collection"), (quality, sources)),
    "aftercare": (
        Text("사후관리 점검표", "After-care check list"),
        (checklist, actions, quality, sources),
    ),
    "safety": (
        Text("월간 안전 모니터링 보고서", "Monthly report of safety"),
        (safety, safety_alarms, quality, sources),
    ),
    "ccp": (Text("CCP 모니터링 기록지", "Record of critical control points"), (ccp, quality, sources)),
    "battery": (Text("배터리 성능검사 결과서", "Results of battery tests"), (batteries, packs, quality, sources)),
}


def _of(title: Text, chapters: tuple[Chapter, ...]) -> Make:
    """What makes a report of these chapters, whose sheets are numbered anew."""

    def make(subject: Subject) -> Report:
        found = [chapter(subject) for chapter in chapters]
        sheets = [f"{number:02d}_{one.sheet.partition('_')[2]}" for number, one in enumerate(found, 1)]
        return Report(
            title=title,
            company=subject.company,
            period=subject.period,
            generated_ns=subject.generated_ns,
            sections=tuple(Section(sheet, one.title, one.blocks) for sheet, one in zip(sheets, found, strict=True)),
        )

    return make


TITLES: Final = {kind: title for kind, (title, _) in _CHAPTERS.items()}
"""Reports of a site by their kind, in the order in which they are offered."""
KINDS: Final = {kind: _of(*what) for kind, what in _CHAPTERS.items()}
"""What makes each of them."""
kpi_report: Final = KINDS["kpi"]
"""The ten sheets that are handed in."""
monthly_report: Final = KINDS["monthly"]
collection_report: Final = KINDS["collection"]
aftercare_report: Final = KINDS["aftercare"]
safety_report: Final = KINDS["safety"]
ccp_report: Final = KINDS["ccp"]
battery_report: Final = KINDS["battery"]
