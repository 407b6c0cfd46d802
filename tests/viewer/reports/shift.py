"""The shift of domain.md §10 as a company with two machines: one that was read, one of which nothing came."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final

import numpy as np

from pipelines.derive.energy.factors import load
from pipelines.derive.signals import DOWN, MINOR, PLANNED, RUN, SETUP
from viewer.battery.record import BatteryTest
from viewer.kpi.catalog import CATALOG
from viewer.kpi.energy import Used
from viewer.kpi.figure import figure
from viewer.kpi.goal import Goal
from viewer.kpi.inputs import Counts, Inputs
from viewer.kpi.oee import Profile
from viewer.kpi.result import Evidence, Result
from viewer.kpi.spans import Spans
from viewer.kpi.words import Text
from viewer.query.downtime import stood
from viewer.query.states import StateRun
from viewer.reports.records import ChainFacts, Exposure, Guard
from viewer.reports.subject import AlarmEvent, Change, GapCause, Scope, Silence, Source, Stop, Subject, TagFacts

MINUTE: Final = 60 * 10**9
HOUR: Final = 60 * MINUTE
T0: Final = round(datetime(2026, 9, 6, 23, tzinfo=UTC).timestamp()) * 10**9
"""Monday 2026-09-07, 08:00 in Korea."""
SHIFT: Final = (T0, T0 + 480 * MINUTE)
_MINUTES: Final = ((RUN, 200), (DOWN, 30), (SETUP, 25), (PLANNED, 40), (RUN, 100), (MINOR, 15), (RUN, 70))
PRESS: Final = Text("프레스 1호 & <시험>", "Press 1")
SILENT: Final = Text("프레스 2호", "Press 2")


def _spans() -> list[tuple[int, int, int]]:
    found, at = [], T0
    for code, length in _MINUTES:
        found.append((at, at + length * MINUTE, code))
        at += length * MINUTE
    return found


def inputs(profile: Profile = "iso22400") -> Inputs:
    """700 pieces, 686 of them good, ideal time 30 s; 12,345 kWh."""
    ends = np.array([T0, T0 + 470 * MINUTE])
    hours = T0 + np.arange(8) * HOUR
    return Inputs(
        period=SHIFT,
        working=[SHIFT],
        profile=profile,
        spans=Spans.of(_spans()),
        counts=Counts(time_ns=ends, total=np.array([0, 700]), good=np.array([0, 686])),
        ideal_s=30.0,
        uses=[Used("electricity", hours, np.full(8, 12_345 / 8), np.full(8, 100.0))],
        factors=load(),
        collected=[(T0 + minute * MINUTE, 90.0) for minute in range(480)],
    )


def figures(of: Inputs) -> dict[str, Result]:
    return {code: figure(code, of) for code in CATALOG}


TEST: Final = BatteryTest(
    machine=PRESS,
    name="PRS-01",
    channel="ch1",
    span=(T0, T0 + 5 * HOUR),
    pack="EV26-0001",
    model="NCM-60",
    ah=48.6,
    wh=None,
    soh_c=81.0,
    soh_e=None,
    dcir_mohm=1.5,
    coulombic=0.985,
    delta_mv=85.0,
    insulation_mohm=12.7,
    unknown_s=0.0,
    grade="보류",
    reason="ΔV 85 mV > 50 mV",
    remark="",
    rule="2026-1",
    verified=False,
)
"""The oracle of domain.md §10.8: 48.6 of 60 Ah, 1.5 mΩ, and a ΔV of 85 mV."""


def subject(*, silent: bool = False) -> Subject:
    """The company; `silent`: nothing at all came of it."""
    of = Inputs(period=SHIFT, working=[SHIFT]) if silent else inputs()
    known = figures(of)
    runs = [StateRun(start, end, code, "금형 교체" if code == SETUP else "") for start, end, code in _spans()]
    press = Scope(
        name=PRESS,
        figures=known,
        times=None if silent else of.times(),
        kwh=None if silent else 12_345.0,
        pieces=(None, None) if silent else (700, 14),
        stood=None if silent else stood(runs, [SHIFT]),
    )
    nothing = Scope(name=SILENT, figures=figures(Inputs(period=SHIFT, working=[SHIFT])))
    stops = tuple(
        Stop(
            machine=PRESS,
            code=one.code,
            span=(one.start_ns, one.end_ns),
            length_ns=one.end_ns - one.start_ns,
            reason=one.reason,
        )
        for one in runs
        if one.code in {DOWN, SETUP, MINOR}
    )
    rate = known["DQ-RATE"]
    return Subject(
        company="데모기업 ㈜",
        project=((Text("과제번호", "Project number"), "2021_00381"),),
        period=SHIFT,
        generated_ns=T0 + 24 * HOUR,
        goals=(
            Goal(
                code="P-OEE",
                baseline=60.0,
                target=85.0,
                weight=0.5,
                version=2,
                approved_on=date(2026, 9, 1),
                approved_by="이기사",
                baseline_from="작업일보 2026-08",
            ),
            Goal(code="Q-PDR", baseline=4.0, target=1.0, weight=0.3),
            Goal(code="D-OTD", baseline=80.0, target=95.0, weight=0.2),
        ),
        whole=Scope(
            name=Text("전체", "All"),
            figures=known,
            times=press.times,
            kwh=press.kwh,
            pieces=press.pieces,
            days=((date(2026, 9, 7), known), (date(2026, 9, 8), nothing.figures)),
        ),
        machines=(press, nothing),
        stops=() if silent else stops,
        alarms=()
        if silent
        else (
            AlarmEvent(
                time_ns=T0 + MINUTE,
                machine=PRESS,
                name="over_t",
                priority="urgent",
                event="raised",
                message="베어링 과열",
                value=81.26,
                safety=True,
            ),
            AlarmEvent(
                time_ns=T0 + 3 * MINUTE,
                machine=PRESS,
                name="over_t",
                priority="urgent",
                event="acknowledged",
                message="베어링 과열",
                comment="냉각수 확인",
                safety=True,
            ),
        ),
        tags=(
            TagFacts(
                machine=PRESS,
                tag="shot",
                label=Text("생산수량", "Pieces"),
                address="HR 40001",
                unit="EA",
                period_s=1.0,
                readings=0 if silent else 25_920,
                bad=0 if silent else 12,
                gaps=1,
                last_ns=None if silent else T0 + 479 * MINUTE,
                rate=rate,
            ),
        ),
        gaps=(GapCause(cause="link_down", count=1, length_ns=48 * MINUTE, filled=0),),
        silences=(Silence(machine=SILENT, span=SHIFT),),
        factors=tuple(one for one in load() if one.carrier == "electricity")[-1:],
        sources=()
        if silent
        else (
            Source(
                place="demo/s1/line1/PRS-01/press",
                field="shot",
                count=25_920,
                first_hour_ns=T0,
                last_hour_ns=T0 + 7 * HOUR,
                low=0.0,
                high=700.0,
                digest="ab" * 32,
            ),
        ),
        queries=("trend(demo/s1/line1/PRS-01/press, shot, 2026-09-07T08:00+09:00, 2026-09-07T16:00+09:00, 1 h)",),
        digest="" if silent else "cd" * 32,
        guards=(
            Guard(
                machine=PRESS,
                name="over_t",
                label=Text("베어링 과열", "Bearing hot"),
                limit="bearing_t > 80, 5 s",
                action=Text("냉각수 확인", "Check the coolant"),
                ccp=False,
            ),
            Guard(
                machine=PRESS,
                name="ccp_boil",
                label=Text("CCP-1B 가열 온도 이탈", "CCP-1B below 95 ℃"),
                limit="product_t < 95",
                action=Text("제품 보류", "Hold the product"),
                ccp=True,
            ),
        ),
        exposures=(
            Exposure(
                machine=PRESS,
                substance="NH3",
                twa=None if silent else 12.345,
                twa_limit=None if silent else 25.0,
                stel=None if silent else 36.5,
                stel_limit=None if silent else 35.0,
                windows=0 if silent else 480,
                over=None if silent else 3,
                coverage=None if silent else 98.5,
            ),
        ),
        batteries=() if silent else (TEST,),
        chain=ChainFacts() if silent else ChainFacts(entries=4, first=7, last=10, hash="ef" * 32),
        changes=(
            Change(
                when=date(2026, 9, 1),
                what=Text("설비종합효율", "OEE"),
                version=2,
                detail=Text("목표 80 → 85", "80 → 85"),
                by="이기사",
            ),
        ),
    )


def seen(value: float, code: str) -> Result:
    return Result(code, value, Evidence(period=SHIFT, samples=1))
