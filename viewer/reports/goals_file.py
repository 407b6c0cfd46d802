"""Baselines, targets and weights from a file; each version stays in it (docs/reports.md)."""

from __future__ import annotations

import csv
import io
import reprlib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from pipelines.errors import ConfigError
from pipelines.settings import Settings, first_fault
from pipelines.yaml_text import PARSER
from viewer.csv_text import unguarded
from viewer.kpi.catalog import CATALOG
from viewer.kpi.goal import GROWTH, Goal, can_be
from viewer.kpi.production import Produced
from viewer.kpi.words import Text
from viewer.reports.subject import Change

_WHAT: Final = "file of goals"
_MOST_BYTES: Final = 256 << 10
_MOST_DEEP: Final = 10


class GoalSettings(Settings):
    """One version of one goal."""

    code: str
    """Figure of the catalogue, such as `P-OEE`."""
    baseline: float | None = None
    """기존; left out = not measured."""
    target: float
    """목표."""
    weight: Annotated[float, Field(gt=0)] = 1.0
    """가중치."""
    version: Annotated[int, Field(ge=1)] = 1
    """Counts its changes."""
    approved_on: date | None = None
    """From that day on it is locked; left out = a draft."""
    approved_by: str = ""
    """Who approved it."""
    detail: str = ""
    """Why it was changed."""
    dropped: bool = False
    """From this version on the figure is no goal any more."""
    baseline_from: str = ""
    """Where the baseline is from."""
    baseline_pieces: Annotated[float, Field(gt=0)] | None = None
    """Of `P-QTY`: pieces that were made in the time of the baseline."""
    baseline_hours: Annotated[float, Field(gt=0)] | None = None
    """Of `P-QTY`: working time (조업시간) in which they were made, h."""

    @field_validator("code")
    @classmethod
    def _known(cls, code: str) -> str:
        if code not in CATALOG:
            msg = f"{code} is no figure of the catalogue; docs/kpi.md lists them"
            raise ValueError(msg)
        return code

    @model_validator(mode="after")
    def _both(self) -> GoalSettings:
        known = self.baseline_pieces is not None, self.baseline_hours is not None
        if any(known) and not (all(known) and self.code == GROWTH):
            msg = f"{self.code}: baseline_pieces and baseline_hours belong together, and to {GROWTH}"
            raise ValueError(msg)
        return self

    @property
    def before(self) -> Produced | None:
        """What was made in the time of the baseline."""
        if self.baseline_pieces is None or self.baseline_hours is None:
            return None
        return Produced.in_hours(self.baseline_pieces, self.baseline_hours)

    def goal(self) -> Goal:
        """As the figures know it."""
        return Goal(
            code=self.code,
            baseline=self.baseline,
            target=self.target,
            weight=self.weight,
            version=self.version,
            approved_on=self.approved_on,
            approved_by=self.approved_by,
            baseline_from=self.baseline_from,
            before=self.before,
        )

    def change(self) -> Change:
        """As the history of changes tells it."""
        origin = f" ({self.baseline_from})" if self.baseline_from else ""
        ko = f"기존 {_said(self.baseline)}{origin} → 목표 {_said(self.target)}, 가중치 {self.weight:g}"
        en = f"baseline {_said(self.baseline)}{origin} → target {_said(self.target)}, weight {self.weight:g}"
        if self.dropped:
            ko, en = "목표에서 제외", "no goal any more"
        behind = f" · {self.detail}" if self.detail else ""
        return Change(
            when=self.approved_on,
            what=CATALOG[self.code].name,
            version=self.version,
            detail=Text(ko + behind, en + behind),
            by=self.approved_by,
        )


