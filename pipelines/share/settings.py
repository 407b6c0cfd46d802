"""What a site shares, and with whom."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final, Literal

from pydantic import Field

from pipelines.delivery.mqtt_settings import MqttSettings
from pipelines.derive.rule import Ref
from pipelines.derive.settings import TagRef
from pipelines.settings import Labels, Name, Settings

_MIB: Final = 1 << 20
Level = Literal["none", "kpi", "aggregate", "raw"]
LEVELS: Final[tuple[Level, ...]] = ("none", "kpi", "aggregate", "raw")
"""From the least to the most that is shared."""


class ShareSettings(Settings):
    """One destination beside the own store: a Technopark, or the company that orders."""

    label: Labels = Labels()
    """What people see."""
    default: Level = "none"
    """For tags that nothing below names. `none`: nothing of the tag leaves the edge. `kpi`: states, counts and
    energy by the hour made from it. `aggregate`: one line a minute with its least, mean, greatest and last value,
    alarms on it, and what it says of lots and of battery tests. `raw`: every reading."""
    machines: Annotated[dict[Name, Level], Field(default_factory=dict)]
    """For all tags of a machine that `tags` does not name."""
    tags: Annotated[dict[TagRef, Level], Field(default_factory=dict)]
    """For a tag, `MACHINE/tag`."""
    mqtt: MqttSettings | None = None
    """The broker of the destination; default: the site's own. Records go to
    `sf/<company>/<site>/<agent>/shared/<destination>`."""
    confirm: Literal["stored", "broker"] = "stored"
    """When a record is released: `stored` when the destination's bridge says that its store has it, `broker` on
    PUBACK."""
    max_bytes: Annotated[int, Field(ge=_MIB)] = 256 * _MIB
    """Hard cap of the destination's own buffer on disk; at the cap the oldest records are given up, and told as gaps.
    256 MiB hold a month of aggregates of 60 tags."""

    def levels(self, refs: Iterable[Ref]) -> dict[Ref, Level]:
        """How much is shared of each tag."""
        return {ref: self.tags.get("/".join(ref)) or self.machines.get(ref.machine) or self.default for ref in refs}
