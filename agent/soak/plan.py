"""A plan: which lines, for how long, and which faults when. Files are YAML, faults in them `FILE:LINE: message`."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError, model_validator

from agent.config import ConfigFaults, Remark
from agent.document import Node, read_document
from agent.duration import duration_s
from agent.paths import LINES
from agent.soak.fault import Fault
from agent.soak.registry import FAULTS, fault_class
from pipelines.errors import ConfigError
from pipelines.settings import Settings, words_of

PLANS: Final = Path(__file__).parent / "plans"
"""Plans that come with the product."""
_WINDOW: Final = 2


def _seconds(value: Any) -> Any:
    """`90s`, `10m` or `2h` as seconds; a number stays as it is and is refused."""
    if not isinstance(value, str):
        msg = "must be a time such as 30s, 10m or 2h"
        raise ValueError(msg)  # noqa: TRY004 - pydantic turns a ValueError into a fault of the file
    try:
        return 0.0 if value == "0s" else duration_s("", value)
    except ConfigError:
        msg = f"{value!r} is no time; write 30s, 10m or 2h"
        raise ValueError(msg) from None


Span = Annotated[float, BeforeValidator(_seconds)]


class Step(Settings):
    """One fault, once or again and again."""

    fault: str
    """Name of the fault; `agent soak --list` shows them."""
    for_: Annotated[Span, Field(alias="for")] = 0.0
    """How long it is held."""
    at: Span | None = None
    """When, from the start of the run; with `every` or `random`: once more, then."""
    every: Span | None = None
    """Again and again, this far apart."""
    random: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """So many times at random."""
    between: tuple[Span, ...] = ()
    """`[FROM, TO]` for `every` and `random`; default: the whole run."""
    with_: Annotated[dict[str, Any], Field(alias="with", default_factory=dict)]
    """Parameters of the fault."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        often = sum(one is not None for one in (self.every, self.random))
        if often > 1 or not (often or self.at is not None):
            msg = "say when: `at`, and one of `every` and `random`"
            raise ValueError(msg)
        if self.between and (len(self.between) != _WINDOW or self.between[0] >= self.between[1] or not often):
            msg = "`between` is [FROM, TO] and goes with `every` or `random`"
            raise ValueError(msg)
        return self

    def made(self) -> Fault:
        """The fault with its parameters."""
        return TypeAdapter(fault_class(self.fault)).validate_python(self.with_)


class Limits(Settings):
    """What the run may cost; beyond it a promise is broken."""

    recovery_s: Annotated[float, Field(gt=0)] = 60.0
    """Longest time after a fault was healed until all links are up and everything produced until then is stored."""
    rss_slope_mb_h: Annotated[float, Field(gt=0)] | None = None
    """Growth of the collector's memory after warm-up, MB an hour."""
    fd_slope_h: Annotated[float, Field(gt=0)] | None = None
    """Growth of its open files and of its threads, an hour."""
    warm_up: Annotated[Span, Field(ge=0)] = 300.0
    """Start of each of its lives that is left out of growth: what it loads and keeps for good comes then."""


