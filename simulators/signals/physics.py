"""A line's variables as one compiled function over plant time."""

from __future__ import annotations

import keyword
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from simulators.signals.expression import DRAWS, FUNCTIONS
from simulators.signals.models import MODELS, Code, Variable, due_of
from simulators.signals.schedule import DAY_S, START_S
from simulators.signals.tape import Tape

Values = dict[str, Any]
STEP_NS: Final = 50_000_000
"""Plant time of one step, ns."""
STEP_S: Final = STEP_NS / 1e9
CLOCK: Final[Values] = {"t": 0.0, "hour": START_S / 3600, "weekday": 0}
"""What every line knows of its time at the start."""
_TAKEN: Final = frozenset({*FUNCTIONS, *DRAWS, *CLOCK, "dt"})


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of a line's own: a variable that is 1 while it is active; NAME_t = seconds since it began.

    Attributes:
        ko: what it is called in Korean.
        en: and in English.
        for_s: how long it lasts where nobody says, plant seconds.
    """

    name: str
    ko: str
    en: str
    for_s: float


class Physics:
    """The variables of one line.

    Args:
        document: parsed plant.yaml.
        seed: of the random numbers.
        values: takes the line's variables; those of other lines may be in it.
        suffix: of every variable's and fault's name in `values`, and in the random numbers: for a copy of a line.

    Attributes:
        faults: by name.

    Raises:
        ValueError: a name is used twice or cannot be one, or a model, parameter or variable does not exist.
    """

    def __init__(self, document: Mapping[str, Any], seed: int, values: Values, suffix: str = "") -> None:
        faults = {name: _fault(name, body, suffix) for name, body in (document.get("faults") or {}).items()}
        self.faults = {f"{name}{suffix}": fault for name, fault in faults.items()}
        default_s = document.get("step_s", STEP_S)
        steps = {name: _every(name, params.get("step_s", default_s)) for name, params in document["variables"].items()}
        tape = self._tape = Tape(document["played"], STEP_NS) if "played" in document else None
        variables = [
            Variable(name, params, steps[name] * STEP_S, f"{seed}{suffix}", number, tape)
            for number, (name, params) in enumerate(document["variables"].items())
        ]
        blocks = [(steps[v.name], _code(v)) for v in variables]
        own: Values = {}
        for fault in faults:
            _add(own, {fault: 0, f"{fault}_t": 0.0})
        for v in variables:
            _add(own, v.initials)
        keys = {name: name + suffix for name in own} | {name: name for name in CLOCK}
        if twice := next((name for name, key in keys.items() if key in values and name not in CLOCK), ""):
            raise ValueError(f"variable {twice} is defined twice")
        own |= CLOCK
        for v in variables:
            if unknown := sorted(name for name in v.rewriter.read if name not in own):
                raise ValueError(f"{v.name}: {', '.join(unknown)} is no variable of the line")
        made = {name: value for v in variables for name, value in v.made.items()}
        source = "\n".join(_function(keys, faults, blocks))
        scope: dict[str, Any] = {**FUNCTIONS, **made}
        exec(compile(source, f"<{document['line']}>", "exec"), scope)  # noqa: S102 — our own plant.yaml, never user input
        self._advance = scope["advance"]
        self._due = [keys[due_of(v.name)] for v in variables if v.params.get("model") == "played"]
        self._values = values
        values.update({keys[name]: value for name, value in own.items()})

    def begin(self, step: int) -> None:
        """Let a history that waited go on from its first row at a step."""
        if self._tape is not None:
            self._tape.begin(step)
            self._values.update(dict.fromkeys(self._due, step))

    def over(self, step: int) -> bool:
        """Whether it plays a history, and that is over."""
        return self._tape is not None and self._tape.over(step)

    def advance(self, done: int, steps: int) -> None:
        """Do `steps` more steps after `done`."""
        self._advance(self._values, done, steps)


def _add(own: Values, initials: Values) -> None:
    for name, value in initials.items():
        if name in own:
            raise ValueError(f"variable {name} is defined twice")
        if name in _TAKEN or name.startswith("_") or not name.isidentifier() or keyword.iskeyword(name):
            raise ValueError(f"variable {name}: this cannot be a name")
        own[name] = value


def _fault(name: str, body: Mapping[str, Any], suffix: str) -> Fault:
    try:
        return Fault(name + suffix, body["label"]["ko"], body["label"]["en"], float(body.get("for_s", 600)))
    except KeyError as missing:
        raise ValueError(f"fault {name}: {missing} is missing") from missing


def _every(name: str, step_s: float) -> int:
    """Steps between two evaluations."""
    every = round(step_s / STEP_S)
    if every < 1 or not math.isclose(every * STEP_S, step_s):
        raise ValueError(f"{name}: step_s must be a multiple of {STEP_S:g}")
    return every


def _code(v: Variable) -> Code:
    model = MODELS.get(v.params.get("model", "expr"))
    if model is None:
        raise ValueError(f"{v.name}: no model {v.params.get('model')!r}; there are {', '.join(MODELS)}")
    return model(v)


def _function(keys: Mapping[str, str], faults: Iterable[str], blocks: Iterable[tuple[int, Code]]) -> Iterator[str]:
    """The source: variables are locals while it runs, and in `values` before and after."""
    yield "def advance(_values, _done, _steps):"
    for name, key in keys.items():
        yield f"    {name} = _values[{key!r}]"
    yield "    for _step in range(_done + 1, _done + _steps + 1):"
    yield f"        t = _step * {STEP_S!r}"
    yield f"        hour = (t + {START_S}) % {DAY_S} / 3600.0"
    yield f"        weekday = int((t + {START_S}) // {DAY_S}) % 7"
    for name in faults:
        yield f"        {name}_t = {name}_t + {STEP_S!r} if {name} else 0.0"
    for every, group in groupby(blocks, key=lambda block: block[0]):
        margin = "        "
        if every > 1:
            yield f"        if _step % {every} == 1:"
            margin += "    "
            yield f"{margin}pass"
        for _, code in group:
            yield from (margin + line for line in code)
    for name, key in keys.items():
        yield f"    _values[{key!r}] = {name}"
