"""Files of a line's history as they come: encodings, headings, times, numbers; nothing is dropped without a word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import duckdb
import pytest
import yaml

from agent.cli import run
from agent.config import load_site
from agent.imports.run import Imported, import_file
from pipelines.errors import ConfigError
from simulators.plant import load_plant

KAMP: Final = (
    "TimeStamp,EQUIP_CD,PassOrFail,Reason,Injection_Time,Cycle_Time,Cushion_Position,Barrel_Temperature_1,비고\r\n"
)
SHOTS: Final = (
    "2020-10-16 4:57:47,S14,Y,None,9.59,59.52,653.41,276.5,\r\n"
    "2020-10-16 4:58:48,S14,Y,None,9.6,59.58,,ERR,\r\n"
    '2020-10-16 4:59:48,S14,N,가스,9.59,59.56,"1,653.4",277,\r\n'
)


def taken(folder: Path, text: str | bytes, columns: str = "", name: str = "line.csv") -> Imported:
    file = folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    (folder / "map.yaml").write_text(columns, encoding="utf-8")
    return import_file(file, folder / "out", folder / "map.yaml" if columns else None, force=True)


def history(done: Imported) -> list[tuple[Any, ...]]:
    names = ", ".join(f'"{one.name}"' for one in done.columns)
    return duckdb.connect().execute(f"SELECT {names} FROM '{done.folder / 'history.parquet'}'").fetchall()  # noqa: S608


def kinds(done: Imported) -> dict[str, str]:
    return {one.name: one.kind for one in done.columns}


@pytest.mark.parametrize(
    ("encoding", "delimiter"), [("utf-8", ";"), ("utf-8-sig", ","), ("cp949", ","), ("utf-16", "\t")]
)
def test_encodings_and_delimiters(encoding: str, delimiter: str, tmp_path: Path) -> None:
    text = '시간,"온도\n(℃)",메모\r\n2024-01-01 00:00:00,20.5,똠방각하\r\n2024-01-01 00:00:01,21,\r\n'
    done = taken(tmp_path, text.replace(",", delimiter).encode(encoding))
    assert [(one.heading, one.name, one.kind, one.unit) for one in done.columns] == [
        ("온도 (℃)", "온도", "number", "℃"),
        ("메모", "메모", "text", ""),
    ]
    assert history(done) == [(20.5, "똠방각하"), (21.0, None)]
    assert done.encoding == encoding.removesuffix("-sig")


def test_columns_of_the_kamp_set_are_known(tmp_path: Path) -> None:
    done = taken(tmp_path, KAMP + SHOTS)
    assert kinds(done) == {
        "equip_code": "text",
        "pass": "bool",
        "reason": "text",
        "inj_time": "number",
        "cycle_time": "number",
        "cushion": "number",
        "barrel_t1": "number",
    }
    assert history(done)[1:] == [
        ("S14", True, "None", 9.6, 59.58, None, None),
        ("S14", False, "가스", 9.59, 59.56, 1653.4, 277.0),
    ]
    site = load_site(done.folder / "site.yaml")
    assert (site.machines["IMM-01"].machine_class, site.machines["IMM-01"].label.ko) == ("injection", "사출기")
    tags = {tag.name: tag for tag in site.connections[0].tag_list()}
    assert (tags["inj_time"].engineering_unit, tags["inj_time"].label.ko) == ("s", "사출 시간")
    assert tags["inj_time"].range is not None
    assert tags["inj_time"].range.high == 60
    assert tags["inj_time"].source == "KAMP injection moulding data set, Injection_Time"
    assert tags["cushion"].range is None  # 1653.4 mm is none that the table holds for possible
    machine = site.machines["IMM-01"]
    assert machine.cycle is not None
    assert machine.cycle.at == "shot_count"
    assert set(machine.cycle.values) == set(kinds(done))
    assert machine.state is not None
    assert machine.state.ideal_s == pytest.approx(59.6)


def test_everything_that_was_left_out_or_odd_is_told(tmp_path: Path) -> None:
    rows = (
        "2020-10-16 05:01:00,S14,Y,,9.5,59.5,653,276\n"  # cell missing
        "2020-10-16 05:00:00,S12,Y,,9.4,59.5,653,276,\n"  # back
        "2020-10-16 05:00:00,S14,Y,,9.3,59.5,653,276,\n"  # again
        "yesterday,S14,Y,,9.2,59.5,653,276,\n"
        "2020-10-16 06:40:00,S14,Y,,9.1,59.5,653,276,\n"
    )
    done = taken(
        tmp_path, (KAMP + SHOTS).replace("\r\n", "\n") + "2020-10-16 05:02:00,S14,Y,,9.7,59.5,653,276,\n" + rows
    )
    assert [one[3] for one in history(done)] == [9.59, 9.6, 9.59, 9.4, 9.3, 9.7, 9.1]
    assert done.notes == (
        "비고: every cell is empty; left out",
        "1 of 8 rows have no time that can be read and are left out",
        "1 lines are no rows of the table and are left out: line 6 (missing columns)",
        "the time goes back (1 times, first at row 5): rows are played in order of time",
        "1 rows have the time of the row before, first row 6: the last of them is shown",
        "1 times no row comes for over 610 s, the longest 5880 s before row 8: values stand",
        "EQUIP_CD changes: rows of several machines are played as one; `only: {EQUIP_CD: …}` takes one of them",
    )
    notes = {one.name: one.notes for one in done.columns if one.notes}
    assert notes["barrel_t1"] == ("cells that are no number, and so bad: 1, such as 'ERR'",)
    assert notes["cushion"] == ("holds 653 to 1653.4, and 0 to 1000 mm is known: no unit, no range",)
    for name in ("site.yaml", "plant.yaml"):
        assert "# - the time goes back" in (done.folder / name).read_text(encoding="utf-8")


def test_no_row_goes_without_a_word_whatever_ends_the_lines(tmp_path: Path) -> None:
    rows = ['"a\nb",1\r\n', "c,2\n", "d,1,234.5\r\n", "e,4\r\n", '"open,5\n', "f,6\r\n"]
    text = "time,memo,n\r\n" + "".join(f"2024-01-01 00:00:0{number},{row}" for number, row in enumerate(rows))
    done = taken(tmp_path, text)
    assert history(done) == [("a\nb", 1), ("c", 2), ("e", 4)]
    assert done.notes == (
        "2 lines are no rows of the table and are left out: line 4 (too many columns), line 6 (unquoted value)",
    )


@pytest.mark.parametrize(
    "cells",
    [
        "2024-01-01 00:00:00|2024-01-01 09:30:00.5",
        "2024-01-01T00:00:00Z|2024-01-01T18:30:00.500+09:00",
        "2024-01-01T09:00:00+0900|2024-01-01T09:30:00.5Z",
        "2024/1/1 0:00|2024/1/1 9:30:00.5",
        "2024. 1. 1. 오전 12:00:00|2024. 1. 1. 오전 9:30:00.5",
        "2024-01-01 12:00:00 AM|2024-01-01 9:30:00.5 AM",
        "2024년 1월 1일 0시 0분|2024년 1월 1일 9시 30분 0.5초",
        "20240101000000|20240101 09:30:00.5",
        "1704067200|1704101400.5",
        "1704067200000|1704101400500",
    ],
)
def test_times(cells: str, tmp_path: Path) -> None:
    first, second = cells.split("|")
    done = taken(tmp_path, f"측정일시;값\n{first};1\n{second};2\n")
    assert (done.history.last_ns - done.history.first_ns) / 1e9 == 34_200.5
    assert (done.time, done.history.grid_s) == (("측정일시",), 0.5)


def test_the_time_is_found_put_together_or_named(tmp_path: Path) -> None:
    text = "일자,시각,a,기타\n2024-01-01,00:00:00,1,2024-01-02 00:00:00\n2024-01-01,00:00:10,2,2024-01-02 00:00:00\n"
    assert taken(tmp_path, text).time == ("기타",)
    assert taken(tmp_path, text.replace("2024-01-02 00:00:00", "x")).time == ("일자", "시각")
    done = taken(tmp_path, text, "time: [일자, 시각]\ncolumns: {기타: {skip: true}}")
    assert (done.history.length_s, list(kinds(done))) == (20, ["a"])
    done = taken(tmp_path, "t,a\n01.02.2024 10:00,1\n", "time: t\ntime_format: '%d.%m.%Y %H:%M'")
    assert done.history.first_ns == 1_706_781_600 * 10**9
    with pytest.raises(ConfigError, match="begin and end hold times; say `time: HEADING`"):
        taken(tmp_path, "begin,end\n2024-01-01 00:00,2024-01-01 00:01\n")
    with pytest.raises(ConfigError, match="no column holds times"):
        taken(tmp_path, "a,b\n1,2\n")


def test_numbers_and_what_only_looks_like_one(tmp_path: Path) -> None:
    row = '2024-01-01 00:00:00,"1,234.5",1e3,007,3000000000,12345678901234567890,true,-,NaN,7\n'
    rows = row + '2024-01-01 00:00:01,"-1,234",-0.5,008,1,12345678901234567891,FALSE,5,2.5,"1,23"\n'
    done = taken(tmp_path, "time,a,b,code,big,id,on,gap,nan,odd\n" + rows, "columns: {odd: {kind: number}}")
    assert kinds(done) == {
        "a": "number",
        "b": "number",
        "code": "text",
        "big": "number",
        "id": "text",
        "on": "bool",
        "gap": "integer",
        "nan": "number",
        "odd": "number",
    }
    assert history(done) == [
        (1234.5, 1000, "007", 3e9, "12345678901234567890", True, None, None, 7),
        (-1234, -0.5, "008", 1, "12345678901234567891", False, 5, 2.5, None),
    ]


def test_the_map_decides(tmp_path: Path) -> None:
    map_ = (
        "machine: EXT-02\nclass: extruder\nlabel: {ko: 압출기, en: Extruder}\nserve: modbus\nonly: {line: B}\n"
        "columns:\n"
        "  T [°C]: {name: melt, range: {low: 0, high: 300}, label: {ko: 수지 온도, en: Melt}}\n  line: {skip: true}\n"
        "  run: {kind: bool}\n"
    )
    text = "time,line,T [°C],run,memo,n\n2024-01-01 00:00:00,A,1,1,x,1\n2024-01-01 00:00:05,B,201.25,1,y,\n"
    done = taken(tmp_path, text + "2024-01-01 00:00:06,B,,0,,123456789012\n", map_)
    assert history(done) == [(201.25, True, "y", None), (None, False, None, 123456789012.0)]
    site = load_site(done.folder / "site.yaml")
    assert (site.machines["EXT-02"].machine_class, site.machines["EXT-02"].label.en) == ("extruder", "Extruder")
    nodes, registers = site.connections
    assert [tag.name for tag in nodes.tag_list()] == ["memo"]
    melt, on, count = registers.tag_list()
    assert (melt.scale, melt.engineering_unit, melt.range.high if melt.range else 0) == (0.01, "℃", 300)
    plant = load_plant([str(done.folder)])
    panel = plant.panels["registers"]
    least = [-(2**31), -(2**31), -(2**63)]
    assert [panel.raw(signal) for signal in panel.device.signals] == [20125, 1, least[2]]
    plant.step(20)
    assert [panel.raw(signal) for signal in panel.device.signals] == [least[0], 0, 123456789012]
    assert [signal.datatype for signal in panel.device.signals] == ["int32", "int32", "int64"]
    assert on.name == "run"
    assert count.name == "n"


@pytest.mark.parametrize(
    ("text", "columns", "words"),
    [
        ("time,a\n", "", "no column holds times"),
        ("", "", "the file is empty"),
        ("time,a\n2024-01-01 00:00,\n", "", "no column beside the time has a value"),
        (
            "time,a\n2024-01-01 00:00,1\n",
            "columns: {A: {unit: x}}",
            r"map.yaml:1: columns.A.unit: there is no such key",
        ),
        ("time,a\n2024-01-01 00:00,1\n", "serve: mqtt", r"map.yaml:1: serve"),
        ("time,temp\n2024-01-01 00:00,1\n", "columns: {tmp: {}}", "has no column 'tmp'; did you mean 'temp'"),
        (b"time,a\n2024-01-01 00:00,\xff\xff\n", "", "line.csv:2: is not cp949"),
        ("time,온도\n".encode("cp949") + b"2024-01-01 00:00,1\n", "encoding: utf-8", "line.csv:1: is not utf-8"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(text: str | bytes, columns: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        taken(tmp_path, text, columns)
    assert not list(tmp_path.glob("out/*"))


def test_parquet_is_the_same_as_csv(tmp_path: Path) -> None:
    done = taken(tmp_path, KAMP + SHOTS)
    here, rows = (tmp_path / "line.csv", history(done))
    read = f"SELECT * REPLACE (TimeStamp::TIMESTAMP AS TimeStamp) FROM read_csv('{here}')"  # noqa: S608
    duckdb.connect().execute(f"COPY ({read}) TO '{tmp_path / 'line.parquet'}'")
    other = import_file(tmp_path / "line.parquet", tmp_path / "other")
    assert history(other) == rows
    assert (other.history, other.notes) == (done.history, done.notes)
    plants = [yaml.safe_load((one.folder / "plant.yaml").read_text(encoding="utf-8")) for one in (done, other)]
    assert plants[0] == plants[1]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_file_is_the_one_that_is_named(ending: str, tmp_path: Path) -> None:
    """DuckDB takes a name for a pattern, and a folder `x=3` for a column."""
    folder = tmp_path / "x=3"
    folder.mkdir()
    for name, value in (("day[1]", 100), ("day1", 900)):
        rows = f"SELECT '2024-01-01 00:00:0' || i AS time, {value} + i AS a FROM range(3) r(i)"  # noqa: S608
        duckdb.connect().execute(f"COPY ({rows}) TO '{folder / name}.{ending}'")
    done = import_file(folder / f"day[1].{ending}", folder / "out*")
    assert [one.name for one in done.columns] == ["a"]
    found = (done.folder / "history.parquet").rename(tmp_path / "history.parquet")
    assert duckdb.connect().execute(f"SELECT a FROM '{found}'").fetchall() == [(100,), (101,), (102,)]  # noqa: S608


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = tmp_path / "kamp.csv", tmp_path / "out"
    file.write_text(KAMP + SHOTS, encoding="cp949")
    assert run(["import", str(file), "-o", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["rows"], told["encoding"], told["from"], told["length_s"]) == (3, "cp949", "2020-10-16 04:57:47", 182)
    assert told["columns"][0] == {
        "heading": "EQUIP_CD",
        "tag": "equip_code",
        "type": "text",
        "unit": "",
        "known": True,
        "filled": 3,
        "notes": [],
    }
    assert sorted(one.name for one in out.iterdir()) == ["history.parquet", "plant.yaml", "site.yaml"]
    assert run(["check", str(out / "site.yaml")]) == 0
    assert run(["import", str(file), "-o", str(out)]) == 2
    assert "exists already; name another folder or say --force" in capsys.readouterr().err
    assert run(["import", str(file), "-o", str(out), "--force"]) == 0
    assert "Injection_Time\tinj_time\tnumber\ts\t" in capsys.readouterr().out
    assert run(["import", str(tmp_path / "gone.csv"), "-o", str(out), "--force"]) == 2


def test_a_wrong_date_is_left_out_and_told(tmp_path: Path) -> None:
    dates = [f"2026-01-05 08:{second // 60:02}:{second % 60:02}" for second in range(600)]
    dates[300], dates[400] = "1970-01-01 00:00:00", "2099-12-31 00:00:00"
    done = taken(tmp_path, "time,n\n" + "".join(f"{one},{number}\n" for number, one in enumerate(dates)))
    assert done.notes == ("2 rows have a time far from all others and are left out: row 301, 401",)
    assert (done.history.rows, done.history.length_s) == (598, 600)


def test_a_long_gap_is_told_in_days_and_nothing_is_left_out(tmp_path: Path) -> None:
    rows = "".join(f"2026-01-{day:02} 08:00:{second:02},1\n" for day in (5, 12) for second in range(60))
    done = taken(tmp_path, "time,n\n" + rows)
    assert done.notes == ("1 times no row comes for over 60 s, the longest 7 days before row 61: values stand",)
    assert done.history.rows == 120


@pytest.mark.parametrize(
    "above", ["생산실적 현황\n", "생산실적 현황,,\n\n", '"생산\n실적",,\n조회,,\n', "\n\n생산 실적\n,,\n"]
)
@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_headings_are_found_below_titles(above: str, delimiter: str, tmp_path: Path) -> None:
    text = above + "시간,온도,비고\n2026-01-05 08:00:00,20,\n2026-01-05 08:00:01,21,\n2026-01-05 08:00:02,cut\n"
    done = taken(tmp_path, text.replace(",", delimiter))
    assert history(done) == [(20,), (21,)]
    line = above.replace("산\n실", "").count("\n") + 1  # a cell of two lines counts as one
    assert done.notes[0] == f"the headings stand in line {line}; what is above them is left out"
    assert f"line {line + 3} (missing columns)" in done.notes[2]


@pytest.mark.parametrize("encoding", ["euckr", "EUC-KR", "ms949", "CP949", "euc_kr"])
def test_names_of_the_korean_encoding(encoding: str, tmp_path: Path) -> None:
    text = "시간,온도\n2026-01-05 08:00:00,20\n2026-01-05 08:00:01,21\n"
    assert taken(tmp_path, text.encode("cp949"), f"encoding: {encoding}").encoding == "cp949"


@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe\x81", b"a,b\n1,2\n", None])
def test_a_refused_file_leaves_no_folder(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "line.csv"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError):
        import_file(file, tmp_path / "deep" / "out")
    assert list(tmp_path.iterdir()) == ([] if content is None else [file])
