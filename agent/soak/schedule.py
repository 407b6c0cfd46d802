"""When which fault comes: the steps of a plan written out with chance from its seed. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass

from agent.soak.plan import Plan, Step


@dataclass(frozen=True, slots=True)
class Moment:
    """One fault to come.

    Attributes:
        at_s: from the start of the run; it waits for the one before to be over.
        step: what it is.
        index: of the step in the plan.
    """

    at_s: float
    step: Step
    index: int


def schedule(plan: Plan, chance: random.Random) -> list[Moment]:
    """Every fault of the plan in order of time; equal seeds give equal times."""
    found: list[Moment] = []
    for index, step in enumerate(plan.steps):
        first, last = step.between or (step.every or 0.0, plan.duration)
        times = [] if step.at is None else [step.at]
        if step.every is not None:
            times += [first + number * step.every for number in range(1 + int((last - first) / step.every))]
        else:
            times += [chance.uniform(first, last) for _ in range(step.random or 0)]
        found += [Moment(at_s, step, index) for at_s in times if at_s <= plan.duration]
    return sorted(found, key=lambda one: one.at_s)
