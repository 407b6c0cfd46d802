"""08_데이터품질, 09_원천요약, 10_변경이력: how well was collected, of what the figures are made, who changed what."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from viewer.kpi.words import Text
from viewer.reports.cell import NOTHING, Cell, Day, Missing, Moment, figure_cell, number, said
from viewer.reports.model import Block, Column, Facts, Paragraph, Section, Table
from viewer.reports.subject import Change, Silence, Source, Subject, TagFacts

_HOUR_NS: Final = 3600 * 10**9
_LONG: Final = 1e7
_NO_TAGS: Final = Text("기간 내 수집된 태그 없음", "no tag was collected in the period")
SILENT: Final = Text("무수신 구간", "Nothing received")
LONGEST: Final = 30
"""Stretches without data that are listed, the longest first."""
_LASTS: Final = Text("지금까지", "until now")
_SILENT_NOTE: Final = Text(
    "공백 기록 없이 설비의 어떤 태그도 오지 않은 구간. 이틀이 넘는 기간은 1시간, 그 밖은 1분 단위로 보며 "
    "두 단위 이상 이어진 것만 셈",
    "stretches in which no tag of a machine came and no gap is on record, by hours in a period of more than two days, "
    "else by minutes; two or more of them on end",
)
_ON_CHANGE: Final = Text("변화 시", "on change")
_HOW: Final = Text(
    "시계열마다 기간 시작부터 1시간씩 「시각 건수 최소 최대」 줄을 이어 SHA-256을 구하고, "
    "그 값들을 경로 순서로 이어 다시 구함. 같은 저장소에 agent report를 다시 실행하면 같은 값이 나옴.",
    "For each series the lines `hour count low high` of its hours, counted from the beginning, are put together and "
    "hashed with SHA-256; those hashes, in order of their paths, are hashed again. "
    "The same store gives the same hash when it is asked again.",
)


def quality(subject: Subject) -> Section:
    """08_데이터품질."""
    blocks = (overall(subject), tags(subject), gaps(subject), silences(subject))
    return Section("08_데이터품질", Text("데이터 품질", "Data quality"), blocks)


def overall(subject: Subject) -> Facts:
    """The company's collection rate and how much stands behind it."""
    rate = subject.whole.figures.get("DQ-RATE")
    return Facts(
        Text("수집 현황", "Collection"),
        (
            (Text("수집률", "Collection rate"), Missing() if rate is None else figure_cell(rate)),
            (Text("태그 수", "Tags"), number(len(subject.tags))),
            (Text("수집된 태그", "Tags with data"), number(sum(one.readings > 0 for one in subject.tags))),
            (Text("정상 표본", "Usable readings"), number(sum(one.readings for one in subject.tags))),
            (Text("불량 품질 표본", "Readings of bad quality"), number(sum(one.bad for one in subject.tags))),
            (Text("수집 공백", "Known gaps"), number(sum(one.count for one in subject.gaps))),
            (SILENT, number(len(subject.silences))),
        ),
    )


def tags(subject: Subject) -> Table:
    """The tags with their addresses, periods and collection rates."""
    return Table(
        title=Text("태그별 수집 현황", "Collection by tag"),
        columns=(
            Column(Text("설비", "Machine"), 1.3),
            Column(Text("태그", "Tag"), 1.3),
            Column(Text("항목", "What"), 1.5),
            Column(Text("주소", "Address"), 1.9),
            Column(Text("단위", "Unit"), 0.7, "center"),
            Column(Text("주기(s)", "Period (s)"), 0.8, "right"),
            Column(Text("표본수", "Readings"), 1.0, "right"),
            Column(Text("불량", "Bad"), 0.7, "right"),
            Column(Text("공백", "Gaps"), 0.6, "right"),
            Column(Text("정상률", "Collected"), 1.1, "right"),
            Column(Text("최근 수신", "Last"), 1.5, "center"),
        ),
        rows=tuple(_tag(one) for one in subject.tags),
        empty=_NO_TAGS,
    )


def _tag(one: TagFacts) -> tuple[Cell, ...]:
    return (
        said(one.machine),
        said(one.tag),
        said(one.label),
        said(one.address) if one.address else NOTHING,
        said(one.unit) if one.unit else NOTHING,
        said(_ON_CHANGE) if one.period_s is None else number(one.period_s, decimals=1),
        number(one.readings),
        number(one.bad),
        number(one.gaps),
        figure_cell(one.rate),
        Missing() if one.last_ns is None else Moment(one.last_ns),
    )


def gaps(subject: Subject) -> Table:
    """Known gaps by their cause."""
    return Table(
        title=Text("수집 공백", "Known gaps"),
        columns=(
            Column(Text("원인", "Cause"), 2.0),
            Column(Text("건수", "Count"), 1.0, "right"),
            Column(Text("시간(h)", "Time (h)"), 1.0, "right"),
            Column(Text("사후 보충", "Filled later"), 1.0, "right"),
        ),
        rows=tuple(
            (said(one.cause), number(one.count), number(one.length_ns / _HOUR_NS, decimals=2), number(one.filled))
            for one in subject.gaps
        ),
        empty=Text("기간 내 기록된 공백 없음", "no gap is on record in the period"),
    )


