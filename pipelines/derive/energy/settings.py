"""What a site says of a machine's energy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipelines.derive.settings import TagRef
from pipelines.settings import Settings


class EnergySettings(Settings):
    """Energy of a machine by the hour and by the lot; pieces are those of `count`."""

    kwh: TagRef | None = None
    """Tag of an energy counter, kWh: exactly one of this and `kw`. A counter goes on while nobody reads it: it is the
    better of the two."""
    kw: TagRef | None = None
    """Tag of the active power, kW, which is integrated."""
    rollover_kwh: Annotated[float, Field(gt=0)] | None = None
    """Where the counter begins at 0 again, for example 1000000; default: every step back is a reset."""
    covers: Literal["machine", "line"] = "machine"
    """What the meter measures: `machine`, or `line`: the whole of its line, other machines with meters of their own
    included. Where a line has such a meter, its energy is that of this meter alone; else that of all its meters."""
    max_gap_s: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """Two readings further apart, seconds, leave unknown how energy is spread between them; of a polled power also how
    much it is."""
    lot: TagRef | None = None
    """Tag of the lot that is made; empty or 0 = none."""
    product: TagRef | None = None
    """Tag of the product."""
    factors_file: Path | None = None
    """YAML file of emission factors; default: the product's own, with the factors of the Korean grid."""

    @model_validator(mode="after")
    def _one_meter(self) -> Self:
        if (self.kwh is None) == (self.kw is None):
            msg = "needs exactly one of kwh and kw"
            raise ValueError(msg)
        if self.rollover_kwh is not None and self.kwh is None:
            msg = "rollover_kwh belongs to kwh; remove it"
            raise ValueError(msg)
        if self.product is not None and self.lot is None:
            msg = "product belongs to lot; name lot too"
            raise ValueError(msg)
        return self
