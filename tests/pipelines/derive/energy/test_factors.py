"""Emission factors: dated, and never a constant."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.derive.energy.factors import co2_kg, factor_at, load
from pipelines.errors import ConfigError

TABLE = load()


def ns(year: int, month: int = 1, day: int = 1) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("year", "tonnes"),
    [(2026, 5.152), (2023, 5.152), (2022, 5.606), (2020, 5.606), (2015, 5.469)],
)
def test_12345_kwh(year: int, tonnes: float) -> None:
    """domain.md §10.4: 5.152 tCO2eq by the factor of 2023, 5.606 by the one before."""
    factor = factor_at(TABLE, "electricity", ns(year))
    assert factor is not None
    assert co2_kg(12_345, factor) / 1000 == pytest.approx(tonnes, abs=0.0005)
    assert factor.verified


def test_there_is_no_factor_before_the_first_one() -> None:
    assert factor_at(TABLE, "electricity", ns(2010)) is None
    assert factor_at(TABLE, "steam", ns(2026)) is None


def test_what_nobody_verified_says_so() -> None:
    lng = factor_at(TABLE, "lng", ns(2026))
    assert lng is not None
    assert (lng.verified, lng.unit) == (False, "kgCO2/Nm3")
    assert co2_kg(100, lng) == pytest.approx(220.0)


def test_every_factor_has_a_source_and_a_scope() -> None:
    assert all(one.source and one.scope for one in TABLE)


@pytest.mark.parametrize("text", ["factors: 3", "factors: [{carrier: electricity}]", "a: [", "\x00"])
def test_a_table_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "factors.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="factors"):
        load(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "none.yaml")


def test_a_factor_begins_at_midnight_in_korea() -> None:
    midnight = ns(2023) - 9 * 3600 * 10**9
    factors = [factor_at(TABLE, "electricity", time_ns) for time_ns in (midnight - 1, midnight)]
    assert [one.value for one in factors if one] == [0.4541, 0.4173]
