"""The hand-computed oracles of domain.md §10 that are about figures: 1-4, 7, 9, 11, 12."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pytest

from pipelines.calendar import Calendar
from pipelines.derive.energy.factors import load
from pipelines.derive.exposure import ExposureRule
from pipelines.derive.exposure_limits import ExposureSettings
from pipelines.derive.rule import Ref
from pipelines.derive.settings import CalendarSettings
from pipelines.derive.signals import DOWN, MINOR, PLANNED, RUN, SETUP
from viewer.kpi.counted import Made
from viewer.kpi.energy import Used, emission
from viewer.kpi.freshness import Freshness, freshness_of
from viewer.kpi.goal import Goal, is_met, of_target, score
from viewer.kpi.oee import Profile, oee
from viewer.kpi.result import Evidence, Result, missing
from viewer.kpi.safety import over_limit
from viewer.kpi.spans import Spans, failures, times
from viewer.kpi.words import MISSING, NO_SAMPLES

MINUTE = 60 * 10**9
HOUR = 60 * MINUTE
T0 = round(datetime(2026, 9, 6, 23, tzinfo=UTC).timestamp()) * 10**9
"""Monday 2026-09-07, 08:00 in Korea."""
SHIFT = (T0, T0 + 480 * MINUTE)


def of_minutes(*states: tuple[int, int]) -> Spans:
    """Stretches one after the other, each a state and its minutes."""
    runs, at = [], T0
    for code, minutes in states:
        runs.append((at, at + minutes * MINUTE, code))
        at += minutes * MINUTE
    return Spans.of(runs)


def seen(value: float, code: str = "P-UPH") -> Result:
    return Result(code, value, Evidence(period=SHIFT, samples=1))


@pytest.mark.parametrize(
    ("profile", "first", "second"), [("iso22400", 37 / 44, 35 / 37), ("tpm_kr", 38.5 / 44, 35 / 38.5)]
)
def test_1_oee(profile: Profile, first: float, second: float) -> None:
    """480 min − 40 planned = 440 = PBT; run 440 − 30 − 25 − 15 = 370; 700 x 0.5 min = 350 min; good 686/700 = 98 %.

    ISO 370/440 = 84.09 %, 350/370 = 94.59 %; TPM (370 + 15)/440 = 87.50 %, 350/385 = 90.91 %.
    Both 0.5 x 686/440 = 77.95 %.
    """
    spans = of_minutes((RUN, 200), (DOWN, 30), (SETUP, 25), (PLANNED, 40), (RUN, 100), (MINOR, 15), (RUN, 70))
    found = oee(times(spans, [SHIFT]), Made(700, 686, 700), 700 * 30.0, SHIFT, profile)
    assert found.availability.value == pytest.approx(first * 100)
    assert found.performance.value == pytest.approx(second * 100)
    assert found.quality.value == pytest.approx(98.0)
    assert found.whole.value == pytest.approx(0.5 * 686 / 440 * 100)
    assert round(found.whole.value or 0, 2) == 77.95
    factors = (found.availability.value, found.performance.value, found.quality.value)
    assert np.prod([one or 0 for one in factors]) / 1e4 == pytest.approx(found.whole.value)
    assert (found.whole.evidence.cover, found.whole.notes) == (100.0, ())
    assert failures(spans, SHIFT, [SHIFT]) == 1


def test_2_achievement() -> None:
    """(1320 − 1150)/1320 = 12.88 %, /(1320 − 1080) = 70.83 %; 260/240 = 108.33 %; their mean 89.58 %, capped 85.42 %.

    UPH (124 − 100)/100 = 24 %, 24/30 = 80 %; worse: (1320 − 1400)/240 = −33.33 %.
    """
    lead, ship = (
        Goal(code="P-LT", baseline=1320, target=1080, weight=0.5),
        Goal(code="D-O2S", baseline=1440, target=1200, weight=0.5),
    )
    assert lead.improvement(1150) == pytest.approx(12.88, abs=0.005)
    assert lead.achievement(1150) == pytest.approx(70.83, abs=0.005)
    assert ship.achievement(1180) == pytest.approx(108.33, abs=0.005)
    rows = [(lead, seen(1150, "P-LT")), (ship, seen(1180, "D-O2S"))]
    assert score(rows).value == pytest.approx(89.58, abs=0.005)
    assert score(rows, cap=100).value == pytest.approx(85.42, abs=0.005)
    rate = Goal(code="P-UPH", baseline=100, target=130)
    assert (rate.improvement(124), rate.achievement(124)) == (pytest.approx(24), pytest.approx(80))
    assert lead.achievement(1400) == pytest.approx(-33.33, abs=0.005)
    assert score([(lead, seen(1400, "P-LT"))], cap=100).value == pytest.approx(-33.33, abs=0.005)


def test_2_what_weights_round_off_is_nothing_missed() -> None:
    """100 % of 0.01 and of 0.05 are 100 %, though their floats come to 99.99999999999999; 99.999 % are not."""
    goals = [
        Goal(code="P-LT", baseline=1320, target=1080, weight=0.01),
        Goal(code="D-O2S", baseline=1440, target=1200, weight=0.05),
    ]
    found = score([(one, seen(one.target, one.code)) for one in goals])
    assert found.value is not None
    assert found.value < 100
    assert is_met(found.value)
    assert not is_met(99.999)
    assert not is_met(None)


def test_3_programme() -> None:
    assert of_target(260, 160) == 162.5
    assert of_target(903, 846) == pytest.approx(106.7, abs=0.05)
    assert (of_target(None, 160), of_target(260, None), of_target(260, 0)) == (None, None, None)


@pytest.mark.parametrize(("day", "tonnes"), [(date(2026, 9, 7), 5.152), (date(2022, 12, 31), 5.606)])
def test_4_co2(day: date, tonnes: float) -> None:
    """12.345 MWh x 0.4173 = 5.1516 t by the factor from 2023 on; x 0.4541 = 5.6059 t by the one before."""
    start = round(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 10**9
    hours = Used("electricity", np.array([start]), np.array([12_345.0]), np.array([100.0]))
    found = emission([hours], load(), (start, start + HOUR))
    assert found.value == pytest.approx(tonnes, abs=0.0005)
    assert found.notes == ()


def test_7_exposure() -> None:
    """(6 h x 20 + 2 h x 90)/8 = 37.5 ppm; above 50 ppm for 2 h = 120 min; the greatest 15-minute mean is 90 ppm."""
    rule = ExposureRule(ExposureSettings(machine="GAS-01", tag="toluene", substance="toluene"))
    ref = Ref("GAS-01", "toluene")
    ppm = [20.0] * 360 + [90.0] * 120
    for minute, value in enumerate(ppm):
        rule.take(ref, T0 + minute * MINUTE, value, 0)
    rule.tick(T0 + 480 * MINUTE)
    points = rule.lines()
    assert points[-1].fields["twa"] == pytest.approx(37.5)
    assert max(float(one.fields["stel"]) for one in points if "stel" in one.fields) == pytest.approx(90.0)
    at = T0 + np.arange(480) * MINUTE
    found = over_limit(at, np.array(ppm), np.full(480, 100.0), 50.0, SHIFT)
    assert (found.value, found.evidence.samples, found.evidence.cover) == (120.0, 480, 100.0)


def test_9_production_day() -> None:
    """23:50 to 00:20 lies in the production day that began at 08:00 before; of 11:50 to 13:20 lunch leaves 30 min."""
    shifts = [{"name": "주간", "from": "08:00", "to": "20:00"}, {"name": "야간", "from": "20:00", "to": "08:00"}]
    settings = {"day_start": "08:00", "shifts": shifts, "breaks": ["12:00-13:00"]}
    calendar = Calendar(CalendarSettings.model_validate(settings))
    night = (T0 + 950 * MINUTE, T0 + 980 * MINUTE)
    day = calendar.production_day(night[0])
    assert day == calendar.production_day(night[1] - 1) == date(2026, 9, 7)
    assert calendar.day_span(day) == (T0, T0 + 24 * HOUR)
    lunch = (T0 + 230 * MINUTE, T0 + 320 * MINUTE)
    down = Spans.of([(*lunch, DOWN), (*night, DOWN)])
    assert times(down, calendar.working(*lunch)).down_ns == 30 * MINUTE
    assert times(down, calendar.working(*calendar.day_span(day))).down_ns == 60 * MINUTE


@pytest.mark.parametrize(
    ("age_s", "word"),
    [
        (59, Freshness.OK), (61, Freshness.DELAYED), (600, Freshness.LOST), (86_399, Freshness.LOST),
        (86_400, Freshness.NONE),
    ],
)  # fmt: skip
def test_11_freshness(age_s: int, word: Freshness) -> None:
    assert freshness_of(T0 - age_s * 10**9, T0) is word
    result = Result("P-CT", 1.0, Evidence(period=SHIFT, samples=1, seen_ns=T0 - age_s * 10**9))
    assert result.freshness(T0) is word
    assert freshness_of(T0 - age_s * 10**9, T0, [(1e6, Freshness.OK)]) is Freshness.OK, "limits are settings"


def test_12_no_data() -> None:
    """Without samples no value, no achievement; of the weights 0.3, 0.2 and 0.5 the first two become 60 and 40 %."""
    nothing = oee(times(Spans.of([]), [SHIFT]), Made(None, None, 0), None, SHIFT, "iso22400")
    assert {one.value for one in (nothing.whole, nothing.availability, nothing.performance, nothing.quality)} == {None}
    assert nothing.whole.why == NO_SAMPLES
    assert MISSING.ko == "미수집"
    absent = missing("P-LT", Evidence(period=SHIFT, samples=0))
    goals = [
        (Goal(code="P-UPH", baseline=100, target=130, weight=0.3), seen(130, "P-UPH")),
        (Goal(code="Q-PDR", baseline=2, target=1, weight=0.2), seen(1.5, "Q-PDR")),
        (Goal(code="P-LT", baseline=1320, target=1080, weight=0.5), absent),
    ]
    found = score(goals)
    assert found.value == pytest.approx(0.6 * 100 + 0.4 * 50)
    assert [row.weight for row in found.rows] == [pytest.approx(60), pytest.approx(40), None]
    assert [row.achievement for row in found.rows] == [pytest.approx(100), pytest.approx(50), None]
    assert found.left_out == ("P-LT",)
    assert score([goals[2]]).value is None
    with pytest.raises(ValueError, match="0 samples"):
        Result("P-LT", 0.0, Evidence(period=SHIFT, samples=0))
    with pytest.raises(ValueError, match="does not say why"):
        Result("P-LT", None, Evidence(period=SHIFT, samples=0))
