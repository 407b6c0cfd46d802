"""Models of variables: each writes the code of one evaluation, of which the compiled line consists."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Final

from simulators.signals.expression import Rewriter, normals, uniforms
from simulators.signals.schedule import WEEKDAYS, working
from simulators.signals.tape import Tape

Code = list[str]
"""Lines of Python at the left margin."""
_DUE: Final = "due"
_ABSENT: Final = object()


class Variable:
    """One variable while its code is written.

    Attributes:
        name: its name, which is also its local name in the code.
        params: as they are written.
        initials: local name → first value of this variable and of what it keeps beside it.
        made: global name → what the code calls.
        rewriter: of its expressions.
        tape: the history that the line plays, or None.
    """

    def __init__(
        self, name: str, params: Mapping[str, Any], dt_s: float, seed: str, number: int, tape: Tape | None = None
    ) -> None:
        self.name = name
        self.tape = tape
        self.dt_s = dt_s
        self.rewriter = Rewriter(dt_s, self.draw)
        self.initials: dict[str, Any] = {name: params.get("initial", 0)}
        self.made: dict[str, Any] = {}
        self.params = params
        self._seed = seed
        self._number = number
        self._uniforms: Random | None = None

    def literal(self, key: str, default: Any = _ABSENT) -> Any:
        """A parameter as it is written.

        Raises:
            ValueError: it is missing.
        """
        found = self.params.get(key, default)
        if found is _ABSENT:
            raise ValueError(f"{self.name}: model {self.params.get('model')} needs the parameter {key!r}")
        return found

    def of(self, key: str, default: Any = _ABSENT) -> str:
        """A parameter as code: number or expression.

        Raises:
            ValueError: it is missing, or no expression.
        """
        return self.code(self.literal(key, default))

    def code(self, value: Any) -> str:
        """A literal or an expression's text as code.

        Raises:
            ValueError: no expression.
        """
        try:
            return self.rewriter.source(value) if isinstance(value, str) else repr(value)
        except ValueError as error:
            raise ValueError(f"{self.name}: {error}") from error

    def own(self, suffix: str, initial: Any) -> str:
        """Local name of something this variable keeps beside its value."""
        name = f"{self.name}_{suffix}"
        self.initials[name] = initial
        return name

    def keep(self, what: str, made: Any) -> str:
        """Global name of something the code calls."""
        name = f"_{what}_{self._number}"
        self.made.setdefault(name, made)
        return name

    def normal(self) -> str:
        """Code of a standard normal deviate."""
        return f"{self.draw('normal')}()"

    def decay(self, key: str) -> str:
        """Code of exp(-dt / parameter), a number where the parameter is one."""
        tau = self.literal(key)
        if isinstance(tau, str):
            return f"exp(-{self.dt_s!r} / {self.code(tau)})"
        return repr(math.exp(-self.dt_s / tau))

    def draw(self, source: str) -> str:
        """Global name of the variable's own random numbers: `normal`, `random` or `uniform`."""
        name = f"_{source}_{self._number}"
        if name not in self.made:
            if source == "normal":
                self.made[name] = normals(self._seed, self.name)
            else:
                rng = self._uniforms = self._uniforms or uniforms(self._seed, self.name)
                self.made[name] = getattr(rng, source)
        return name


def _expr(v: Variable) -> Code:
    return [f"{v.name} = {v.of('value')}"]


def _constant(v: Variable) -> Code:
    v.initials[v.name] = v.literal("value")
    return []


def _lag1(v: Variable) -> Code:
    return [f"{v.name} += ({v.of('target')} - {v.name}) * (1.0 - {v.decay('tau_s')})"]


def _ou(v: Variable) -> Code:
    keep = v.decay("tau_s")
    return [
        f"_keep, _mean = {keep}, {v.of('mean')}",
        f"{v.name} = _mean + ({v.name} - _mean) * _keep",
        f"{v.name} += {v.of('sigma')} * sqrt(1.0 - _keep * _keep) * {v.draw('normal')}()",
    ]


def _integrator(v: Variable) -> Code:
    return [f"{v.name} += {v.of('rate')} * {v.dt_s!r}"]


def _counter(v: Variable) -> Code:
    added = f"{v.name} = ({v.name} + {v.of('add')}) % {v.of('modulo', 2**32)}"
    if "reset" not in v.params:
        return [added]
    return [f"if {v.of('reset')}:", f"    {v.name} = {v.initials[v.name]!r}", "else:", f"    {added}"]


