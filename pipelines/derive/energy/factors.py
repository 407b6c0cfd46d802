"""Emission factors as data: dated, with their source, from `factors.yaml` or a site's own table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field

from pipelines.calendar import KST_NS
from pipelines.settings import Settings
from pipelines.table import read_table

TABLE: Final = Path(__file__).with_name("factors.yaml")


class Factor(Settings):
    """One emission factor."""

    carrier: Literal["electricity", "lng", "lpg", "diesel", "steam"]
    """What is used."""
    value: Annotated[float, Field(gt=0)]
    """Emission per unit of it."""
    unit: Literal["tCO2eq/MWh", "kgCO2/Nm3", "kgCO2/kg", "kgCO2/L"]
    """Unit of the value; 1 tCO2eq/MWh = 1 kg/kWh."""
    valid_from: date
    """First day of use it holds for, until the next one of the same carrier."""
    scope: str
    """What it includes, and of which years it is the mean."""
    source: str
    """Where it was published."""
    verified: bool
    """Whether it was held against that source; if not, points of it say so."""


class FactorTable(Settings):
    """A file of emission factors."""

    factors: tuple[Factor, ...]
    """In any order."""


def load(path: Path = TABLE) -> tuple[Factor, ...]:
    """The factors in a file.

    Raises:
        ConfigError: it cannot be read, or holds something else.
    """
    return read_table(path, FactorTable, "table of emission factors").factors


def factor_at(factors: Sequence[Factor], carrier: str, time_ns: int) -> Factor | None:
    """The factor for what is used on the Korean day of a time; None before the first one.

    Args:
        factors: the table.
        carrier: what is used.
        time_ns: when, ns since 1970 UTC.
    """
    day = datetime.fromtimestamp((time_ns + KST_NS) // 10**9, UTC).date()
    known = [one for one in factors if one.carrier == carrier and one.valid_from <= day]
    return max(known, key=lambda one: one.valid_from, default=None)


def co2_kg(amount: float, factor: Factor) -> float:
    """Emission of an amount in kWh, Nm³, kg or litres as the factor's unit says: amount x factor."""
    return amount * factor.value
