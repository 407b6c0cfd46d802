"""03_OEE, 04_비가동, 05_불량: by machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from viewer.catalog import STATES
from viewer.figure_text import rounded
from viewer.kpi.catalog import CATALOG
from viewer.kpi.words import HOURS, PERCENT, Text
from viewer.query.downtime import Stop as Standing
from viewer.reports.cell import LANGUAGES, NOTHING, Cell, Missing, Moment, Number, figure_cell, number, said
from viewer.reports.model import Bars, Block, Column, Section, Table
from viewer.reports.parts.detail import courses
from viewer.reports.parts.summary import rate_cell, remarks
from viewer.reports.subject import Scope, Stop, Subject
from viewer.words import Words as SpokenWords

_K = TypeVar("_K", int, str)
_HOUR_NS: Final = 3600 * 10**9
_MINUTE_NS: Final = 60 * 10**9
_FACTORS: Final = {
    "iso22400": ("P-OEE.A", "P-OEE.E", "P-OEE.Q", "P-OEE"),
    "tpm_kr": ("P-OEE.TA", "P-OEE.TP", "P-OEE.Q", "P-OEE"),
}
_SAID: Final = [SpokenWords(language) for language in LANGUAGES]
STATE_NAMES: Final = tuple(Text(*(one.state(code) for one in _SAID)) for code in range(len(STATES)))
"""As on the pages."""
LONGEST: Final = 30
"""Stops that are listed, longest first."""
NO_MACHINE: Final = Text("상태를 알리는 설비 없음", "no machine tells its states")
_MACHINE: Final = Column(Text("설비", "Machine"), 2.0)
_RATE: Final = Column(Text("수집률", "Collection"), 1.2, "right")


def effectiveness(subject: Subject) -> Section:
    """03_OEE."""
    codes = _FACTORS[subject.profile]
    columns = (
        _MACHINE,
        Column(Text("부하시간(h)", "Busy (h)"), 1.2, "right"),
        Column(Text("가동시간(h)", "Running (h)"), 1.2, "right"),
        *(Column(CATALOG[code].name, 1.3, "right") for code in codes),
        Column(Text("MTBF(h)", "MTBF (h)"), 1.1, "right"),
        Column(Text("MTTR(min)", "MTTR (min)"), 1.1, "right"),
        Column(Text("미수집시간(h)", "Unknown (h)"), 1.2, "right"),
        _RATE,
    )
    machines = [one for one in subject.machines if "state" in one.has]
    of = (*machines, *([subject.whole] if machines else []))
    rows = tuple(_effective(one, codes, subject.profile) for one in of)
    notes = tuple(
        Text(
            f"{CATALOG[code].name.ko}: {CATALOG[code].formula.ko}",
            f"{CATALOG[code].name.en}: {CATALOG[code].formula.en}",
        )
        for code in (*codes, "P-MTBF", "P-MTTR")
    )
    bars = Bars(Text("설비별 설비종합효율", "OEE by machine"), PERCENT, tuple(_bar(one, "P-OEE") for one in machines))
    blocks: tuple[Block, ...] = (
        Table(
            title=Text("설비별 설비종합효율", "OEE by machine"),
            columns=columns,
            rows=rows,
            empty=NO_MACHINE,
            notes=(*notes, *remarks(of, "P-OEE")),
        ),
        *((bars,) if machines else ()),
        *courses(subject.whole, codes[::-1], picture=False),
    )
    return Section("03_OEE", Text("설비종합효율 (OEE)", "Overall equipment effectiveness"), blocks)


def _effective(one: Scope, codes: Iterable[str], profile: str) -> tuple[Cell, ...]:
    """Time running is what the profile divides by: 가동시간 of TPM has minor stops in it."""
    times = one.times
    hours: tuple[int | None, ...] = (None, None, None)
    if times is not None:
        running_ns = times.run_ns if profile == "iso22400" else times.operating_ns
        hours = (times.busy_ns, running_ns, times.unknown_ns)
    busy, run, unknown = (number(None if ns is None else ns / _HOUR_NS, decimals=2) for ns in hours)
    whole = one.figures.get("P-OEE")
    return (
        said(one.name),
        busy,
        run,
        *(_figure(one, code) for code in codes),
        _figure(one, "P-MTBF"),
        _figure(one, "P-MTTR"),
        unknown,
        rate_cell(whole) if whole else NOTHING,
    )


def _figure(one: Scope, code: str) -> Cell:
    found = one.figures.get(code)
    return Missing() if found is None else figure_cell(found, unit=False)


def _bar(one: Scope, code: str) -> tuple[Text, Number | None]:
    cell = _figure(one, code)
    return one.name, cell if isinstance(cell, Number) else None


def downtime(subject: Subject) -> Section:
    """04_비가동: by state (Pareto), by reason, then the longest stops; how many bear a reason is part of it."""
    stops = [one for machine in subject.machines if machine.stood for one in machine.stood.stops]
    by_state = _summed(stops, lambda one: one.code)
    bars = tuple((STATE_NAMES[code], _hours(group)) for code, group in by_state)
    blocks: list[Block] = [_states(by_state)]
    if bars:
        blocks.append(Bars(Text("비가동 시간", "Downtime"), HOURS, bars))
    blocks += [_reasons(stops), _longest(subject.stops)]
    return Section("04_비가동", Text("비가동", "Downtime"), tuple(blocks))


def _summed(stops: Sequence[Standing], key: Callable[[Standing], _K]) -> list[tuple[_K, list[Standing]]]:
    """Stops that have something in common, the longest of these first."""
    groups: dict[_K, list[Standing]] = {}
    for one in stops:
        groups.setdefault(key(one), []).append(one)
    return sorted(groups.items(), key=lambda item: (-_length(item[1]), str(item[0])))


def _states(by_state: Sequence[tuple[int, Sequence[Standing]]]) -> Table:
    total_ns = sum(_length(group) for _, group in by_state)
    return Table(
        title=Text("비가동 구분별 시간 (Pareto)", "Downtime by kind (Pareto)"),
        columns=(
            Column(Text("구분", "Kind"), 1.6),
            Column(Text("시간(h)", "Time (h)"), 1.2, "right"),
            Column(Text("비율", "Share"), 1.0, "right"),
            Column(Text("건수", "Stops"), 1.0, "right"),
            Column(Text("사유 없는 시간", "Without a reason"), 1.2, "right"),
        ),
        rows=tuple(
            (
                said(STATE_NAMES[code]),
                _hours(group),
                number(_length(group) / total_ns * 100, PERCENT),
                number(sum(one.count for one in group)),
                number(_length([one for one in group if not one.reason]) / _length(group) * 100, PERCENT),
            )
            for code, group in by_state
        ),
        empty=_NO_STOP,
        notes=(_OF_STATES,),
    )


def _hours(group: Sequence[Standing]) -> Number:
    hours = _length(group) / _HOUR_NS
    return Number(rounded(hours, 2), 2)


def _length(group: Sequence[Standing]) -> int:
    return sum(one.length_ns for one in group)


def _reasons(stops: Sequence[Standing]) -> Table:
    return Table(
        title=Text("사유별 비가동", "Downtime by reason"),
        columns=(
            Column(Text("사유", "Reason"), 3.0),
            Column(Text("시간(h)", "Time (h)"), 1.0, "right"),
            Column(Text("건수", "Stops"), 1.0, "right"),
        ),
        rows=tuple(
            (said(reason or _NO_REASON), _hours(group), number(sum(one.count for one in group)))
            for reason, group in _summed(stops, lambda one: one.reason)
        ),
        empty=_NO_STOP,
    )


def _longest(stops: tuple[Stop, ...]) -> Table:
    chosen = sorted(stops, key=lambda one: (-one.length_ns, one.span))[:LONGEST]
    more = len(stops) - len(chosen)
    return Table(
        title=Text("긴 비가동 순", "Longest stops"),
        columns=(
            _MACHINE,
            Column(Text("구분", "Kind"), 1.1, "center"),
            Column(Text("시작", "From"), 1.7, "center"),
            Column(Text("종료", "To"), 1.7, "center"),
            Column(Text("조업시간 중(min)", "Working time (min)"), 1.1, "right"),
            Column(Text("사유", "Reason"), 2.0),
        ),
        rows=tuple(
            (
                said(one.machine),
                said(STATE_NAMES[one.code]),
                Moment(one.span[0]),
                Moment(one.span[1]),
                number(one.length_ns / _MINUTE_NS, decimals=1),
                said(one.reason or _NO_REASON),
            )
            for one in chosen
        ),
        empty=_NO_STOP,
        notes=(Text(f"이 밖에 {more:,}건 더 있음", f"{more:,} more are not listed"),) if more else (),
    )


def defects(subject: Subject) -> Section:
    """05_불량."""
    machines = [one for one in subject.machines if "count" in one.has]
    rows = tuple(_defective(one) for one in (*machines, *([subject.whole] if machines else [])))
    table = Table(
        title=Text("설비별 불량", "Defects by machine"),
        columns=(
            _MACHINE,
            Column(Text("생산수량(EA)", "Pieces"), 1.3, "right"),
            Column(Text("양품수량(EA)", "Good"), 1.3, "right"),
            Column(Text("불량수량(EA)", "Defects"), 1.3, "right"),
            Column(CATALOG["Q-PDR"].name, 1.3, "right"),
            Column(Text("불량률(ppm)", "Defect rate (ppm)"), 1.3, "right"),
            _RATE,
        ),
        rows=rows,
        empty=_NO_COUNTER,
        notes=(CATALOG["Q-PDR"].formula, CATALOG["Q-PDR.ppm"].formula),
    )
    return Section("05_불량", Text("불량", "Defects"), (table, *courses(subject.whole, ("Q-PDR", "Q-FDR", "Q-CLM"))))


def _defective(one: Scope) -> tuple[Cell, ...]:
    total, bad = one.pieces
    rate = one.figures.get("Q-PDR")
    return (
        said(one.name),
        number(total),
        number(None if total is None or bad is None else total - bad),
        number(bad),
        _figure(one, "Q-PDR"),
        _figure(one, "Q-PDR.ppm"),
        rate_cell(rate) if rate else NOTHING,
    )


_NO_COUNTER: Final = Text("생산을 세는 설비 없음", "no machine counts its pieces")
_NO_STOP: Final = Text("기간 내 기록된 비가동 없음", "no stop is on record in the period")
_NO_REASON: Final = Text("사유 미입력", "no reason entered")
_OF_STATES: Final = Text(
    "조업시간 안의 대기·준비교체·고장·전원차단·순간정지; 통신두절(미수집시간)은 비가동이 아니라 따로 표시",
    "idle, setup, failure, off and minor stops within working time; unknown time is no downtime and is told apart",
)
