"""Signals of the plant: small state machines that step through time, each with its own seeded random numbers.

A model's parameters are numbers or expressions over the variables evaluated before it (and over the previous value of
those after it). An expression knows `normal(sigma)`, `lognormal(sigma)`, `chance(p)`, `uniform(a, b)` (drawn from the
variable's own generator), `exp log sin pi min max abs int round`, `t` (seconds since the start) and `dt`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from types import CodeType
from typing import Any, Final

Values = dict[str, Any]
Step = Callable[[Values, float], Any]
Expression = Callable[[Values], Any]

_MATH: Final[dict[str, Any]] = {
    "__builtins__": {},
    "exp": math.exp,
    "log": math.log,
    "sin": math.sin,
    "pi": math.pi,
    "min": min,
    "max": max,
    "abs": abs,
    "int": int,
    "round": round,
}


def _functions(rng: random.Random) -> dict[str, Any]:
    return _MATH | {
        "normal": lambda sigma: rng.gauss(0.0, sigma),
        "lognormal": lambda sigma: rng.lognormvariate(0.0, sigma),
        "chance": lambda p: rng.random() < p,
        "uniform": rng.uniform,
    }


def expression(text: Any, rng: random.Random) -> Expression:
    """A number or expression text as a function of the plant's values.

    Raises:
        SyntaxError: the text is not a Python expression.
    """
    if not isinstance(text, str):
        return lambda _values: text
    code: CodeType = compile(text, text, "eval")
    names = _functions(rng)
    return lambda values: eval(code, names, values)  # noqa: S307 — our own plant.yaml, never user input


def generator(seed: int, name: str) -> random.Random:
    """The random numbers of one variable: they do not depend on which other variables exist."""
    return random.Random(f"{seed}/{name}")  # noqa: S311 — a simulation, not cryptography


def _expr(_name: str, p: Mapping[str, Any], rng: random.Random, _values: Values) -> Step:
    """`value`: an expression evaluated at every step."""
    of = expression(p["value"], rng)
    return lambda values, _dt: of(values)


def _constant(_name: str, p: Mapping[str, Any], _rng: random.Random, _values: Values) -> Step:
    """`value`: a literal that never changes."""
    value = p["value"]
    return lambda _values, _dt: value


def _lag1(name: str, p: Mapping[str, Any], rng: random.Random, _values: Values) -> Step:
    """First-order lag towards `target` with time constant `tau_s`."""
    target, tau_s = expression(p["target"], rng), expression(p["tau_s"], rng)

    def step(values: Values, dt: float) -> float:
        x = values[name]
        return float(x + (target(values) - x) * (1.0 - math.exp(-dt / tau_s(values))))

    return step


def _ou(name: str, p: Mapping[str, Any], rng: random.Random, _values: Values) -> Step:
    """Ornstein-Uhlenbeck noise around `mean`: standard deviation `sigma`, time constant `tau_s`."""
    mean, sigma, tau_s = expression(p["mean"], rng), float(p["sigma"]), float(p["tau_s"])

    def step(values: Values, dt: float) -> float:
        keep = math.exp(-dt / tau_s)
        m = mean(values)
        return float(m + (values[name] - m) * keep + rng.gauss(0.0, sigma * math.sqrt(1.0 - keep * keep)))

    return step


def _integrator(name: str, p: Mapping[str, Any], rng: random.Random, _values: Values) -> Step:
    """Integral of `rate` over seconds."""
    rate = expression(p["rate"], rng)
    return lambda values, dt: values[name] + rate(values) * dt


def _counter(name: str, p: Mapping[str, Any], rng: random.Random, _values: Values) -> Step:
    """Adds `add` at each step, wraps at `modulo`, returns to `initial` when `reset` is true (counts and wear)."""
    add, reset, modulo = expression(p["add"], rng), expression(p.get("reset", 0), rng), p.get("modulo", 2**32)
    initial = p.get("initial", 0)
    return lambda values, _dt: initial if reset(values) else (values[name] + add(values)) % modulo


def _cycle(name: str, p: Mapping[str, Any], rng: random.Random, values: Values) -> Step:
    """Phase 0..1 of a cycle of `period_s` (lognormal `jitter`) that runs while `run` is true.

    Beside the phase it sets `<name>_n`, cycles completed in this step, and `<name>_s`, length of the last cycle.
    """
    period_s, run = expression(p["period_s"], rng), expression(p.get("run", 1), rng)
    jitter = float(p.get("jitter", 0.0))
    length_s = 0.0
    values[f"{name}_n"], values[f"{name}_s"] = 0, 0.0

    def step(values: Values, dt: float) -> float:
        nonlocal length_s
        values[f"{name}_n"] = 0
        phase = float(values[name])
        if not run(values):
            return phase
        if length_s <= 0.0:
            length_s = float(period_s(values)) * rng.lognormvariate(0.0, jitter)
        phase += dt / length_s
        if phase >= 1.0:
            values[f"{name}_n"], values[f"{name}_s"] = 1, length_s
            phase, length_s = min(phase - 1.0, 0.999), 0.0
        return phase

    return step


def _latch(name: str, p: Mapping[str, Any], rng: random.Random, _values: Values) -> Step:
    """Takes `value` when `at` is true and holds it (a value per shot)."""
    of, when = expression(p["value"], rng), expression(p["at"], rng)
    return lambda values, _dt: of(values) if when(values) else values[name]


def _markov(name: str, p: Mapping[str, Any], rng: random.Random, values: Values) -> Step:
    """State machine. `moves`: list of {from, to, per_h | after_s | when}; sets `<name>_t`, seconds in the state.

    `per_h`: rate of a Poisson process; `after_s`: dwell drawn when the state is entered; `when`: a condition.
    """
    moves = [
        (m["from"], m["to"], m.get("per_h"), m.get("after_s"), expression(m.get("when", 1), rng)) for m in p["moves"]
    ]
    dwell = [expression(m[3], rng) if m[3] is not None else None for m in moves]
    due: dict[int, float] = {}
    values[f"{name}_t"] = 0.0

    def leaves(index: int, values: Values, dt: float) -> bool:
        _, _, per_h, _, when = moves[index]
        spent_s, of = values[f"{name}_t"], dwell[index]
        if per_h is not None and rng.random() >= per_h * dt / 3600.0:
            return False
        if of is not None and spent_s < due.setdefault(index, of(values)):
            return False
        return bool(when(values))

    def step(values: Values, dt: float) -> int:
        state = int(values[name])
        for index, move in enumerate(moves):
            if move[0] == state and leaves(index, values, dt):
                due.clear()
                values[f"{name}_t"] = 0.0
                return int(move[1])
        values[f"{name}_t"] += dt
        return state

    return step


MODELS: Final[dict[str, Callable[[str, Mapping[str, Any], random.Random, Values], Step]]] = {
    "constant": _constant,
    "expr": _expr,
    "lag1": _lag1,
    "ou": _ou,
    "integrator": _integrator,
    "counter": _counter,
    "wear": _counter,
    "cycle": _cycle,
    "latch": _latch,
    "markov": _markov,
}
"""Model name in plant.yaml → its builder. Every model takes `initial` (default 0)."""


def build(name: str, params: Mapping[str, Any], seed: int, values: Values) -> Step:
    """The step function of one variable; its first value is put into `values`.

    Raises:
        ValueError: no such model, or a parameter is missing.
    """
    model = MODELS.get(params.get("model", "expr"))
    if model is None:
        raise ValueError(f"{name}: no model {params.get('model')!r}; there are {', '.join(MODELS)}")
    initial = params.get("initial", params.get("value") if params.get("model") == "constant" else 0)
    values[name] = initial
    try:
        return model(name, params, generator(seed, name), values)
    except KeyError as missing:
        raise ValueError(f"{name}: model {params.get('model')} needs the parameter {missing}") from missing
