"""클러스터 월보: companies of a cluster, region, trade or programme next to each other, in one month. Pure.

A comparison says nothing of fewer than five companies. Lines of single companies are for those who may see them: a
report for anybody else is made without.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Final

from pipelines.calendar import Span
from viewer.fleet.compare import LEAST
from viewer.kpi import words
from viewer.kpi.catalog import CATALOG
from viewer.kpi.freshness import Freshness, freshness_of
from viewer.kpi.goal import ACHIEVEMENT, OVERALL, Score, is_met
from viewer.kpi.result import Result
from viewer.kpi.words import Text
from viewer.reports.cell import (
    LANGUAGES,
    NOTHING,
    Cell,
    Missing,
    Moment,
    Words,
    achieved_cell,
    figure_cell,
    number,
    said,
)
from viewer.reports.model import Block, Column, Paragraph, Report, Section, Table
from viewer.reports.programme import Company
from viewer.words import Words as Said

TITLE: Final = Text("클러스터 월보", "Cluster: monthly report")
NO_GROUP: Final = Text("구분 없음", "in no group")
_SAID: Final = [Said(language) for language in LANGUAGES]
_HIDDEN: Final = Text("비공개", "hidden")


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarms:
    """Alarms of a site in the month; `noted` are those that somebody took note of."""

    raised: int
    urgent: int
    noted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A site of a company of a group.

    Attributes:
        company: how it is connected.
        group: of `viewer.reports.groups`; None = not known.
        oee: P-OEE of the whole site.
        score: its goals with what came of them.
        alarms: None = nothing at all is stored of the month.
    """

    company: Company
    group: Text | None
    oee: Result
    score: Score
    alarms: Alarms | None

    @property
    def met(self) -> int:
        """Goals that were reached."""
        return sum(is_met(row.achievement) for row in self.score.rows)


def cluster_report(
    name: str, by: Text, members: Sequence[Member], period: Span, now_ns: int, *, lines: bool = True
) -> Report:
    """The report.

    Args:
        name: of the cluster, or of all of them.
        by: what groups are, such as 시·군.
        members: sites of the companies, in the order in which they are listed.
        period: the month, ns since 1970 UTC.
        now_ns: when it is made, ns since 1970 UTC.
        lines: whether single companies are listed: for those who may see them all.
    """
    groups: dict[Text, list[Member]] = {}
    for one in sorted(members, key=lambda one: (one.group is None, one.group or NO_GROUP)):
        groups.setdefault(one.group or NO_GROUP, []).append(one)
    blocks: list[Block] = [_compared(by, groups, now_ns), Paragraph(_LEGEND)]
    sections = [Section("01_비교", Text("클러스터 비교", "Comparison"), tuple(blocks))]
    if lines:
        listed = _lines(by, [one for own in groups.values() for one in own], now_ns)
        sections.append(Section("02_기업별", Text("기업별 현황", "Companies"), (listed, Paragraph(_CONFIDENTIAL))))
    return Report(title=TITLE, company=name, period=period, generated_ns=now_ns, sections=tuple(sections))


def _compared(by: Text, groups: dict[Text, list[Member]], now_ns: int) -> Table:
    rows = [_group(name, own, now_ns) for name, own in groups.items()]
    if len(groups) > 1 and not any(said(_HIDDEN) in row for row in rows):  # with a total it could be worked out
        rows.append(_group(Text("전체", "All"), [one for own in groups.values() for one in own], now_ns))
    return Table(
        title=Text(f"{by.ko}별 비교", f"By {by.en}"),
        columns=(
            Column(by, 1.8),
            Column(Text("기업", "Companies"), 0.8, "right"),
            Column(Text("연결", "Connected"), 0.8, "right"),
            Column(Text("정상 수신", "Fresh"), 0.8, "right"),
            Column(Text("수집률 평균", "Mean collection"), 1.4, "right"),
            Column(Text("설비종합효율 중앙값", "Median OEE"), 1.4, "right"),
            Column(Text("목표 달성 지표", "Goals met"), 1.4, "right"),
            Column(Text("경보/기업", "Alarms a company"), 1.0, "right"),
        ),
        rows=tuple(rows),
        empty=_NOBODY,
        notes=(_formula("DQ-RATE"), _formula("P-OEE"), ACHIEVEMENT, _MIDDLE),
    )


def _group(name: Text, own: Sequence[Member], now_ns: int) -> tuple[Cell, ...]:
    companies = _by_company(own)
    count = number(len(companies))
    if len(companies) < LEAST:
        return (said(name), count, *(said(_HIDDEN) for _ in range(6)))
    fresh = [any(freshness_of(one.company.seen_ns, now_ns) is Freshness.OK for one in of) for of in companies]
    goals = [of for of in companies if any(one.score.rows for one in of)]
    set_, met = (sum(how(one) for of in goals for one in of) for how in (_goals, lambda one: one.met))
    share = Text(f"{met}/{set_} ({met / set_:.1%})", f"{met}/{set_} ({met / set_:.1%})") if set_ else None
    return (
        said(name),
        count,
        number(sum(any(one.company.seen_ns is not None for one in of) for of in companies)),
        number(sum(fresh)),
        _middle(companies, lambda one: one.company.rate, fmean),
        _middle(companies, lambda one: one.oee, median),
        Missing(_NO_GOALS) if share is None else said(share) if len(goals) >= LEAST else said(_HIDDEN),
        _alarms(companies),
    )


