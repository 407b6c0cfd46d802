"""From points of readings, gaps and heartbeats to `/quality`, the same of both stores."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest

from tests.viewer.conftest import Write
from tests.viewer.one_shop import COMPANY, HOUR, MINUTE, SECOND, T0, A, beats, page, part, rows, tags
from viewer.query.agents import agent_health, agents_of
from viewer.query.figures import figures_of
from viewer.query.missing import holes
from viewer.query.unit import Unit
from viewer.ribbon import ribbon
from viewer.stores.base import Store

pytestmark = pytest.mark.wire

NOW = T0 + HOUR
"""09:00."""
GONE, SENSOR = 0x8031_0000, 0x808C_0000
PRESS = f"{COMPANY}/A/L1/PRS-01"
BEAT = (
    "connections=3i,connected=2i,queued={queued}i,lag_s={lag},buffer_bytes={bytes}i,buffer_max_bytes=1000i,"
    "dropped=0i,quarantined=4i,imbalance=0i,broker_up=1i,troubles=1i,stale_tags=0i,refused_tags=0i,"
    "time_unsynced=true,accepted=900i,stored=890i"
)


def lines() -> Iterator[str]:
    """One hour: lube_p lacks 08:30 to 08:45, estop is bad for 36 of 360 readings, air_p is gone from 08:30 to 08:45."""
    for n in range(360):
        at = T0 + n * 10 * SECOND
        if not 180 <= n < 270:
            yield f"press,{tags('PRS-01')} lube_p=0.38 {at}"
        yield f"press,{tags('PRS-01')} " + ("estop=false" if n >= 36 else f"estop_quality={SENSOR}i") + f" {at}"
        yield f"meter,{tags('MTR-01')} kwh={n / 10} {at}"
    yield f"press,{tags('PRS-01')} air_p=0.55 {T0 - MINUTE}"
    yield f"press,{tags('PRS-01')} air_p_quality={GONE}i {T0 + 30 * MINUTE}"
    yield f"press,{tags('PRS-01')} air_p=0.54 {T0 + 45 * MINUTE}"
    lost = f'cause="no_communication",end={T0 + 45 * MINUTE}i'
    yield f"gap,{tags('PRS-01', tag='lube_p')} {lost},count=90i {T0 + 30 * MINUTE}"
    yield f"gap,{tags('PRS-01', tag='air_p')} {lost} {T0 + 30 * MINUTE}"
    yield f'gap,{tags("PRS-01", tag="estop")} cause="overrun",end={T0 + 40 * MINUTE}i,count=60i {T0 + 30 * MINUTE}'
    yield f'gap,{tags("PRS-01", tag="air_p")} cause="odd",end={T0 + 2 * MINUTE}i,filled=true {T0 + MINUTE}'
    yield from beats(T0 - MINUTE, T0 + 30 * MINUTE, BEAT.format(queued=500, lag=125.5, bytes=400))
    yield from beats(T0 + 30 * MINUTE, NOW, BEAT.format(queued=6, lag=2.0, bytes=10))
    last = NOW - 10 * SECOND
    yield f"agent,{tags('edge-1', connection='prs')} up=0i,readings=5i,reconnects=2i,silent_s=75.0 {last}"
    yield f"agent,{tags('edge-1', connection='cnc')} up=1i,readings=5i,reconnects=0i,silent_s=0.5,skew_s=-1.25 {last}"
    yield f'clock,{tags("edge-1")} before=1i,after=2i,jump_s=-3.5,believed=true,cause="set" {T0 + 5 * MINUTE}'


@pytest.fixture
def filled(store: tuple[Store, Write]) -> Store:
    reader, write = store
    write("\n".join(lines()).encode())
    return reader


def test_tags_by_hand(filled: Store) -> None:
    """lube_p 75 %; estop has 324 values of 360 expected = 90 %, 36 bad of 360 read = 10 %; air_p known 45 of 60 min."""
    found = {row[0]: row for row in rows(page(filled, "/quality", NOW, unit=PRESS), "tags-quality")}
    lube, stop, air = (found[one] for one in ("윤활 압력 lube_p", "비상정지 스위치 estop", "공압 air_p"))
    assert (lube[1], lube[2], lube[4], lube[5], lube[6]) == ("정상", "75.0 %", "0.00 %", "0.00 %", "")
    assert (stop[2], stop[4], stop[6], stop[7]) == ("90.0 %", "10.00 %", "센서 고장 10.00 %", "양호")
    assert (air[1], air[2], air[4], air[6]) == ("정상", "75.0 %", "25.00 %", "통신두절 25.00 %")


def test_machines_and_the_site_agree_with_the_figure(filled: Store) -> None:
    """(75 + 90 + 75) / 3 = 80 % of the press, 100 % of the meter; of five tags (75 + 90 + 75 + 100 + 0) / 5 = 68 %."""
    text = page(filled, "/quality", NOW)
    found = {row[0]: row for row in rows(text, "machines-quality")}
    assert found["프레스 1호기 PRS-01"][1:3] == ["정상", "80.0 %"]
    assert found["전력량계 MTR-01"][1:3] == ["정상", "100.0 %"]
    assert found["가공기 1호기 CNC-01"][1:3] == ["미수집", "0.0 %"]
    assert part(text, 'id="DQ-RATE"', "</article>").startswith("수집률 DQ-RATE 68.00 % 참고치")
    (figure,) = figures_of(filled, A, Unit(), ["DQ-RATE"], (T0, NOW))
    assert figure.value == pytest.approx(68.0)


def test_holes_by_cause_and_length(filled: Store) -> None:
    text = page(filled, "/quality", NOW, unit=PRESS)
    assert rows(text, "causes") == [
        ["통신 두절 no_communication", "15분", "1", "2", "90"],
        ["응답이 수집주기보다 늦음 overrun", "10분", "1", "1", "60"],
    ]
    assert rows(text, "longest-holes")[0] == ["08:30:00", "15분", "통신 두절", "프레스 1호기", "태그 2개"]
    assert part(text, 'id="holes"', "</article>") == "수집 공백 2 건 장비 이력으로 복원 1 건"


def test_a_hole_that_goes_on_ends_with_the_period(store: tuple[Store, Write]) -> None:
    reader, write = store
    write(f'gap,{tags("PRS-01", tag="estop")} cause="no_communication" {T0 - HOUR}'.encode())
    period = (T0, NOW)
    (one,) = holes(reader, A, list(A.machines.values()), period)
    assert (one.end_ns, one.length_ns(period), one.inside(period)) == (None, HOUR, period)
    assert holes(reader, A, [A.machines["CNC-01"]], period) == []


def test_silence_without_a_gap_is_told_apart(filled: Store) -> None:
    """The press is silent from 09:00 on, and nobody wrote a gap."""
    found = rows(page(filled, "/quality", NOW + 30 * MINUTE, unit=PRESS), "silent")
    assert found == [["프레스 1호기", "09:00:00", "30분 지금까지"]]


def test_how_the_agent_is(filled: Store) -> None:
    text = part(page(filled, "/quality", NOW), 'id="agent-1"', "</article>")
    for words in (
        "edge-1 정상", "가동률 (기간) 100.0 % (1시간)", "연결된 장비 2 / 3", "브로커 연결 연결됨", "문제 알림 1",
        "시각 동기 동기 확인 안 됨", "시각 도약 (기간) 1 (-3.5 s)", "대기 중인 값 6 · 기간 최대 500",
        "가장 오래된 대기 2초 · 기간 최대 2분 5초", "버퍼 사용률 1.0 % · 기간 최대 40.0 %", "버림 · 격리 0 · 4",
        "보존 법칙 일치 (차이 0)", "cnc 연결됨 1초 미만 -1.25 s 0", "prs 끊김 1분 15초 시각 없음 2",
    ):  # fmt: skip
        assert words in text, text


def test_an_older_agent_tells_less(store: tuple[Store, Write]) -> None:
    reader, write = store
    write("\n".join(beats(T0, NOW)).encode())
    found = agent_health(reader, agents_of(reader, A)[0], (T0, NOW))
    assert (found.now, found.most, found.links, found.jumps_s) == ({"connections": 3, "connected": 3}, {}, (), ())
    text = part(page(reader, "/quality", NOW), 'id="agent-1"', "</article>")
    assert "보존 법칙 미수집" in text
    assert "버퍼 사용률 미수집" in text


def test_english_has_no_korean(filled: Store) -> None:
    for unit in ("", PRESS):
        text = page(filled, "/quality", NOW, lang="en", unit=unit)
        assert not re.search("[가-힣]", re.sub("한국어|한국금속", "", text))


def test_a_ribbon_says_whole_part_and_nothing() -> None:
    known = np.array([1.0, 1.0, 0.5, 0.0, 0.25])
    starts = T0 + MINUTE * np.arange(5, dtype=np.int64)
    drawn = ribbon(known, starts, MINUTE, (T0, T0 + 4 * MINUTE + 15 * SECOND), "수집률")
    assert re.findall(r'class="(r-\w+)" x="([\d.]+)" width="([\d.]+)"', drawn) == [
        ("r-ok", "0.0", "470.6"),
        ("r-part", "470.6", "235.3"),
        ("r-none", "705.9", "235.3"),
        ("r-ok", "941.2", "58.8"),
    ], "a quarter of a minute that is there as a whole"
    assert "09-07 08:02 – 09-07 08:03: 50 %" in drawn
