"""A CSV file in CP949 as the plant of the whole product: what the store holds is what the file says, and no more."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Final

import pytest

from agent.paths import STORE_FILE
from pipelines.point import BAD
from tests.e2e.harness import assert_nothing_lost, simulation
from viewer.stores.base import QUALITY, Place
from viewer.stores.duckdb import DuckDbStore

pytestmark = [pytest.mark.wire, pytest.mark.slow]

WHERE: Final = Place("my-company", "my-site", "", "M-01", "machine")
ROWS: Final = 16


def temperature(row: int) -> float | None:
    return None if row % 4 == 2 else 1200.5 + row


def test_a_history_goes_through_the_whole_product(tmp_path: Path) -> None:
    lines = ["측정일시,온도(℃),작업자"]
    for row in range(ROWS):
        value = temperature(row)
        cell = "" if value is None else f'"{value:,}"'
        lines.append(f"2024-01-01 08:00:{row:02d},{cell},{'' if row % 3 == 1 else f'김 {row}'}")
    (tmp_path / "line.csv").write_text("\n".join(lines), encoding="cp949")
    (tmp_path / "map.yaml").write_text("serve: modbus\n")
    files = ["--import", str(tmp_path / "line.csv"), "--columns", str(tmp_path / "map.yaml")]
    with simulation(tmp_path / "work", *files, "--speed", "4") as run:
        answer = run.result()
    assert_nothing_lost(answer)
    assert answer["lines"] == ["line"]
    store = DuckDbStore(tmp_path / "work/store" / STORE_FILE)
    try:
        values = store.points(WHERE, "온도").value.tolist()
        qualities = store.points(WHERE, f"온도{QUALITY}").value.tolist()
        names = store.points(WHERE, "작업자").value.tolist()
        unnamed = store.points(WHERE, f"작업자{QUALITY}").value.tolist()
    finally:
        store.close()
    polled, known = (
        [one for one, _ in groupby(values)],
        [one for one in map(temperature, range(ROWS)) if one is not None],
    )
    assert (polled[0], polled[-1]) == (known[0], known[-1])  # what lies between two polls of a busy machine is not seen
    assert polled == [one for one in known if one in polled]
    assert names == [f"김 {row}" for row in range(ROWS) if row % 3 != 1]
    assert any(int(one) & 0xFFFF_FFFF >= BAD for one in qualities)
    assert any(int(one) & 0xFFFF_FFFF >= BAD for one in unnamed)
