"""A day of history, played in fast plant time without a socket: every cell at its time, whatever the strides."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

import duckdb
import pytest

from agent.imports.run import import_file
from agent.imports.simulated import prepared
from pipelines.errors import ConfigError
from simulators.plant import Plant, load_plant

DAY_S: Final = 86_400
EVERY_S: Final = 10
ROWS: Final = """
    SELECT strftime(TIMESTAMP '2024-03-01' + i * INTERVAL 10 SECOND, '%Y-%m-%d %H:%M:%S') AS 일시,
        CASE WHEN i % 97 <> 5 THEN printf('%,.2f', 900 + 200 * sin(i / 50)) END AS "압력(bar)",
        CASE WHEN i % 31 <> 7 THEN i // 3 END AS 생산수량,
        CASE WHEN i % 500 < 450 THEN 'L' || i // 500 END AS 로트
    FROM range(8640) r(i)
"""


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("day")
    duckdb.connect().execute(f"COPY ({ROWS}) TO '{folder / 'day.csv'}' (HEADER)")
    return import_file(folder / "day.csv", folder / "day").folder


def shown(plant: Plant) -> list[Any]:
    panel = plant.panels["history"]
    return [None if panel.status(one) else panel.shown(one) for one in panel.device.signals]


def test_a_day_is_played_cell_by_cell(day: Path) -> None:
    rows = duckdb.connect().execute(ROWS).fetchall()
    plant = load_plant([str(day)])
    for row in rows:
        pressure = None if row[1] is None else float(row[1].replace(",", ""))
        assert shown(plant) == [pressure, row[2], row[3]]
        plant.step(EVERY_S * 20)


def test_a_fault_can_be_laid_over_a_history(day: Path, tmp_path: Path) -> None:
    day = shutil.copytree(day, tmp_path / "other")
    text = (day / "plant.yaml").read_text(encoding="utf-8")
    text = text.replace('of: "c1"', "of: drifted")
    text = text.replace("variables:\n", "faults: {drift: {label: {ko: 드리프트, en: Drift}}}\nvariables:\n")
    text = text.replace("\ndevices:", '  drifted: {value: "c1 + 0.5 * drift_t / 60"}\n\ndevices:')
    (day / "plant.yaml").write_text(text, encoding="utf-8")
    plant = load_plant([str(day)], played={"loop": True})
    assert shown(plant)[0] == 900
    plant.set_fault("drift", active=True)
    plant.step(DAY_S * 20)
    assert shown(plant)[0] == pytest.approx(900 + DAY_S / 120, abs=0.5)


def test_it_is_over_when_its_last_row_was_shown(day: Path) -> None:
    plant = load_plant([str(day)], played={"wait": True})
    plant.step(600 * 20)
    assert not plant.over
    plant.begin()
    plant.step((DAY_S + EVERY_S) * 20)
    assert not plant.over
    plant.step(2 * EVERY_S * 20)
    assert plant.over
    assert not load_plant([str(day), "cnc_turning"]).over
    loop = load_plant([str(day)], played={"loop": True})
    loop.step((DAY_S + 60) * 20)
    assert not loop.over


def test_what_a_run_cannot_play_is_refused(day: Path, tmp_path: Path) -> None:
    def refused(words: str, *lines: str, loop: bool = False, columns: Path | None = None) -> None:
        with pytest.raises(ConfigError, match=words):
            prepared(lines, None, columns, tmp_path, loop=loop)

    assert prepared([str(day), "cnc_turning"], None, None, tmp_path, loop=True) == (str(day), "cnc_turning")
    refused("--loop goes with --import", "cnc_turning", loop=True)
    refused("--columns goes with --import", str(day), columns=tmp_path)
    other = shutil.copytree(day, tmp_path / "other")
    text = (other / "plant.yaml").read_text(encoding="utf-8")
    (other / "plant.yaml").write_text(text.replace("file:", "fiel:"), encoding="utf-8")
    refused("'file' is missing", str(other))
    (other / "plant.yaml").write_text("- 1", encoding="utf-8")
    refused("holds no keys", str(other))
