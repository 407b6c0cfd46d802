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


def test_a_run_ends_with_its_histories(day: Path, tmp_path: Path) -> None:
    def ends(*lines: str, loop: bool = False, columns: Path | None = None) -> float | None:
        return prepared(lines, None, columns, tmp_path, loop=loop, speed=3600)[1]

    assert ends(str(day)) == pytest.approx(DAY_S / 3600 + 8)
    assert ends(str(day), "cnc_turning") is ends("cnc_turning") is ends(str(day), loop=True) is None
    with pytest.raises(ConfigError, match="--loop goes with --import"):
        ends("cnc_turning", loop=True)
    with pytest.raises(ConfigError, match="--columns goes with --import"):
        ends(str(day), columns=tmp_path)
    other = shutil.copytree(day, tmp_path / "other")
    text = (other / "plant.yaml").read_text(encoding="utf-8")
    (other / "plant.yaml").write_text(text.replace("length_s", "size"), encoding="utf-8")
    with pytest.raises(ConfigError, match="length_s"):
        ends(str(other))
    (other / "plant.yaml").write_text("- 1", encoding="utf-8")
    with pytest.raises(ConfigError, match="holds no keys"):
        ends(str(other))
