"""Occupational exposure limits by substance: the table `exposure_limits.yaml`, and what a site sets of it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, TypeAdapter, model_validator

from pipelines.settings import FieldName, Name, Settings
from pipelines.yaml_text import plain_yaml

TABLE = Path(__file__).with_suffix(".yaml")


class Limits(Settings):
    """Limits of one substance."""

    ko: str
    """Korean name."""
    en: str
    """English name."""
    unit: str
    """Unit of the limits: `ppm` or `mg/m³`."""
    twa: Annotated[float, Field(gt=0)]
    """Mean of 8 hours."""
    stel: Annotated[float, Field(gt=0)] | None = None
    """Mean of 15 minutes; None = there is none."""
    ceiling: Annotated[float, Field(gt=0)] | None = None
    """Never above this; None = there is none."""
    valid_from: Annotated[str, Field(pattern=r"^(19|20)\d\d(-[01]\d(-[0-3]\d)?)?$")] | None = None
    """Since when they hold: a date, or the month or year where its day is not known; None = nobody looked it up."""
    verified: bool
    """Whether the figures were read in a publication of the ministry."""
    source: str
    """Where they are from."""

    @model_validator(mode="after")
    def _dated(self) -> Self:
        if self.verified and self.valid_from is None:
            msg = "is verified and does not say since when; add valid_from"
            raise ValueError(msg)
        return self


class ExposureSettings(Settings):
    """A gas whose means of 8 hours (TWA) and 15 minutes (STEL) are kept beside its limits."""

    machine: Name
    """Machine the detector belongs to."""
    tag: FieldName
    """Tag of that machine with the concentration, in the unit of the limits."""
    substance: str
    """A substance of the table `pipelines/derive/exposure_limits.yaml`, such as `NH3`."""
    twa: Annotated[float, Field(gt=0)] | None = None
    """Limit of the 8-hour mean; default: the table's."""
    stel: Annotated[float, Field(gt=0)] | None = None
    """Limit of the 15-minute mean; default: the table's."""


@cache
def limits_table() -> dict[str, Limits]:
    """The table, by substance."""
    return TypeAdapter(dict[str, Limits]).validate_python(plain_yaml(TABLE.read_text(encoding="utf-8")))
