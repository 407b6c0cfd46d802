"""From points in a store to what a report is about: the figures that everybody else gets, of both kinds of store."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date

import pytest

from tests.viewer.conftest import Write
from tests.viewer.query.shift import COMPANY, DAY, MINUTE, SHIFT, SITE, T0, lines, tags
from viewer.book.facts import Facts
from viewer.catalog import Catalog
from viewer.kpi.catalog import CATALOG
from viewer.kpi.period import by_day
from viewer.kpi.words import Text
from viewer.query.alarm_list import alarm_list, within
from viewer.query.collected import Pieces, collected
from viewer.query.figures import figures_of
from viewer.query.missing import by_cause, holes, silences
from viewer.query.unit import Unit
from viewer.reports.gather.company import subject_of
from viewer.reports.gather.sources import sources_of
from viewer.reports.gather.tags import causes, gaps_in
from viewer.reports.goals_file import GoalsFile
from viewer.reports.model import Table
from viewer.reports.parts.energy import energy
from viewer.reports.parts.production import effectiveness
from viewer.reports.subject import Subject
from viewer.stores.base import Store

pytestmark = pytest.mark.wire

A = Catalog.of([SITE]).sites[COMPANY, "A"]
WEEK = (DAY[0] - 3 * (DAY[1] - DAY[0]), DAY[1])
OVER, LOW = (f"alarm,{tags('PRS-01')},alarm={name}" for name in ("over_t", "low_p"))
ALARMS = [
    f'{OVER} event="raised",priority="urgent",message="베어링 과열",value=81.5,cause="condition" {T0 + 1}',
    f'{LOW} event="raised",priority="caution",message="압력 저하",value=0.2 {T0 + 1}',
    f'{OVER} event="acknowledged",priority="urgent",message="베어링 과열",comment="확인" {T0 + MINUTE}',
]
GAP = f"gap,{tags('PRS-01')},tag=state,cause=link_down end={T0 + 30 * MINUTE}i,filled=false {T0 + 20 * MINUTE}"


@pytest.fixture
def filled(store: tuple[Store, Write]) -> Store:
    reader, write = store
    write("\n".join([*lines(), *ALARMS, GAP]).encode())
    return reader


def asked(store: Store, period: tuple[int, int] = DAY) -> Subject:
    return subject_of(store, A, period, DAY[1] + MINUTE, source="DuckDB")


def test_figures_are_those_of_everybody_else(filled: Store) -> None:
    subject = asked(filled)
    codes = list(CATALOG)
    assert list(subject.whole.figures.values()) == figures_of(filled, A, Unit(), codes, DAY)
    for one, name in zip(subject.machines, A.machines, strict=True):
        assert list(one.figures.values()) == figures_of(filled, A, Unit(machine=name), codes, DAY)
    assert [one.has for one in subject.machines] == [{"state", "count", "energy"}, {"state", "count"}, set()]


def test_what_the_cover_says_of_a_project(filled: Store) -> None:
    """A site by its label, facts of the company, and before these what the file of goals says."""
    site = replace(A, label={"ko": "경산공장"})
    facts, goals = Facts(A.company, project="1", supplier="시범시스템"), GoalsFile(project={"과제번호": "2"})
    subject = subject_of(filled, site, DAY, DAY[1] + MINUTE, source="DuckDB", goals=goals, facts=facts)
    assert [(name.ko, text) for name, text in subject.project] == [
        ("사업장", Text("경산공장", "A")), ("공급기업", "시범시스템"), ("과제번호", "2"),
    ]  # fmt: skip


def test_a_day_of_a_longer_period_is_that_day(filled: Store) -> None:
    days = asked(filled, WEEK).whole.days
    spans = [span for _, span in by_day(A.calendar, WEEK)]
    assert [day for day, _ in days] == [day for day, _ in by_day(A.calendar, WEEK)]
    codes = [code for code in CATALOG if code != "DQ-RATE"]  # in hours in the week, in minutes in the day
    for (_, figures), span in zip(days, spans, strict=True):
        own = figures_of(filled, A, Unit(), codes, span)
        assert [(code, figures[code].value) for code in codes] == [(one.code, one.value) for one in own]


def test_stops_are_those_of_the_states(filled: Store) -> None:
    subject = asked(filled)
    for scope in subject.machines[:2]:
        assert scope.stood is not None
        listed = [one for one in subject.stops if one.machine == scope.name]
        assert sum(one.length_ns for one in listed) == scope.stood.stopped_ns
    longest = max((one for one in subject.stops if one.machine.ko == "프레스 1호기"), key=lambda one: one.length_ns)
    assert (longest.length_ns, longest.reason) == (25 * MINUTE, "")
    assert {one.reason for one in subject.stops} == {"", "금형 파손"}


def test_alarms_with_their_names_and_words(filled: Store) -> None:
    found = asked(filled).alarms
    assert [(one.name, one.event, one.message, one.value) for one in found] == [
        ("low_p", "raised", "압력 저하", 0.2),
        ("over_t", "raised", "베어링 과열", 81.5),
        ("over_t", "acknowledged", "베어링 과열", None),
    ]
    assert (found[1].priority, found[2].comment) == ("urgent", "확인")


def test_alarms_of_devices_came_in_the_report_too(store: tuple[Store, Write]) -> None:
    """Active since before the day and told again in it, over, and active anew: once in the day, as on the page."""
    reader, write = store
    alarm = f"alarm,{tags('PRS-01')},alarm=Spindle.Hot"
    for at, said in (
        (T0 - MINUTE, "active=true,acknowledged=false"),
        (T0 + MINUTE, "active=true,acknowledged=false"),
        (T0 + 2 * MINUTE, "active=false,acknowledged=false"),
        (T0 + 3 * MINUTE, "active=true,acknowledged=false"),
        (T0 + 4 * MINUTE, "active=true,acknowledged=true"),
    ):
        write(f'{alarm} {said},severity=700i,event="LimitAlarm",message="hot" {at}'.encode())
    found = asked(reader).alarms
    assert [(one.event, one.priority) for one in found] == [
        ("LimitAlarm", "important"),
        ("cleared", "important"),
        ("raised", "important"),
        ("acknowledged", "important"),
    ]
    on_page = within(alarm_list(reader, A, (DAY[0] - 86_400 * 10**9, DAY[1])).occurrences, DAY)
    assert [one.raised_ns for one in on_page] == [one.time_ns for one in found if one.event == "raised"]


def test_tags_with_their_readings(filled: Store) -> None:
    """PRS-01 told its state each 10 s for four of eight hours: 1,440 of 2,880 readings."""
    subject = subject_of(filled, A, SHIFT, DAY[1], source="DuckDB")
    state = next(one for one in subject.tags if one.tag == "state")
    assert (state.readings, state.bad, state.gaps) == (1440, 0, 1)
    assert state.rate.value == pytest.approx(50.0)
    assert state.last_ns == T0 + (240 * 60 - 10) * 10**9
    assert [(one.cause, one.count, one.length_ns) for one in subject.gaps] == [("link_down", 1, 10 * MINUTE)]


def test_gaps_are_those_that_the_page_of_quality_shows(store: tuple[Store, Write]) -> None:
    """Two tags were lost together, from two hours before the period until one hour into it: one hour, not four."""
    reader, write = store
    for tag in ("state", "shots"):
        end = f"end={T0 + 60 * MINUTE}i,filled=false"
        write(f"gap,{tags('PRS-01')},tag={tag},cause=link_down {end} {T0 - 120 * MINUTE}".encode())
    gaps = causes(gaps_in(reader, COMPANY, "A", DAY), DAY)
    assert [(one.cause, one.count, one.length_ns) for one in gaps] == [("link_down", 2, 60 * MINUTE)]
    page = by_cause(holes(reader, A, list(A.machines.values()), DAY), DAY)
    assert [(one.cause, one.length_ns) for one in page] == [(one.cause, one.length_ns) for one in gaps]


def test_silence_is_that_of_the_page_of_quality(filled: Store) -> None:
    """State of PRS-01 came for four of the 24 hours; what is behind its shift has no gap that says why."""
    machines = list(A.machines.values())
    known = [one for one in holes(filled, A, machines, DAY) if not one.filled]
    page = [
        (machine.name, *hole.inside(DAY))
        for machine in machines
        if machine.tags
        for hole in silences(
            machine.name, collected(Pieces(filled, (A.company, A.name), DAY), machine), known, DAY, DAY[1] + MINUTE
        )
    ]
    found = asked(filled).silences
    names = {"프레스 1호기": "PRS-01"}
    assert sorted((names.get(one.machine.ko, one.machine.ko), *one.span) for one in found) == sorted(page)
    assert ("MTR-01", T0 + 480 * MINUTE, DAY[1]) in page
    assert [one.span[1] - one.span[0] for one in found] == sorted((high - low for _, low, high in page), reverse=True)


def test_every_factor_that_was_used_is_listed(store: tuple[Store, Write]) -> None:
    """The production day of 2022-12-31 ends at 08:00 on 2023-01-01, from which day on another factor holds."""
    reader, _ = store
    found = subject_of(reader, A, A.calendar.day_span(date(2022, 12, 31)), DAY[1], source="DuckDB").factors
    assert [one.value for one in found] == [0.4541, 0.4173]


def test_a_table_says_what_its_rows_are(filled: Store) -> None:
    """The meter of PRS-01 measures its whole line: who adds its row to another counts that twice."""
    notes = [note.ko for section in (energy(asked(filled)), effectiveness(asked(filled)))
             for one in section.blocks[:1] if isinstance(one, Table) for note in one.notes]  # fmt: skip
    assert "프레스 1호기: 전력량계가 라인 전체를 계량함" in notes
    assert "전체: 설비 2대의 시간과 수량을 더한 값" in notes


def test_the_hash_is_over_hours_and_the_same_of_both_stores(filled: Store) -> None:
    """duration_s is 30, 31, 32, 30 … for 35 cycles, one each ten minutes: six an hour, five in the last."""
    sources = {(one.place, one.field): one for one in sources_of(filled, COMPANY, "A", SHIFT)}
    one = sources[f"{COMPANY}/A/L1/PRS-01/cycle", "duration_s"]
    hours = [f"{T0 + hour * 60 * MINUTE} {6 if hour < 5 else 5} 30.0 32.0\n" for hour in range(6)]
    assert one.digest == hashlib.sha256("".join(hours).encode()).hexdigest()
    assert (one.count, one.low, one.high, one.last_hour_ns) == (35, 30.0, 32.0, T0 + 300 * MINUTE)
    word = sources[f"{COMPANY}/A/L1/PRS-01/alarm", "message"]
    assert (word.count, word.low) == (3, None)
    assert not any(place.endswith(("/agent", "/gap")) for place, _ in sources)
    subject = asked(filled)
    assert subject.digest == asked(filled).digest
    assert sum(one.count for one in subject.sources) == sum(one.count for one in sources.values())


def test_a_point_more_is_another_hash(store: tuple[Store, Write]) -> None:
    reader, write = store
    write("\n".join(lines()).encode())
    before = asked(reader).digest
    write(f"cycle,{tags('PRS-01')} duration_s=31 {T0 + 11}".encode())
    assert asked(reader).digest != before


def test_an_empty_store_is_a_report_without_numbers(store: tuple[Store, Write]) -> None:
    subject = asked(store[0])
    assert subject.digest == ""
    assert [code for code, one in subject.whole.figures.items() if one.value is not None] == ["DQ-RATE"]
    assert subject.whole.figures["DQ-RATE"].value == 0.0


def test_a_control_point_is_measured_only_while_it_means_something(store: tuple[Store, Write]) -> None:
    """Heated from just behind minute 60 to 120; the reading of minute 60, 94.5 ℃, holds still. Cold does not count."""
    reader, write = store
    site = {
        **SITE,
        "connections": [
            {
                "name": "one",
                "period_s": 60,
                "tags": [
                    {"name": "hot", "machine": "PRS-01", "engineering_unit": "℃"},
                    {"name": "holding", "machine": "PRS-01", "mode": "subscribe", "label": {"ko": "가열 유지"}},
                    {"name": "late", "machine": "PRS-01"},
                ],
            }
        ],
        "alarms": [
            {"name": "a", "machine": "PRS-01", "tag": "hot", "below": 95, "only_while": "holding", "ccp": True},
            {"name": "b", "machine": "PRS-01", "tag": "late", "equals": True, "ccp": True},
            {"name": "c", "machine": "PRS-01", "tag": "hot", "above": 99},
        ],
    }
    place = f"press,{tags('PRS-01')}"
    body = [f"{place} holding=false {T0}", f"{place} holding=true {T0 + 60 * MINUTE + 5}", f"{place} late=false {T0}"]
    body.append(f"{place} holding=false {T0 + 120 * MINUTE}")
    for minute in range(180):
        hot = 94.5 if minute == 60 else 96 + (minute % 2) if 60 < minute < 120 else 20
        body.append(f"{place} hot={float(hot)} {T0 + minute * MINUTE}")
    write("\n".join(body).encode())
    of = Catalog.of([site]).sites[COMPANY, "A"]
    found = subject_of(reader, of, WEEK, DAY[1], source="DuckDB").measured
    assert [(one.day, one.count, one.low, one.mean, one.high) for one in found] == [
        (date(2026, 9, 7), 60, 94.5, pytest.approx(96.475), 97.0)
    ]
    assert (found[0].what.ko, found[0].unit, found[0].only_while) == ("hot", "℃", Text("가열 유지", "holding"))
    assert [one.limit for one in subject_of(reader, of, DAY, DAY[1], source="DuckDB").guards] == [
        "hot < 95",
        "late = true",
    ]