def _cycle(v: Variable) -> Code:
    done, last_s, length_s = v.own("n", 0), v.own("s", 0.0), v.own("length", 0.0)
    jitter = v.literal("jitter", 0.0)
    drawn = f"{v.of('period_s')} * exp({jitter!r} * {v.draw('normal')}())" if jitter else v.of("period_s")
    return [
        f"{done} = 0",
        f"if {v.of('run', 1)}:",
        f"    if {length_s} <= 0.0: {length_s} = {drawn}",
        f"    {v.name} += {v.dt_s!r} / {length_s}",
        f"    if {v.name} >= 1.0:",
        f"        {done}, {last_s} = 1, {length_s}",
        f"        {v.name}, {length_s} = min({v.name} - 1.0, 0.999), 0.0",
    ]


def _latch(v: Variable) -> Code:
    return [f"if {v.of('at')}: {v.name} = {v.of('value')}"]


def _markov(v: Variable) -> Code:
    """Of the moves from a state the first whose chance, dwell and condition agree; a dwell is drawn once per stay."""
    moves = v.literal("moves")
    spent_s = v.own("t", 0.0)
    waits = {i: v.own(f"due{i}", None) for i, move in enumerate(moves) if "after_s" in move}
    code: Code = []
    word = "if"
    for state in dict.fromkeys(move["from"] for move in moves):
        code.append(f"{word} {v.name} == {state!r}:")
        word, inner = "elif", "if"
        for i, move in enumerate(moves):
            if move["from"] != state:
                continue
            terms = []
            if "per_h" in move:
                terms.append(f"{v.draw('random')}() < {v.code(move['per_h'])} * {v.dt_s / 3600!r}")
            if i in waits:
                drawn = f"({waits[i]} := {v.code(move['after_s'])})"
                terms.append(f"{spent_s} >= ({drawn} if {waits[i]} is None else {waits[i]})")
            if "when" in move:
                terms.append(v.code(move["when"]))
            code.append(f"    {inner} {' and '.join(terms) or 'True'}:")
            code.append(f"        {' = '.join([*waits.values(), 'None'])}" if waits else "        pass")
            code.append(f"        {v.name}, {spent_s} = {move['to']!r}, 0.0")
            inner = "elif"
        code += ["    else:", f"        {spent_s} += {v.dt_s!r}"]
    return [*code, "else:", f"    {spent_s} += {v.dt_s!r}"]


def _pid(v: Variable) -> Code:
    """Output and integral begin at `initial`; the integral stands while the output is at its end and pushed further."""
    sum_, gain = v.own("sum", float(v.initials[v.name])), v.of("gain")
    return [
        f"if {v.of('run', 1)}:",
        f"    _error = {v.of('sv')} - {v.of('pv')}",
        f"    _out = {gain} * _error + {sum_}",
        "    if 0.0 <= _out <= 100.0 or (_out > 100.0) == (_error < 0.0):",
        f"        {sum_} += {gain} * _error * {v.dt_s!r} / {v.of('integral_s')}",
        f"    {v.name} = min(100.0, max(0.0, {gain} * _error + {sum_}))",
        "else:",
        f"    {v.name} = {sum_} = 0.0",
    ]


def _zone(v: Variable) -> Code:
    """Towards ambient + full_k·mv/100 + coupling·Σ(neighbour - own) with `tau_s`, less `load`."""
    others = [f"{v.code(name)} - {v.name}" for name in v.literal("neighbours", ())]
    drawn_in = f" + {v.of('coupling')} * ({' + '.join(others)})" if others else ""
    load = f" - {v.of('load')} * {v.dt_s!r}" if "load" in v.params else ""
    target = f"{v.of('ambient')} + {v.of('full_k')} * {v.of('mv')} / 100.0{drawn_in}"
    return [f"{v.name} += ({target} - {v.name}) * (1.0 - {v.decay('tau_s')}){load}"]


def _schedule(v: Variable) -> Code:
    at = working(v.literal("shifts"), v.literal("breaks", ()), v.literal("days", WEEKDAYS))
    return [f"{v.name} = {v.keep('working', at)}(t)"]


def due_of(name: str) -> str:
    """What a variable of model `played` keeps: the step at which it asks again."""
    return f"{name}_{_DUE}"


def _played(v: Variable) -> Code:
    """Between two rows nothing is asked."""
    if v.tape is None:
        raise ValueError(f"{v.name}: model played needs `played` of the line, which names the file")
    column = v.literal("column", v.name)
    try:
        take = v.keep("take", v.tape.reader(column))
    except ValueError as error:
        raise ValueError(f"{v.name}: {error}") from error
    bad, due = v.own("bad", 1), v.own(_DUE, 0)
    return [f"if _step >= {due}: {v.name}, {bad}, {due} = {take}(_step)"]


MODELS: Final[Mapping[str, Callable[[Variable], Code]]] = {
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
    "pid": _pid,
    "zone": _zone,
    "schedule": _schedule,
    "played": _played,
}
"""Model name in plant.yaml → what writes its code; `simulators.signals` tells their parameters."""