def silences(subject: Subject) -> Table:
    """Where nothing came and no gap says why."""
    shown = subject.silences[:LONGEST]
    rest = subject.silences[LONGEST:]
    notes = [_SILENT_NOTE]
    if rest:
        hours = sum(_length_ns(one) for one in rest) / _HOUR_NS
        notes.append(
            Text(
                f"긴 순서로 {LONGEST}건만 적음: 그 밖의 {len(rest):,}건은 모두 {hours:,.2f} h",
                f"the {LONGEST} longest are listed: {len(rest):,} more are {hours:,.2f} h together",
            )
        )
    return Table(
        title=SILENT,
        columns=(
            Column(Text("설비", "Machine"), 2.0),
            Column(Text("시작", "Begin"), 1.5, "center"),
            Column(Text("끝", "End"), 1.5, "center"),
            Column(Text("시간(h)", "Time (h)"), 1.0, "right"),
        ),
        rows=tuple(
            (
                said(one.machine),
                Moment(one.span[0]),
                said(_LASTS) if one.lasts else Moment(one.span[1]),
                number(_length_ns(one) / _HOUR_NS, decimals=2),
            )
            for one in shown
        ),
        empty=Text("기간 내 무수신 구간 없음", "no stretch without data in the period"),
        notes=tuple(notes) if shown else (),
    )


def _length_ns(one: Silence) -> int:
    return one.span[1] - one.span[0]


def sources(subject: Subject) -> Section:
    """09_원천요약."""
    blocks: tuple[Block, ...] = (
        Facts(
            Text("원천 데이터 해시", "Hash of the source data"),
            (
                (Text("SHA-256", "SHA-256"), said(subject.digest) if subject.digest else Missing()),
                (Text("시계열 수", "Series"), number(len(subject.sources))),
                (Text("표본수", "Points"), number(sum(one.count for one in subject.sources))),
                *((Text(f"쿼리 {n}", f"Query {n}"), said(query)) for n, query in enumerate(subject.queries, 1)),
            ),
        ),
        Paragraph(_HOW),
        Table(
            title=Text("시계열별 요약", "By series"),
            columns=(
                Column(Text("경로", "Path"), 3.2),
                Column(Text("필드", "Field"), 1.5),
                Column(Text("표본수", "Points"), 1.0, "right"),
                Column(Text("첫 시간", "First hour"), 1.5, "center"),
                Column(Text("끝 시간", "Last hour"), 1.5, "center"),
                Column(Text("최소", "Low"), 1.1, "right"),
                Column(Text("최대", "High"), 1.1, "right"),
                Column(Text("SHA-256 (앞 12자)", "SHA-256 (first 12)"), 1.6, "center"),
            ),
            rows=tuple(_source(one) for one in subject.sources),
            empty=_NO_TAGS,
        ),
    )
    return Section("09_원천요약", Text("원천 데이터 요약", "Source data"), blocks)


def _source(one: Source) -> tuple[Cell, ...]:
    return (
        said(one.place),
        said(one.field),
        number(one.count),
        Moment(one.first_hour_ns),
        Moment(one.last_hour_ns),
        _end(one.low),
        _end(one.high),
        said(one.digest[:12]),
    )


def _end(value: float | None) -> Cell:
    """Smallest or greatest value of a series; one that is too long to read, such as a time in ns, by its size."""
    if value is None:
        return NOTHING
    return number(value, decimals=2) if abs(value) < _LONG else said(f"{value:.5g}")


def history(subject: Subject) -> Section:
    """10_변경이력."""
    table = Table(
        title=Text("기준값·목표·가중치 변경 이력", "Changes of baselines, targets and weights"),
        columns=(
            Column(Text("일자", "Date"), 1.1, "center"),
            Column(Text("대상", "What"), 1.8),
            Column(Text("버전", "Version"), 0.6, "right"),
            Column(Text("내용", "Change"), 3.2),
            Column(Text("승인·변경자", "By"), 1.2, "center"),
        ),
        rows=tuple(
            (
                _when(one),
                said(one.what),
                NOTHING if one.version is None else number(one.version),
                said(one.detail),
                said(one.by) if one.by else NOTHING,
            )
            for one in subject.changes
        ),
        empty=Text("기록된 변경 없음", "no change is on record"),
    )
    return Section("10_변경이력", Text("변경 이력", "Changes"), (table,))


def _when(one: Change) -> Cell:
    match one.when:
        case None:
            return said(Text("승인 전", "draft"))
        case datetime():
            return Moment(round(one.when.timestamp()) * 10**9)
        case _:
            return Day(one.when)
