"""Settings of alarms: a condition over tags, and how people are called to it (ISA-18.2, IEC 62682)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from pipelines.derive.rule import Ref
from pipelines.derive.settings import TagRef
from pipelines.settings import Labels, Name, Settings

Priority = Literal["urgent", "important", "caution", "info"]
PRIORITIES: Final = {"urgent": "긴급", "important": "중요", "caution": "주의", "info": "정보"}
"""Priorities, the most pressing first, and what people see."""
SEVERITIES: Final = {"urgent": 900, "important": 700, "caution": 500, "info": 200}
"""As a severity of OPC UA, 1-1000 (OPC 10000-9 §5.5.2)."""
SAFETY_DELAY_S: Final = 3.0
"""Longest on-delay of a safety alarm, seconds."""
_KINDS: Final = ("above", "below", "outside", "equals", "rises_by")


class AlarmSettings(Settings):
    """An alarm: exactly one of `above`, `below`, `outside`, `equals` and `rises_by`.

    What it watches is `tag`, or `tag` minus another one, or the spread of several `tags`.
    """

    name: Name
    """Name of the alarm, unique within its machine."""
    machine: Name
    """Machine it belongs to."""
    tag: TagRef | None = None
    """Tag it watches: of its machine, or `OTHER-MACHINE/tag`."""
    minus: TagRef | None = None
    """Subtracted from `tag`, for example a set point."""
    of: Literal["max-min"] | None = None
    """What is made of `tags`: `max-min` is their spread."""
    tags: tuple[TagRef, ...] = ()
    """Tags it watches together, at least two; needs `of`."""
    above: float | None = None
    """Alarm while the value is above this, engineering units."""
    below: float | None = None
    """Alarm while the value is below this."""
    outside: Annotated[float, Field(gt=0)] | None = None
    """Alarm while the value is further from 0 than this; with `minus`, further from the other tag."""
    equals: bool | int | float | str | None = None
    """Alarm while the value is this number, text or `true`/`false`."""
    rises_by: Annotated[float, Field(gt=0)] | None = None
    """Alarm while the value is at least so much above its lowest of the last `per_s` seconds."""
    per_s: Annotated[float, Field(gt=0, le=86_400)] | None = None
    """Seconds that `rises_by` looks back."""
    times: Annotated[int, Field(ge=1, le=1000)] = 1
    """Readings in a row that must meet the condition; counts what comes, so that it suits polled tags."""
    delay_s: Annotated[float, Field(ge=0, le=86_400)] = 0.0
    """On-delay: how long the condition must hold, seconds; at most 3 where `safety` is set."""
    deadband: Annotated[float, Field(ge=0)] = 0.0
    """How far the value must come back behind the limit before the alarm ends, engineering units."""
    priority: Priority
    """`urgent` (긴급), `important` (중요), `caution` (주의) or `info` (정보)."""
    latch: bool = False
    """The alarm stays after its condition is over until it is acknowledged then."""
    safety: bool = False
    """A safety alarm: latched, never shelved, and raised as well when its value has been unknown for 5 s: the device is
    gone, its quality is bad, or `fault` says so. Its events go into the hash-chained log."""
    ccp: bool = False
    """Critical control point (HACCP): its events go into the hash-chained log."""
    fault: TagRef | None = None
    """Tag that is not 0 while the detector is faulty: the value is unknown then."""
    only_while: TagRef | None = None
    """Tag that is 0 while the alarm means nothing, for example of a pump that runs: it is suppressed then."""
    in_service: bool = True
    """`false` takes it out of service: it never comes."""
    label: Labels = Labels()
    """What people see."""
    action: Labels = Labels()
    """What to do when it comes."""

    @property
    def latched(self) -> bool:
        """Whether it stays until it is acknowledged."""
        return self.latch or self.safety

    @property
    def chained(self) -> bool:
        """Whether its events go into the hash-chained log."""
        return self.safety or self.ccp

    def ref(self, tag: str) -> Ref:
        """What one of its tag names means."""
        return Ref.of(self.machine, tag)

    def named_tags(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Every tag it names: the key, below the alarm, and the tag as it is written."""
        for key in ("tag", "minus", "fault", "only_while"):
            if (one := getattr(self, key)) is not None:
                yield (key,), one
        for index, one in enumerate(self.tags):
            yield ("tags", index), one

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        given = [key for key in _KINDS if getattr(self, key) is not None]
        if len(given) != 1:
            what = f"it has {' and '.join(given)}" if given else "it has none"
            raise ValueError(f"needs exactly one of {', '.join(_KINDS)}; {what}")
        if (self.rises_by is None) != (self.per_s is None):
            raise ValueError("rises_by and per_s belong together; name both or none")
        if self.equals is not None and self.deadband:
            raise ValueError("equals has no limit to come back behind; remove deadband")
        if isinstance(self.equals, str) and (self.minus or self.tags):
            raise ValueError("a text is compared with one tag; remove minus and tags")
        if self.outside is not None and self.deadband >= self.outside:
            raise ValueError(f"deadband ({self.deadband:g}) must be below outside ({self.outside:g})")
        return self

    @model_validator(mode="after")
    def _one_value(self) -> Self:
        if bool(self.tag) == bool(self.tags):
            raise ValueError("needs tag, or tags with `of: max-min`; one of the two")
        if bool(self.tags) != (self.of is not None):
            raise ValueError("tags and of belong together; name both or none")
        if self.tags and len(set(self.tags)) != max(2, len(self.tags)):
            raise ValueError("tags needs at least two tags, each once")
        if self.minus and (self.tags or self.minus == self.tag):
            raise ValueError("minus is another tag than tag, and does not go with tags")
        return self

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if self.safety and self.delay_s > SAFETY_DELAY_S:
            raise ValueError(f"a safety alarm waits at most {SAFETY_DELAY_S:g} s; lower delay_s ({self.delay_s:g})")
        if self.safety and self.only_while:
            raise ValueError("a safety alarm is never suppressed; remove only_while")
        return self
