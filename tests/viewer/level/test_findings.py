"""The edges of evidence, without a store."""

from __future__ import annotations

import numpy as np
import pytest

from tests.viewer.level.month import DAY, NOW, at
from viewer.kpi.freshness import Freshness
from viewer.kpi.words import Text
from viewer.level.finding import Finding, listed
from viewer.level.kinds import KINDS
from viewer.level.levels import LEVELS
from viewer.level.of_agents import alarms, kept, lag, midnight, prompt
from viewer.level.of_machines import Told, Touch, connected, storing
from viewer.level.of_settings import Described, lots, standard

PERIOD = (NOW - DAY, NOW)
A, B = Text("가", "a"), Text("나", "b")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1.0])
def test_a_value_needs_samples_and_must_be_a_number(value: float) -> None:
    with pytest.raises(ValueError, match="samples"):
        Finding("lag", value, 0 if value == 1.0 else 1, PERIOD)


@pytest.mark.parametrize(("value", "why"), [(None, None), (1.0, A)])
def test_a_value_or_a_reason(value: float | None, why: Text | None) -> None:
    with pytest.raises(ValueError, match="the reason why"):
        Finding("lag", value, 1, PERIOD, why=why)


def test_every_evidence_belongs_to_one_level() -> None:
    listed_codes = [code for level in LEVELS for code in level.findings]
    assert sorted(listed_codes) == sorted(KINDS)


@pytest.mark.parametrize(
    ("lag_s", "p95"),
    [([7.0], 7.0), ([*range(1, 21)], 19.0), ([*range(1, 22)], 20.0), ([0.0] * 95 + [9.0] * 5, 0.0)],
)
def test_p95_is_a_value_that_came(lag_s: list[float], p95: float) -> None:
    """Nearest rank: the ceil(0.95 n)-th: the 1st of 1, 19th of 20, 20th of 21, 95th of 100."""
    assert lag(np.array(lag_s, dtype=float), 1, PERIOD).value == p95


def test_ten_seconds_are_prompt() -> None:
    found = prompt(np.array([0.0, 10.0, 10.001, 11.0]), 1, PERIOD)
    assert (found.value, found.samples) == (50.0, 4)
    assert [part.value for part in found.parts] == [2, 4, 8640]


def test_days_are_those_of_korea() -> None:
    assert midnight(at("2026-09-30T00:00")) == at("2026-09-30T00:00")
    assert midnight(at("2026-09-30T00:00") - 1) == at("2026-09-29T00:00")
    assert midnight(at("2026-09-30T08:59")) == at("2026-09-30T00:00")


def test_the_first_day_counts() -> None:
    found = kept(np.array([at("2026-09-30T00:00")]), np.array([3]), np.array([False]), NOW)
    assert (found.value, found.samples) == (1, 3)
    assert [part.value for part in found.parts] == [0, 1]


def test_a_machine_that_is_slow_is_not_connected() -> None:
    found = connected([Touch(A, Freshness.OK, stored=True), Touch(B, Freshness.DELAYED, stored=True)], NOW)
    assert (found.value, found.samples) == (50.0, 2)
    lost = connected([Touch(A, Freshness.NONE, stored=True)], NOW)
    assert (lost.value, lost.samples) == (0.0, 1)
    assert lost.notes == (Text("연결되지 않은 설비: 가", "not in touch: a"),)


def test_what_is_configured_and_never_came_is_none() -> None:
    found = storing("states", [Told(A, configured=True, points=0), Told(B, configured=False, points=0)], PERIOD)
    assert (found.value, found.samples) == (None, 0)
    assert found.notes == (Text("설정되었으나 저장되지 않음: 가", "configured, and nothing was stored: a"),)


def test_rules_that_nothing_watches_have_no_value() -> None:
    silent = alarms([True], 0, 0, PERIOD)
    assert silent.value is None
    assert [part.value for part in silent.parts] == [1, None]
    assert alarms([False], 0, 5, PERIOD).value == 0


def test_without_tags_or_lots() -> None:
    assert standard([], NOW).why == Text("설정에 태그가 없음", "no tag is configured")
    assert standard([Described(label=True, unit=True, source=True)], NOW).value == 100.0
    assert lots([], [], PERIOD, configured=True).why == Text("기간 내 표본 없음", "no samples in the period")
    two = lots([("가", "1"), ("나", "1")], ["1"], PERIOD, configured=True)
    assert (two.value, [part.value for part in two.parts]) == (1, [2, 1, 2])


def test_many_names_are_cut() -> None:
    (said,) = listed(A, [Text(str(n), str(n)) for n in range(10)])
    assert said.ko == "가: 0, 1, 2, 3, 4, 5, 6, 7 외 2"
    assert said.en == "a: 0, 1, 2, 3, 4, 5, 6, 7 and 2 more"
    assert listed(A, []) == ()
