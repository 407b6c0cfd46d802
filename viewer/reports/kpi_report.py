"""스마트공장 핵심성과지표(KPI) 성과보고서, and the reports made of the same chapters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from viewer.kpi.words import Text
from viewer.reports.model import Report, Section
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

KPI: Final[tuple[Chapter, ...]] = (
    summary,
    detail,
    effectiveness,
    downtime,
    defects,
    energy,
    alarms,
    quality,
    sources,
    history,
)
MONTHLY: Final[tuple[Chapter, ...]] = (effectiveness, downtime, defects, energy, alarms, quality, sources)
COLLECTION: Final[tuple[Chapter, ...]] = (quality, sources)


def of_chapters(title: Text, chapters: tuple[Chapter, ...]) -> Callable[[Subject], Report]:
    """What makes a report of these chapters, whose sheets are numbered anew."""

    def make(subject: Subject) -> Report:
        found = [chapter(subject) for chapter in chapters]
        return Report(
            title=title,
            company=subject.company,
            period=subject.period,
            generated_ns=subject.generated_ns,
            sections=tuple(
                Section(f"{n:02d}_{one.sheet.partition('_')[2]}", one.title, one.blocks)
                for n, one in enumerate(found, 1)
            ),
        )

    return make


kpi_report: Final = of_chapters(
    Text("스마트공장 핵심성과지표(KPI) 성과보고서", "Smart factory key figures: results"), KPI
)
"""The ten sheets that are handed in."""
monthly_report: Final = of_chapters(Text("월간 운영보고서", "Monthly report of operation"), MONTHLY)
"""How a month went."""
collection_report: Final = of_chapters(Text("데이터 수집 현황표", "Status of data collection"), COLLECTION)
"""Which tags are collected from where, how often and how well."""
safety_report: Final = of_chapters(
    Text("월간 안전 모니터링 보고서", "Monthly report of safety"), (safety, safety_alarms, quality, sources)
)
"""A month of safety alarms and exposure: a monitoring aid."""
ccp_report: Final = of_chapters(
    Text("CCP 모니터링 기록지", "Record of critical control points"), (ccp, quality, sources)
)
"""A month of critical control points (HACCP)."""
battery_report: Final = of_chapters(
    Text("배터리 성능검사 결과서", "Results of battery tests"), (batteries, packs, quality, sources)
)
"""A month of battery tests."""