class Plan(Settings):
    """A soak plan."""

    description: str = ""
    """One sentence for `agent soak --list`."""
    lines: Annotated[tuple[str, ...], Field(min_length=1)]
    """Line templates to simulate; `agent lines` shows them."""
    duration: Span
    """How long faults are injected; starting, the last recovery and the judgement come on top."""
    seed: int = 1
    """Of the faults' times and of the plant's physics."""
    store: Literal["embedded", "influx"] = "embedded"
    """`embedded`: `agent serve`; `influx`: influxd with bridges and a viewer."""
    bridges: Annotated[int, Field(ge=1, le=9)] = 1
    """Bridges that share the load; more than one needs `store: influx`."""
    limits: Limits = Limits()
    """What the run may cost."""
    steps: tuple[Step, ...] = ()
    """The faults."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.bridges > 1 and self.store == "embedded":
            msg = "several bridges need `store: influx`; one process holds the embedded store"
            raise ValueError(msg)
        return self


def plan_names() -> list[str]:
    """Names of the plans that come with the product, the shortest first."""
    return sorted((path.stem for path in PLANS.glob("*.yaml")), key=lambda name: load_plan(name).duration)


def load_plan(name: str) -> Plan:
    """The plan of that name, or in that file.

    Raises:
        ConfigFaults: there is none, or it is not valid: every mistake with file and line.
    """
    shipped = PLANS / f"{name}.yaml"
    path = shipped if shipped.exists() and not Path(name).is_file() else Path(name)
    if not path.is_file():
        names = ", ".join(sorted(one.stem for one in PLANS.glob("*.yaml")))
        raise ConfigError(None, None, f"no plan {name!r}; there are {names}, or name a YAML file")
    root, findings = read_document(path)
    faults = [(one.line or 1, one.message) for one in findings]
    plan = None
    if root is not None and not faults:
        try:
            plan = Plan.model_validate_json(json.dumps(root.data), strict=True)
        except ValidationError as error:
            faults = [(_line(root, one["loc"]), _words(one)) for one in error.errors(include_url=False)]
        else:
            faults = list(_names(root, plan))
    if plan is None or faults:
        raise ConfigFaults([Remark(path, line, words) for line, words in sorted(set(faults))])
    return plan


def _names(root: Node, plan: Plan) -> Iterator[tuple[int, str]]:
    """What refers to something by name and is not there, or does not fit: lines, faults and their parameters."""
    lines = sorted(one.parent.name for one in LINES.glob("*/site.yaml"))
    for number, line in enumerate(plan.lines):
        if line not in lines:
            yield _line(root, ("lines", number)), f"lines: {_unknown(line, lines)}"
    for number, step in enumerate(plan.steps):
        here = _line(root, ("steps", number, "fault"))
        if step.fault in FAULTS:
            yield from _parameters(root, number, step)
        else:
            yield here, f"fault: {_unknown(step.fault, list(FAULTS))}"
        last = step.at if step.at is not None else (step.between or (0.0, 0.0))[-1]
        if last > plan.duration:
            yield here, f"fault: {step.fault} comes after the end of the plan"


def _parameters(root: Node, number: int, step: Step) -> Iterator[tuple[int, str]]:
    known = [one.name for one in dataclasses.fields(fault_class(step.fault))]  # type: ignore[arg-type]
    unknown = [key for key in step.with_ if key not in known]
    for key in unknown:
        reason = _unknown(key, known) if known else f"{step.fault} has no parameters; remove it"
        yield _line(root, ("steps", number, "with", key)), f"with: {reason}"
    try:
        if not unknown:
            step.made()
    except ValidationError as error:
        for one in error.errors(include_url=False):
            where = ("steps", number, "with", *one["loc"])
            yield _line(root, where), _words({**one, "loc": where})


def _unknown(given: str, known: list[str]) -> str:
    close = difflib.get_close_matches(given, known, 1)
    return f"there is no {given!r}; " + (f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}")


def _line(root: Node, place: tuple[int | str, ...]) -> int:
    """The line something stands in; of what is missing, that of the group that lacks it."""
    line, node = root.line, root
    for step in place:
        if step not in node.below:
            break
        line, node = node.key_lines[step], node.below[step]
    return line


def _words(fault: Any) -> str:
    keys = [str(step) for step in fault["loc"] if isinstance(step, str)]
    where = keys[-1] if keys else "plan"
    if fault["type"] == "extra_forbidden":
        known = {**Plan.model_fields, **Limits.model_fields, **Step.model_fields}
        return f"{where}: {_unknown(where, [name.rstrip('_') for name in known])}"
    if fault["type"] == "missing":
        return f"{where}: is missing"
    return f"{where}: {words_of(fault)}"
