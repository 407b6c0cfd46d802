"""What a site says of a battery cycler."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field

from pipelines.derive.settings import TagRef
from pipelines.settings import Name, Settings

Kind = Literal["CHG", "REST", "DCH", "PULSE", "IDLE", "END", "ALARM"]
_SINGLE: Final = ("state", "v", "i", "step", "pack", "model", "delta_mv", "insulation_mohm")


class ChannelSettings(Settings):
    """Tags of one channel."""

    state: TagRef
    """What it does."""
    v: TagRef
    """Voltage, V."""
    i: TagRef
    """Current, A, of either sign."""
    step: TagRef | None = None
    """The cycler's number of the step; default: a step ends when the state changes."""
    t: tuple[TagRef, ...] = ()
    """Temperatures, ℃; the highest counts."""
    pack: TagRef | None = None
    """Which pack is tested."""
    model: TagRef | None = None
    """Its model, which says in the grading rule what it is rated for."""
    delta_mv: TagRef | None = None
    """Difference between its cells' open-circuit voltages, mV."""
    insulation_mohm: TagRef | None = None
    """Insulation resistance, MΩ."""

    def roles(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Key, role (see `Channel`) and tag of everything a channel names."""
        for key in _SINGLE:
            if (text := getattr(self, key)) is not None:
                yield (key,), key, text
        for index, text in enumerate(self.t):
            yield ("t", index), f"t{index or ''}", text


class BatterySettings(Settings):
    """Tests of battery packs: steps, figures and grades."""

    channels: Annotated[dict[Name, ChannelSettings], Field(min_length=1)]
    """Channels by name."""
    states: Annotated[dict[str, Kind], Field(default_factory=dict)]
    """Raw value of `state` (in quotes where it is a number) → what the channel does. Empty = the value is that word."""
    rule_file: Path | None = None
    """YAML file of the grading rule; default: the product's own, whose limits are not verified."""
