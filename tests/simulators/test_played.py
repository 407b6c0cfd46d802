"""A recorded history is played at its times, and what it does not hold is bad, never 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from simulators.panel import BAD_OUT_OF_SERVICE
from simulators.plant import Plant, load_plant, plant_of

if TYPE_CHECKING:
    from pathlib import Path

BAD = "bad"
ROWS = [(0, 1.5, 1), (1000, None, 2), (2500, 3.5, None), (2500, 3.75, None), (2520, 4.0, 4), (6000, 6.0, 5)]


def document(folder: Path, **played: Any) -> dict[str, Any]:
    path = folder / "history.parquet"
    rows = ", ".join(str((ms * 10**6, a, b)).replace("None", "NULL") for ms, a, b in ROWS)
    table = f"(VALUES {rows}) r(t_ns, a, b)"
    typed = f"SELECT t_ns::BIGINT AS t_ns, a::DOUBLE AS a, b::INTEGER AS b FROM {table}"  # noqa: S608
    duckdb.connect().execute(f"COPY ({typed}) TO '{path}' (FORMAT parquet)")
    return {
        "line": "history",
        "played": {"file": str(path), **played},
        "variables": {"a": {"model": "played"}, "count": {"model": "played", "column": "b"}},
        "devices": {
            "ua": {
                "type": "opcua",
                "namespace": "urn:x",
                "signals": {"a": {"node": "a", "datatype": "Double", "bad": "a_bad"}},
            },
            "mb": {
                "type": "modbus",
                "areas": [{"table": "holding", "first": 0, "last": 1}],
                "signals": {
                    "b": {"table": "holding", "address": 0, "datatype": "int32", "open": -(2**31), "of": "count"}
                    | {"bad": "count_bad"}
                },
            },
        },
    }


def seen(plant: Plant, device: str = "ua") -> Any:
    panel = plant.panels[device]
    (signal,) = panel.device.signals
    if signal.table:
        return panel.raw(signal)
    return BAD if panel.status(signal) == BAD_OUT_OF_SERVICE else panel.shown(signal)


def at(plant: Plant, second: float) -> tuple[Any, Any]:
    """What node and register show `second` plant seconds after the start."""
    plant.step(round(second / 0.05) + 1 - plant.steps)
    return seen(plant), seen(plant, "mb")


def test_the_file_is_the_one_that_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "day[1]"
    for name in ("day[1]", "day1"):
        (tmp_path / name).mkdir()
    duckdb.connect().execute(f"COPY (SELECT 0::BIGINT AS t_ns, 9.0 AS a, 9 AS b) TO '{tmp_path}/day1/history.parquet'")
    assert at(plant_of([document(folder)]), 0) == (1.5, 1)


def test_rows_are_shown_at_their_times_and_an_empty_cell_is_bad(tmp_path: Path) -> None:
    plant = plant_of([document(tmp_path)])
    assert at(plant, 0) == (1.5, 1)
    assert at(plant, 0.95) == (1.5, 1)
    assert at(plant, 1) == (BAD, 2)
    assert plant.values["a"] == 1.5  # never 0
    assert at(plant, 2.45) == (BAD, 2)
    assert at(plant, 2.5) == (3.75, -(2**31))  # of one moment the last counts
    assert at(plant, 2.55) == (4.0, 4)
    assert at(plant, 5.95) == (4.0, 4)
    assert at(plant, 6) == at(plant, 600) == (6.0, 5)


def test_it_waits_and_begins_again(tmp_path: Path) -> None:
    plant = plant_of([document(tmp_path, wait=True, loop=True, length_s=7)])
    assert at(plant, 100) == (1.5, 1)
    plant.begin()
    assert at(plant, 101) == (1.5, 1)
    assert at(plant, 101.05) == (BAD, 2)
    assert at(plant, 107) == (6.0, 5)
    assert at(plant, 107.05) == (1.5, 1)
    assert at(plant, 108.05) == (BAD, 2)
    assert at(plant, 7 * 100 + 102.55) == (3.75, -(2**31))


def test_a_copy_and_long_strides_see_the_same(tmp_path: Path) -> None:
    one, two = (plant_of([document(tmp_path, loop=True, length_s=7)], scale=2) for _ in range(2))
    for _ in range(600):
        one.step()
    two.step(600)
    assert one.values == two.values
    assert {k: v for k, v in one.values.items() if k.endswith("-02")} == {
        f"{k}-02": one.values[k] for k in ("a", "a_bad", "a_due", "count", "count_bad", "count_due")
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"played": {"file": "none.parquet"}}, "none.parquet"),
        ({"played": {}}, "'file' is missing"),
        ({"variables": {"a": {"model": "played", "column": "z"}}}, "no column 'z'"),
    ],
)
def test_what_cannot_be_played_is_named(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        plant_of([document(tmp_path) | change])


def test_a_line_without_a_history_plays_none_and_a_folder_is_a_line(tmp_path: Path) -> None:
    whole = document(tmp_path)
    with pytest.raises(ValueError, match="needs `played` of the line"):
        plant_of([{key: one for key, one in whole.items() if key != "played"}])
    (tmp_path / "plant.yaml").write_text(
        "line: h\nplayed: {file: history.parquet}\nvariables: {a: {model: played}}\ndevices: {}\n"
    )
    assert load_plant([str(tmp_path)]).values["a"] == 1.5
    (tmp_path / "plant.yaml").write_text("line: [")
    with pytest.raises(ValueError, match=r"plant.yaml: while parsing"):
        load_plant([str(tmp_path)])