def _goals(one: Member) -> int:
    return len(one.score.rows)


def _middle(
    companies: Sequence[Sequence[Member]], of: Callable[[Member], Result], how: Callable[[list[float]], float]
) -> Cell:
    """Mean or median over the companies that have a value, which are named by their number; of few none is told."""
    known = [[one for one in map(of, own) if one.value is not None] for own in companies]
    values = [fmean(one.value for one in own if one.value is not None) for own in known if own]
    if not values:
        return Missing(words.NO_SAMPLES)
    if len(values) < LEAST:
        return said(_HIDDEN)
    weak = any(one.indicative for own in known for one in own)
    marks = (words.INDICATIVE,) if weak else ()
    return number(how(values), Text(f"% (n={len(values)})", f"% (n={len(values)})"), 1, marks)


def _alarms(companies: Sequence[Sequence[Member]]) -> Cell:
    known = [[one.alarms for one in own if one.alarms] for own in companies]
    counts = [sum(one.raised for one in own) for own in known if own]
    if not counts:
        return Missing(words.NO_SAMPLES)
    return said(_HIDDEN) if len(counts) < LEAST else number(fmean(counts), Text("건", ""), 1)


def _lines(by: Text, members: Sequence[Member], now_ns: int) -> Table:
    return Table(
        title=Text("기업별", "By company"),
        columns=(
            Column(by, 1.2),
            Column(Text("기업", "Company"), 1.5),
            Column(Text("사업장", "Site"), 1.0),
            Column(Text("설비", "Machines"), 0.6, "right"),
            Column(Text("마지막 수신", "Last reading"), 1.4, "center"),
            Column(Text("신선도", "Freshness"), 0.8, "center"),
            Column(Text("수집률", "Collection"), 1.2, "right"),
            Column(Text("설비종합효율", "OEE"), 1.2, "right"),
            Column(Text("목표 달성", "Goals met"), 0.8, "right"),
            Column(Text("종합달성도", "Overall"), 1.1, "right"),
            Column(Text("경보", "Alarms"), 0.7, "right"),
            Column(Text("긴급", "Urgent"), 0.6, "right"),
            Column(Text("미확인", "Not noted"), 0.7, "right"),
        ),
        rows=tuple(_line(one, now_ns) for one in members),
        empty=_NOBODY,
        notes=(_formula("DQ-RATE"), _formula("P-OEE"), ACHIEVEMENT, OVERALL),
    )


def _line(one: Member, now_ns: int) -> tuple[Cell, ...]:
    of, alarms = one.company, one.alarms
    fresh = freshness_of(of.seen_ns, now_ns)
    goals = f"{one.met}/{len(one.score.rows)}"
    counts = (alarms.raised, alarms.urgent, alarms.raised - alarms.noted) if alarms else (None, None, None)
    return (
        said(one.group or NO_GROUP),
        said(of.name),
        said(of.site) if of.site else NOTHING,
        number(of.machines),
        Missing() if of.seen_ns is None else Moment(of.seen_ns),
        said(Text(*(by.freshness(fresh) for by in _SAID))),
        figure_cell(of.rate),
        figure_cell(one.oee),
        Words(Text(goals, goals)) if one.score.rows else NOTHING,
        achieved_cell(one.score.value) if one.score.rows else NOTHING,
        *(number(count) for count in counts),
    )


def _by_company(members: Sequence[Member]) -> list[list[Member]]:
    """Sites of each company: it counts once, whatever many it has."""
    found: dict[str, list[Member]] = {}
    for one in members:
        found.setdefault(one.company.name, []).append(one)
    return list(found.values())


def _formula(code: str) -> Text:
    of = CATALOG[code]
    return Text(f"{of.name.ko}: {of.formula.ko}", f"{of.name.en}: {of.formula.en}")


_NOBODY: Final = Text("해당하는 기업 없음", "there is no such company")
_NO_GOALS: Final = Text("등록된 목표 없음", "no goal is set")
_MIDDLE: Final = Text(
    "기업의 값 = 그 기업 사업장 값의 평균; n = 값이 있는 기업 수; 미수집 기업은 빼고 셈",
    "a company's value = mean over its sites; n = companies that have one, those without data are left out",
)
_LEGEND: Final = Text(
    f"비공개 = 값이 있는 기업이 {LEAST}개사 미만. 값이 가려진 구분이 있으면 전체 줄도 두지 않음. "
    "신선도는 기준일시, 나머지는 그 달의 값이며 달은 각 사업장의 생산일로 셈. 기업의 순위나 등급이 아님.",
    f"Hidden = fewer than {LEAST} companies have a value; where anything is hidden there is no total. "
    "Freshness is of when this was made, all else of the month, by each site's own production days. It ranks nobody.",
)
_CONFIDENTIAL: Final = Text(
    "기업별 값은 볼 권한이 있는 사람만 봄. 밖에 낼 때는 기업별 없이 만듦.",
    "Figures of single companies are for those who may see them; make it without them for anybody else.",
)
