"""Models of variables against formulas, one line of a few variables each."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import pytest

from simulators.plant import Plant, plant_of

if TYPE_CHECKING:
    from collections.abc import Iterator

MINUTE: Final = 20 * 60
"""Steps of a plant minute."""


def line(step_s: float = 0.05, faults: dict[str, Any] | None = None, **variables: dict[str, Any]) -> Plant:
    """A plant of these variables, before its second step."""
    return plant_of([{"line": "a", "step_s": step_s, "variables": variables, "faults": faults or {}, "devices": {}}])


def each(plant: Plant, name: str, steps: int, by: int = 1) -> Iterator[Any]:
    for _ in range(steps):
        plant.step(by)
        yield plant.values[name]


def test_lag1_reaches_63_percent_after_its_time_constant() -> None:
    plant = line(x={"model": "lag1", "target": 100, "tau_s": 2})
    plant.step(39)
    assert plant.values["x"] == pytest.approx(100 * (1 - math.exp(-1)))


def test_a_dwell_ends_on_time_and_a_condition_moves_at_once() -> None:
    moves = [{"from": 1, "to": 2, "when": "0.12 < t < 0.22"}, {"from": 2, "to": 1, "after_s": 0.3}]
    plant = line(s={"model": "markov", "initial": 1, "moves": moves})
    assert list(each(plant, "s", 29)) == [1, *[2] * 7, *[1] * 21]


def test_noise_has_its_sigma_and_its_mean() -> None:
    plant = line(x={"model": "ou", "initial": 5, "mean": 5, "sigma": 0.5, "tau_s": 0.5}, y={"value": "normal(2)"})
    rows = [(plant.values["x"], plant.values["y"]) for _ in each(plant, "x", 4000, by=10)]
    for index, mean, sigma in ((0, 5, 0.5), (1, 0, 2)):
        column = [row[index] for row in rows]
        found = sum(column) / len(column)
        assert found == pytest.approx(mean, abs=0.15)
        assert sum((x - found) ** 2 for x in column) / len(column) == pytest.approx(sigma**2, rel=0.1)


def test_a_cycle_counts_itself_and_stands_while_it_does_not_run() -> None:
    plant = line(go={"value": "t < 10.01"}, c={"model": "cycle", "period_s": 1, "run": "go"})
    assert sum(n for n in each(plant, "c_n", 400)) == 10
    assert plant.values["c_s"] == 1
    assert line(c={"model": "cycle", "period_s": 1, "jitter": 0.1}).values["c_length"] != 1


def test_counters_wrap_and_return() -> None:
    plant = line(n={"model": "counter", "initial": 250, "add": 1, "modulo": 256, "reset": "t > 0.52"})
    assert list(each(plant, "n", 11)) == [252, 253, 254, 255, 0, 1, 2, 3, 4, 250, 250]


def test_a_controlled_zone_reaches_its_set_value_and_power_follows_the_load() -> None:
    zone = {"model": "zone", "mv": "mv", "full_k": 1600, "tau_s": 1800, "ambient": 25}
    plant = line(
        step_s=1,
        sv={"value": 840},
        door={"value": "7200 < t"},
        mv={"model": "pid", "pv": "pv", "sv": "sv", "gain": 2, "integral_s": 600},
        pv=zone | {"initial": 25, "load": "0.05 * door"},
    )
    plant.step(2 * 60 * MINUTE - 1)
    assert plant.values["pv"] == pytest.approx(840, abs=1)
    assert plant.values["mv"] == pytest.approx((840 - 25) / 16, abs=0.5)
    plant.step(2 * 60 * MINUTE)
    assert plant.values["pv"] == pytest.approx(840, abs=1)
    assert plant.values["mv"] == pytest.approx((840 - 25 + 0.05 * 1800) / 16, abs=0.5)


def test_neighbours_pull_a_zone_and_a_stopped_controller_gives_nothing() -> None:
    zone = {"model": "zone", "full_k": 100, "tau_s": 60, "ambient": 20}
    plant = line(
        step_s=0.5,
        mv={"model": "pid", "initial": 50, "pv": 0, "sv": 100, "gain": 1, "integral_s": 10, "run": 0},
        a=zone | {"initial": 90, "mv": 70},
        b=zone | {"initial": 20, "mv": "mv", "neighbours": ["a", "c"], "coupling": 0.05},
        c={"value": 20},
    )
    plant.step(60 * MINUTE)
    assert plant.values["mv"] == 0
    assert plant.values["b"] == pytest.approx(20 + 0.05 * (70 + 2 * (20 - plant.values["b"])), abs=1e-6)


def test_the_calendar_begins_on_monday_at_eight() -> None:
    day = {"model": "schedule", "shifts": ["08:00-20:00"], "breaks": ["10:00-10:10", "12:00-13:00"]}
    night = {"model": "schedule", "shifts": ["20:00-05:00"], "days": [4]}
    plant = line(day=day, night=night)
    closed = {12, *range(24, 30)}  # of the 144 pieces of ten minutes of a day that begins at 08:00
    for index in range(2 * 7 * 144):
        plant.steps = index * 10 * MINUTE
        plant.step()
        of_week, of_day = index % (7 * 144), index % 144
        days, hour = divmod(8 + of_week / 6 + 0.05 / 3600, 24)
        assert plant.values["weekday"] == days % 7
        assert plant.values["hour"] == pytest.approx(hour)
        assert plant.values["day"] == (of_week // 144 < 5 and of_day < 72 and of_day not in closed)
        assert plant.values["night"] == (4 * 144 + 72 <= of_week < 4 * 144 + 126)


def test_a_fault_is_a_variable() -> None:
    fault = {"heater_break": {"label": {"ko": "히터 단선", "en": "heater break"}}}
    plant = line(faults=fault, x={"value": "100 - 60 * heater_break"}, since={"value": "heater_break_t"})
    assert plant.faults["heater_break"].for_s == 600
    plant.set_fault("heater_break", active=True)
    plant.step(20)
    assert plant.values["x"] == 40
    assert plant.values["since"] == pytest.approx(1)
    plant.set_fault("heater_break", active=False)
    plant.step()
    assert (plant.values["x"], plant.values["since"]) == (100, 0)


def test_a_slow_variable_is_evaluated_rarely_with_its_own_dt() -> None:
    plant = line(x={"model": "integrator", "rate": 1, "step_s": 0.5}, y={"value": "dt", "step_s": 0.5})
    assert list(each(plant, "x", 20)) == [*[0.5] * 9, *[1.0] * 10, 1.5]
    assert plant.values["y"] == 0.5


def test_many_steps_at_once_are_the_same_as_one_by_one() -> None:
    moves = [{"from": 1, "to": 2, "per_h": 3600}, {"from": 2, "to": 1, "after_s": "uniform(0.2, 1)"}]
    variables: dict[str, dict[str, Any]] = {
        "s": {"model": "markov", "initial": 1, "moves": moves},
        "c": {"model": "cycle", "period_s": 0.7, "jitter": 0.2, "run": "s == 1"},
        "x": {"model": "ou", "mean": "s + lognormal(0.1)", "sigma": 1, "tau_s": 1, "step_s": 0.2},
        "g": {"model": "latch", "at": "c_n", "value": "chance(0.5)"},
    }
    one, many = line(**variables), line(**variables)
    for _ in range(1000):
        one.step()
    many.step(1000)
    assert one.values == many.values


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"x": {"model": "magic"}}, "x: no model 'magic'; there are constant, "),
        ({"x": {"model": "lag1", "target": 1}}, "x: model lag1 needs the parameter 'tau_s'"),
        ({"x": {"value": "1 +"}}, "x: '1 \\+' is no expression"),
        ({"x": {"value": "y + 1"}}, "x: y is no variable of the line"),
        ({"sin": {"value": 1}}, "variable sin: this cannot be a name"),
        ({"c": {"model": "cycle", "period_s": 1}, "c_n": {"value": 1}}, "variable c_n is defined twice"),
        ({"x": {"value": 1, "step_s": 0.07}}, "x: step_s must be a multiple of 0.05"),
        ({"x": {"model": "schedule", "shifts": ["8-20"]}}, "'8' is no time of day HH:MM"),
    ],
)
def test_a_bad_variable_is_named(variables: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        line(**variables)


def test_a_bad_fault_is_named() -> None:
    with pytest.raises(ValueError, match="fault f: 'en' is missing"):
        line(faults={"f": {"label": {"ko": "고장"}}})