class GoalsFile(Settings):
    """What the project promised."""

    project: dict[str, str] = Field(default_factory=dict)
    """What the cover says of the project: name to text, in order."""
    cap: Annotated[float, Field(gt=0)] | None = None
    """No achievement counts for more than this, percent; left out = no limit."""
    goals: tuple[GoalSettings, ...] = ()
    """Each version of each goal."""

    @field_validator("project", mode="before")
    @classmethod
    def _texts(cls, project: object) -> object:
        """YAML takes 2021_00381 for a number, and what it was is lost."""
        for name, value in project.items() if isinstance(project, dict) else ():
            if not isinstance(value, str):
                msg = f"{name}: put its value in quotes, it was read as {reprlib.repr(value)}"
                raise ValueError(msg)  # noqa: TRY004 - pydantic tells ValueErrors
        return project

    @field_validator("goals")
    @classmethod
    def _once(cls, goals: tuple[GoalSettings, ...]) -> tuple[GoalSettings, ...]:
        seen = set[tuple[str, int]]()
        for one in goals:
            if (one.code, one.version) in seen:
                msg = f"{one.code} has version {one.version} twice; count each change on"
                raise ValueError(msg)
            seen.add((one.code, one.version))
        return goals

    def on(self, day: date) -> tuple[Goal, ...]:
        """The goals that hold on a day, in the order of the file.

        Of each figure the newest version that was approved by then; where none was, the newest draft.
        """
        held: dict[str, GoalSettings] = {}
        for one in self.goals:
            if one.approved_on is not None and one.approved_on > day:
                held.setdefault(one.code, one.model_copy(update={"approved_on": None, "approved_by": ""}))
                continue
            before = held.get(one.code)
            if before is None or _rank(one) > _rank(before):
                held[one.code] = one
        return tuple(one.goal() for one in held.values() if not one.dropped)

    def changes(self) -> tuple[Change, ...]:
        """Every version, as they were approved; drafts last."""
        order = sorted(self.goals, key=lambda one: (one.approved_on or date.max, one.code, one.version))
        return tuple(one.change() for one in order)


def read_goals(path: Path) -> GoalsFile:
    """Goals from a YAML file, or from a CSV file whose heading names the keys of a goal.

    Raises:
        ConfigError: it cannot be read, or holds something else.
    """
    try:
        return goals_in(path.read_bytes(), path)
    except OSError as error:
        raise ConfigError(path, None, f"cannot be read: {error.strerror}") from error


def goals_in(data: bytes, path: Path) -> GoalsFile:
    """Goals in the bytes of such a file; its ending says which kind it is.

    Raises:
        ConfigError: they hold something else.
    """
    try:
        if len(data) > _MOST_BYTES:
            raise ConfigError(path, None, f"has more than {_MOST_BYTES >> 10} KiB, which no {_WHAT} needs")
        text = data.decode("utf-8-sig")
        if path.suffix.lower() != ".csv":
            found = GoalsFile.model_validate(_plain_yaml(text, path))
        else:
            rows: list[Mapping[str, Any]] = [_filled(row) for row in csv.DictReader(io.StringIO(text, newline=""))]
            found = GoalsFile.model_validate({"goals": rows})
    except (csv.Error, UnicodeDecodeError) as error:
        raise ConfigError(path, None, f"is no {_WHAT}: {error}; save it in UTF-8") from error
    except yaml.YAMLError as error:
        raise ConfigError(path, None, f"is no {_WHAT}: {error}") from error
    except ValidationError as error:
        raise ConfigError(path, None, f"is no {_WHAT}: {first_fault(error)}") from None
    for one in found.goals:  # here and not in the model, which also holds what a book took before it refused such
        if not one.dropped and not can_be(one.code, one.target):
            of = CATALOG[one.code]
            bound = f"a share: its target is from 0 to {of.most:,.0f} {of.unit.en}, not {one.target:,g}"
            raise ConfigError(path, None, f"{one.code} (version {one.version}) is {bound}")
    return found


def _plain_yaml(text: str, path: Path) -> Any:
    """What YAML says, where it says each value once: nine lines of aliases can stand for a billion values.

    Raises:
        ConfigError: it has aliases, or is deeper than any goal.
    """
    depth = 0
    for event in yaml.parse(text, Loader=PARSER):
        if isinstance(event, yaml.AliasEvent):
            raise ConfigError(path, None, f"aliases (*) are not taken in a {_WHAT}; write it out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MOST_DEEP:
            raise ConfigError(path, None, f"is no {_WHAT}: too many brackets in each other")
    return yaml.load(text, Loader=PARSER)  # noqa: S506 - a safe loader


def _filled(row: Mapping[str | None, Any]) -> dict[str, Any]:
    """A line without its empty cells."""
    texts = ((str(name).strip(), unguarded(value.strip())) for name, value in row.items() if isinstance(value, str))
    return {name: text for name, text in texts if text}


def _rank(one: GoalSettings) -> tuple[bool, int]:
    return one.approved_on is not None, one.version


def _said(value: float | None) -> str:
    return "—" if value is None else f"{value:,g}"
