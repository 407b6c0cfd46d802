"""Why a reading was preferred or not, in words. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

from connectors.modbus.probe.layout import Reading, Spot
from connectors.modbus.probe.score import known

_SMALL: float = 1e-5
_LARGE: float = 1e10
_JUMP: float = 0.5
_STEADY: float = 0.05


def reasons(reading: Reading, spots: list[Spot]) -> list[str]:
    """What speaks for or against a reading.

    Args:
        reading: one of a spot's.
        spots: the values of the same range, for what neighbours agree on.
    """
    found = list(_of_text(reading) if reading.way.kind == "text" else _of_number(reading))
    way = reading.way
    if way.width > 1 and way.kind != "text":
        same = sum(one.best.way.order == way.order and one.best.way.width > 1 for one in spots)
        others = sum(one.best.way.order != way.order and one.best.way.width > 1 for one in spots)
        if same > 1:
            found.append(f"{same} values here have order {way.order}")
        elif others > 1:
            found.append(f"the {others} values here have another order")
    return found


def _of_text(reading: Reading) -> Iterator[str]:
    text = reading.value[0].rstrip("\0 ")
    yield "printable text" if text.isprintable() and text else "not printable"


def _of_number(reading: Reading) -> Iterator[str]:
    value, floating = reading.value, reading.way.kind.startswith("float")
    first = value[0]
    if not any(value):
        yield "0 says nothing"
        return
    if floating and not all(map(math.isfinite, value)):
        yield "not a number"
        return
    size = abs(first)
    if what := known(size, integer=not floating):
        yield f"like {what}"
    elif floating:
        usual = _SMALL <= size <= _LARGE or first == 0
        yield "a usual size" if usual else f"no process has {first:.3g}"
    elif size > _LARGE:
        yield f"no process has {first:.3g}"
    yield from _of_steps(value)


def _of_steps(value: tuple[float, ...]) -> Iterator[str]:
    steps = [after - before for before, after in pairwise(value)]
    size = max(abs(one) for one in value)
    if not steps:
        return
    most = max(map(abs, steps))
    if most == 0:
        yield "does not change"
    elif min(steps) >= 0 and most < _STEADY * size:
        yield "counts up"
    elif most <= _STEADY * size:
        yield f"moves by {100 * most / size:.2g} %"
    elif most > _JUMP * size:
        yield "jumps between reads"
