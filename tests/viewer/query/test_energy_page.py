"""From points of energy and of a meter to `/energy`, the same of both stores."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate

import numpy as np
import pytest

from tests.viewer.conftest import Write
from tests.viewer.one_shop import COMPANY, HOUR, MINUTE, SECOND, T0, A, page, part, rows, tags
from viewer.query.figures import figures_of
from viewer.query.meters import quarter_demand
from viewer.query.unit import Unit
from viewer.stores.base import Store

pytestmark = pytest.mark.wire

NOW = T0 + 26 * HOUR
"""10:00 of the next day."""
DAY = (T0, T0 + 24 * HOUR)
SILENT = 20
"""Hour of the production day in which the meter was not read."""


def kw(minute: int) -> float:
    """Power of the line: 60 kW for twelve hours, 80 kW in the quarter from 11:30 on, then 12 kW."""
    return 80.0 if 210 <= minute < 225 else 60.0 if minute < 720 else 12.0


def lines() -> Iterator[str]:
    """A production day of the line's meter and of the machining centre's, and 8,570 good pieces."""
    total = [0.0, *accumulate(kw(minute) / 60 for minute in range(1440))]
    for minute, kwh in enumerate(total):
        if not SILENT * 60 < minute < (SILENT + 1) * 60:
            yield f"meter,{tags('MTR-01')} kwh={kwh!r} {T0 + minute * MINUTE}"
    for hour in range(24):
        at = T0 + hour * HOUR
        kwh, most = total[(hour + 1) * 60] - total[hour * 60], 80.0 if hour == 3 else kw(hour * 60)
        said = f"kwh={kwh!r},cover=100,demand_kw={most}" if hour != SILENT else "cover=0"
        yield f"energy,{tags('PRS-01', per='hour')} {said} {at}"
        yield f"energy,{tags('CNC-01', per='hour')} kwh=10,cover=100,demand_kw=11 {at}"
    yield f"count,{tags('PRS-01')} good=100i,epoch=0i {T0 - MINUTE}"
    yield f"count,{tags('PRS-01')} good=8670i,epoch=0i {T0 + 11 * HOUR}"


@pytest.fixture
def filled(store: tuple[Store, Write]) -> Store:
    reader, write = store
    write("\n".join(lines()).encode())
    return reader


def yesterday(store: Store, **query: str) -> str:
    return page(store, "/energy", NOW, period="yesterday", **query)


def test_a_day_by_hand_is_on_the_page(filled: Store) -> None:
    """11 × 60 + 65 + 11 × 12 = 857 kWh; / 8,570 = 0.1; × 0.4173 = 357.63 kg; idle 132 / 857 = 15.4 %; peak 80 kW."""
    text = yesterday(filled)
    assert part(text, 'id="total"', "</article>").startswith("전력사용량 857.0 kWh 기간")
    assert "표본 23시간 수집률 95.8 %" in part(text, 'id="total"', "</article>")
    values = {code: part(text, f'id="{code}"', "</article>") for code in ("C-KWH", "E-CO2", "E-CO2.piece", "E-PEAK")}
    assert values["C-KWH"].startswith("전력 원단위 C-KWH 0.1000 kWh/EA")
    assert values["E-CO2"].startswith("온실가스 배출량 E-CO2 0.3576 tCO2eq")
    assert values["E-CO2.piece"].startswith("온실가스 원단위 E-CO2.piece 0.04173 kgCO2eq/EA")
    assert values["E-PEAK"].startswith("최대수요전력 E-PEAK 80.0 kW")
    idle = part(text, 'id="idle"', "</article>")
    assert idle.startswith("야간·비조업 전력 비율 15.4 % 비조업 평균 전력 12.0 kW 조업 평균 전력 60.4 kW 표본 23시간")
    assert "최대수요 2026-09-07 11:30:00 (15분)" in " ".join(text.split())
    assert "857.0 kWh × 0.4173 = 357.6 kgCO2eq" in text
    assert "출처 확인" in text
    assert "2023-01-01" in text


def test_lines_machines_and_days(filled: Store) -> None:
    text = yesterday(filled)
    assert rows(text, "by-unit") == [
        ["라인 L1", "857.0", "95.8 %", "0.1000", "0.3576", "0.04173", "80.0"],
        ["프레스 1호기 PRS-01 라인 전체 계량", "857.0", "95.8 %", "0.1000", "0.3576", "0.04173", "80.0"],
        ["가공기 1호기 CNC-01", "240.0", "100.0 %", "미수집", "0.1002", "미수집", "11.0"],
    ]
    days = rows(text, "days")
    assert (len(days), days[-1], days[-2]) == (14, ["2026-09-07", "857.0", "95.8 %"], ["2026-09-06", "미수집", "0.0 %"])


def test_pictures_show_idle_hours_the_peak_and_no_bar_for_what_is_unknown(filled: Store) -> None:
    text = yesterday(filled)
    by_hour = text.split('id="by-hour"', 1)[1].split("</figure>", 1)[0]
    assert (by_hour.count('class="amount"'), by_hour.count('class="amount idle"')) == (12, 11)
    assert "<title>04:00" not in by_hour
    demand = text.split('id="demand"', 1)[1].split("</figure>", 1)[0]
    assert (demand.count('class="amount"'), demand.count('class="amount most"')) == (91, 1)
    assert "<title>09-07 11:30 80.0 kW</title>" in demand


def test_quarters_of_readings_agree_with_what_the_agent_told(filled: Store) -> None:
    found = quarter_demand(filled, A, A.machines["PRS-01"], DAY)
    assert found is not None
    assert np.nanmax(found.kw) == pytest.approx(80.0)
    (figure,) = figures_of(filled, A, Unit("L1"), ["E-PEAK"], DAY)
    assert figure.value == pytest.approx(np.nanmax(found.kw))
    assert np.isnan(found.kw[SILENT * 4 : SILENT * 4 + 4]).all()
    assert np.isfinite(found.kw).sum() == 92
    assert quarter_demand(filled, A, A.machines["MTR-01"], DAY) is None


def test_a_power_that_goes_bad_is_not_integrated_over(store: tuple[Store, Write]) -> None:
    """30 kW each 10 s for 30 minutes, in the middle of which it is bad for ten: neither quarter is known by 95 %."""
    reader, write = store
    bad = f"power_kw_quality={0x80310000}i"
    told = [(n, bad if 60 <= n < 120 else "power_kw=30") for n in range(181)]
    write("\n".join(f"cnc,{tags('CNC-01')} {said} {T0 + n * 10 * SECOND}" for n, said in told).encode())
    found = quarter_demand(reader, A, A.machines["CNC-01"], (T0, T0 + HOUR))
    assert found is not None
    assert np.isnan(found.kw).tolist() == [True, True, True, True]
    write("\n".join(f"cnc,{tags('CNC-01')} power_kw=30 {T0 + n * 10 * SECOND}" for n in range(180, 361)).encode())
    found = quarter_demand(reader, A, A.machines["CNC-01"], (T0, T0 + HOUR))
    assert found is not None
    assert found.kw[2:].tolist() == pytest.approx([30.0, 30.0])


def test_longer_periods_and_single_machines(filled: Store) -> None:
    week = page(filled, "/energy", NOW, period="week")
    assert "시간대별 평균 사용량" in week
    assert rows(week, "days")[-2:] == [["2026-09-07", "857.0", "95.8 %"], ["2026-09-08", "미수집", "0.0 %"]]
    single = yesterday(filled, unit=f"{COMPANY}/A/L1/CNC-01")
    assert [row[0] for row in rows(single, "by-unit")] == ["가공기 1호기 CNC-01"]
    assert "전력량계(energy)가 없습니다" in yesterday(filled, unit=f"{COMPANY}/A/L1/MTR-01")


def test_nothing_metered_is_no_data_and_never_zero(filled: Store) -> None:
    text = page(filled, "/energy", NOW + 40 * 24 * HOUR, period="today")
    assert part(text, 'id="total"', "</article>").startswith("전력사용량 미수집")
    assert part(text, 'id="idle"', "</article>") == "야간·비조업 전력 비율 미수집 기간 내 계량된 시간이 없음"
    assert rows(text, "by-unit")[0][1:] == ["미수집", "0.0 %", *["미수집"] * 4]


def test_english_has_no_korean(filled: Store) -> None:
    text = yesterday(filled, lang="en")
    assert "Energy and carbon" in text
    shown = re.sub("한국어|한국금속|소비단 전력배출계수|TPM \\(설비종합효율\\)", "", text)
    assert not re.search("[가-힣]", shown)
