"""사후관리 점검표: what is stored is filled in as evidence; what only somebody on the spot can know stays empty."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from viewer.kpi.goal import ACHIEVEMENT, OVERALL
from viewer.kpi.words import CASES, HOURS, NO_UNIT, PERCENT, Text
from viewer.level.of_people import NO_LOG, NOBODY
from viewer.reports.cell import (
    LANGUAGES,
    TO_WRITE,
    Cell,
    Missing,
    Moment,
    achieved_cell,
    figure_cell,
    number,
    said,
    shown,
)
from viewer.reports.episodes import episodes
from viewer.reports.model import Column, Facts, Paragraph, Section, Signatures, Table
from viewer.reports.parts.summary import goal_cells, scored
from viewer.reports.subject import Scope, Subject
from viewer.words import local

_HOUR_NS: Final = 3600 * 10**9
EMPTY_ROWS: Final = 6
"""Lines to write findings into."""
_BOXES: Final = Text("□ 적합  □ 미흡  □ 해당없음", "□ good  □ poor  □ does not apply")

Item = tuple[Text, Cell]
"""What is looked at, and what is stored of it."""


def checklist(subject: Subject) -> Section:
    """01_점검표."""
    areas = (
        (Text("연결", "Connection"), _connection(subject)),
        (Text("데이터", "Data"), _data(subject)),
        (Text("KPI 유지", "Figures kept"), _kept(subject)),
        (Text("활용", "Use"), _use(subject)),
        (Text("장애", "Trouble"), _trouble(subject)),
    )
    filled = [(area, *item) for area, items in areas for item in items]
    by_hand = [(area, what, TO_WRITE) for area, items in _BY_HAND for what in items]
    return Section(
        "01_점검표",
        Text("사후관리 점검", "After-care check"),
        (
            Facts(
                Text("점검 개요", "The check"),
                (
                    (Text("도입기업", "Company"), said(subject.company)),
                    *((name, said(value)) for name, value in subject.project),
                    (Text("점검일", "Day of the check"), TO_WRITE),
                    (Text("점검자 (소속)", "Checked by"), TO_WRITE),
                    (Text("점검 방법", "How"), said(Text("□ 방문  □ 원격", "□ on site  □ remote"))),
                ),
            ),
            Paragraph(_LEGEND),
            _table(
                Text("저장된 근거로 확인", "Against what is stored"),
                filled,
                Text("저장된 근거", "What is stored"),
                _formulas(subject),
            ),
            _table(Text("현장에서 확인", "On the spot"), by_hand, Text("확인 내용 (직접 기입)", "Findings (by hand)")),
        ),
    )


def actions(subject: Subject) -> Section:
    """02_조치사항: nothing of it is stored anywhere, so all of it is written by hand."""
    del subject
    heads = (
        (Text("문제점", "What is wrong"), 2.6),
        (Text("조치 내용", "What is done"), 2.6),
        (Text("담당", "Who"), 1.0),
        (Text("기한", "Until"), 0.9),
        (Text("완료일", "Done on"), 0.9),
    )
    table = Table(
        title=Text("조치 사항", "Actions"),
        columns=(Column(Text("번호", "No."), 0.4, "center"), *(Column(head, width) for head, width in heads)),
        rows=tuple((number(row), *(TO_WRITE for _ in heads)) for row in range(1, EMPTY_ROWS + 1)),
        empty=_LEGEND,
    )
    opinion = Facts(Text("종합 의견", "Overall"), ((Text("의견", "Remarks"), TO_WRITE),))
    roles = (Text("도입기업", "Company"), Text("공급기업", "Supplier"), Text("코디네이터", "Coordinator"))
    return Section(
        "02_조치사항", Text("조치 사항과 확인", "Actions and signatures"), (table, opinion, Signatures(roles))
    )


def _formulas(subject: Subject) -> tuple[Text, ...]:
    """How the figures among the evidence are computed, each with the samples of the period."""
    codes = ("DQ-RATE", "P-MTBF", "P-MTTR", *(one.code for one in subject.goals))
    known = [subject.whole.figures[code] for code in dict.fromkeys(codes) if code in subject.whole.figures]
    of = [(one.definition.name, one.formula, f"{one.evidence.samples:,}") for one in known]
    notes = (
        Text(f"{name.ko}: {formula.ko} (표본 {n})", f"{name.en}: {formula.en} ({n} samples)") for name, formula, n in of
    )
    return (*notes, ACHIEVEMENT, OVERALL) if subject.goals else tuple(notes)


def _table(title: Text, items: Sequence[tuple[Text, Text, Cell]], what: Text, notes: tuple[Text, ...] = ()) -> Table:
    return Table(
        title=title,
        columns=(
            Column(Text("번호", "No."), 0.4, "center"),
            Column(Text("구분", "Area"), 0.8, "center"),
            Column(Text("점검 항목", "What is checked"), 2.2),
            Column(what, 2.6),
            Column(Text("판정", "Verdict"), 1.9, "center"),
            Column(Text("비고", "Remark"), 1.2),
        ),
        rows=tuple(
            (number(row), said(area), said(one), evidence, said(_BOXES), TO_WRITE)
            for row, (area, one, evidence) in enumerate(items, 1)
        ),
        empty=_LEGEND,
        notes=notes,
    )


def _connection(subject: Subject) -> list[Item]:
    machines = {one.machine for one in subject.tags}
    silent = sorted(machines - {one.machine for one in subject.tags if one.readings})
    connected = len(machines) - len(silent)
    last_ns = max((one.last_ns for one in subject.tags if one.last_ns is not None), default=None)
    told = Text(f"태그가 있는 설비 {len(machines)}대 중 {connected}대", f"{connected} of {len(machines)} machines")
    if silent:
        told = Text(
            f"{told.ko} (미수집: {', '.join(one.ko for one in silent)})",
            f"{told.en} (no data: {', '.join(one.en for one in silent)})",
        )
    unknown = _hours(subject.whole, "unknown_ns")
    return [
        (Text("기간에 데이터가 온 설비", "Machines with data"), said(told) if machines else Missing(_NO_TAGS)),
        (Text("마지막 수신", "Last reading"), Missing() if last_ns is None else Moment(last_ns)),
        (Text("조업시간 중 상태를 모르는 시간", "Working time of unknown state"), unknown),
    ]


def _data(subject: Subject) -> list[Item]:
    tags = subject.tags
    rate = subject.whole.figures.get("DQ-RATE")
    heard = sum(one.readings > 0 for one in tags)
    counted = Text(f"{len(tags):,}개 중 {heard:,}개", f"{heard:,} of {len(tags):,}")
    gaps_ns, gaps = sum(one.length_ns for one in subject.gaps), sum(one.count for one in subject.gaps)
    lost = Text(f"{gaps:,}건, 원인별 합 {gaps_ns / _HOUR_NS:,.1f} h", f"{gaps:,}, by cause {gaps_ns / _HOUR_NS:,.1f} h")
    return [
        (Text("수집률", "Collection rate"), Missing() if rate is None else figure_cell(rate)),
        (Text("수집된 태그", "Tags with data"), said(counted) if tags else Missing(_NO_TAGS)),
        (
            Text("불량 품질 표본", "Readings of bad quality"),
            number(sum(one.bad for one in tags), CASES) if heard else Missing(),
        ),
        (Text("기록된 수집 공백", "Known gaps"), said(lost) if heard or gaps else Missing()),
    ]


def _kept(subject: Subject) -> list[Item]:
    total = scored(subject)
    if not total.rows:
        return [(Text("목표 대비 유지", "Goals"), Missing(Text("등록된 목표 없음", "no goal is set")))]
    found: list[Item] = []
    for note, row in enumerate(total.rows, 1):
        *_, baseline, target, actual, _, achieved, _, _ = goal_cells(row, note, None)
        name, unit = row.actual.definition.name, row.actual.unit
        if unit not in {PERCENT, NO_UNIT}:
            name = Text(f"{name.ko} ({unit.ko})", f"{name.en} ({unit.en})")
        if row.actual.value is None:
            found.append((name, actual))
            continue
        ko, en = ([shown(cell, language) for cell in (baseline, target, actual, achieved)] for language in LANGUAGES)
        told = Text(
            "기존 {} → 목표 {} → 실적 {}, 달성률 {}".format(*ko),
            "baseline {} → target {} → actual {}, achievement {}".format(*en),
        )
        found.append((name, said(told, *row.actual.badges)))
    why = Text("달성률이 있는 지표 없음", "no figure has an achievement")
    return [*found, (Text("종합달성도", "Overall achievement"), achieved_cell(total.value, why=why))]


def _use(subject: Subject) -> list[Item]:
    use = subject.use
    if use is None:
        found: Cell = Missing(NO_LOG)
    elif not use.people:
        found = Missing(NOBODY)
    else:
        days = len({local(one).date() for one in use.times_ns})
        found = said(Text(f"{days}일, 담당자 {use.people}명", f"{days} days, {use.people} people"))
    noted = [one for one in episodes(subject.alarms) if one.noted_ns is not None]
    came = sum(one.event == "raised" for one in subject.alarms)
    told = Text(f"{came:,}건 중 {len(noted):,}건", f"{len(noted):,} of {came:,}")
    return [
        (Text("기업 담당자가 화면을 쓴 날", "Days on which the company used it"), found),
        (
            Text("확인된 경보", "Alarms that somebody took note of"),
            said(told) if came else said(_NO_ALARM) if subject.sources else Missing(),
        ),
    ]


def _trouble(subject: Subject) -> list[Item]:
    raised = Counter(one.priority for one in subject.alarms if one.event == "raised")
    alarms = Text(
        f"{raised.total():,}건 (긴급 {raised['urgent']:,}건)", f"{raised.total():,} ({raised['urgent']:,} urgent)"
    )
    stopped_ns = sum(one.length_ns for one in subject.stops)
    bare_ns = sum(one.length_ns for one in subject.stops if not one.reason)
    bare = number(bare_ns / stopped_ns * 100 if stopped_ns else None, "%", why=_NO_STOP)
    longest = max(subject.gaps, key=lambda one: one.length_ns, default=None)
    figures = subject.whole.figures
    return [
        (Text("경보 발생", "Alarms raised"), said(alarms) if subject.sources else Missing()),
        *(
            (figures[code].definition.name, figure_cell(figures[code]))
            for code in ("P-MTBF", "P-MTTR")
            if code in figures
        ),
        (Text("사유가 없는 비가동", "Downtime without a reason"), bare),
        (
            Text("가장 긴 수집 공백의 원인", "Cause of the longest gaps"),
            said(longest.cause) if longest else said(_NO_GAP) if subject.sources else Missing(),
        ),
    ]


def _hours(scope: Scope, name: str) -> Cell:
    return number(None if scope.times is None else getattr(scope.times, name) / _HOUR_NS, HOURS, 1, why=_NO_STATES)


_BY_HAND: Final = (
    (Text("연결", "Connection"), (
        Text("함체·배선·전원·접지 상태", "Cabinet, wiring, power, earth"),
        Text("추가·철거·교체된 설비", "Machines added, removed, replaced"),
    )),
    (Text("데이터", "Data"), (
        Text("화면 값과 현장 계기 값의 일치", "Values on screen against gauges"),
        Text("백업과 복구 시험", "Backup, and a trial of restoring it"),
    )),
    (Text("활용", "Use"), (
        Text("담당자 지정과 교육", "Person in charge, training"),
        Text("생산회의·일보에서의 사용", "Used in meetings and daily reports"),
    )),
    (Text("장애", "Trouble"), (
        Text("공급기업의 유지보수 대응", "How the supplier responded"),
        Text("보안: 계정·암호·업데이트", "Security: users, passwords, updates"),
    )),
)  # fmt: skip
_LEGEND: Final = Text(
    "근거는 기간에 저장된 데이터에서만 채움. 저장된 것이 없으면 미수집이며 추정하지 않음. "
    "판정·비고·현장 확인·조치는 점검자가 직접 적음. 사후관리 점검은 연 1회 이상.",
    "Evidence is of what was stored in the period alone; where nothing was, it says so and nothing is estimated. "
    "Verdicts, remarks and actions are written by hand. A check is due at least once a year.",
)
_NO_TAGS: Final = Text("설정된 태그 없음", "no tag is configured")
_NO_STATES: Final = Text("상태를 알리는 설비 없음", "no machine tells states")
_NO_ALARM: Final = Text("발생한 경보 없음", "no alarm came")
_NO_GAP: Final = Text("기록된 공백 없음", "no gap is on record")
_NO_STOP: Final = Text("기록된 비가동 없음", "no downtime is on record")
