"""`tags_file`: what Excel writes is read, for every protocol; faults name the CSV file and its line."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from agent.cli import run
from agent.config import ConfigFaults, load_site
from connectors.modbus.config import ModbusConnection
from connectors.opcua.config import OpcUaConnection

OPCUA: Final = "type: opcua\n    endpoint: opc.tcp://h:4840"
MODBUS: Final = "type: modbus\n    host: h"
ROWS: Final = (
    "name,address,datatype,scale,range.low,range.high,label.ko,#note\n"
    "007,10,int16,0.1,-5,5.5,온도,x\n"
    "b,0x20,uint16,,,,,\n"
)


def site(folder: Path, connection: str, more: str = "", file: str = "tags.csv") -> Path:
    path = folder / "site.yaml"
    path.write_text(
        "company: c\nsite: s\nmachines: {m: {class: press}}\nconnections:\n"
        f"  - name: a\n    {connection}\n    machine: m\n    tags_file: {file}\n{more}",
        encoding="utf-8",
    )
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_what_excel_writes(encoding: str, delimiter: str, newline: str, tmp_path: Path) -> None:
    text = ROWS.replace(",", delimiter).replace("\n", newline)
    (tmp_path / "tags.csv").write_bytes(text.encode(encoding))
    more = "    tags: [{name: first, address: 1, datatype: uint16}]\n"
    (connection,) = load_site(site(tmp_path, MODBUS, more)).connections
    assert isinstance(connection, ModbusConnection)
    first, one, two = connection.tags
    assert (first.name, two.name, two.address) == ("first", "b", 32)
    assert (one.name, one.address, one.datatype, one.scale, one.label.ko) == ("007", 10, "int16", 0.1, "온도")
    assert one.range is not None
    assert (one.range.low, one.range.high) == (-5, 5.5)


def test_lists_groups_and_quotes(tmp_path: Path) -> None:
    (tmp_path / "tags.csv").write_text(
        'name,address,datatype,sentinels,engineering_unit\nt,1,int16,"{""31000"": ""sensor_open""}",","\n',
        encoding="utf-8",
    )
    (connection,) = load_site(site(tmp_path, MODBUS)).connections
    assert isinstance(connection, ModbusConnection)
    assert connection.tags[0].sentinels == {31000: "sensor_open"}
    assert connection.tags[0].engineering_unit == ","
    (tmp_path / "tags.csv").write_text("name,node,mode,period_s\nt,ns=2;s=12,read,5\n", encoding="utf-8")
    (opcua,) = load_site(site(tmp_path, OPCUA)).connections
    assert isinstance(opcua, OpcUaConnection)
    assert (opcua.tags[0].node, opcua.tags[0].period_s) == ("ns=2;s=12", 5)


@pytest.mark.parametrize(
    ("connection", "rows", "faults"),
    [
        (MODBUS, "name,address,datatype\na,1,int16\nb,x,int16\n",
         ["tags.csv:3: connections[a].tags[b].address: must be a whole number, not 'x'"]),
        (MODBUS, "name,address,datatype\na,1,int16\n\na,2,int16\n",
         ["tags.csv:4: connections[a].tags[a].name: m has a tag 'a' in connection 'a' already; rename one"]),
        (MODBUS, "name,adress,datatype\na,1,int16\n",
         ["tags.csv:1: the column 'adress' is no key of a tag; did you mean 'address'?"]),
        (MODBUS, "name,address,datatype,zzz\na,1,int16,5\n",
         ["tags.csv:1: the column 'zzz' is no key of a tag; begin its heading with '#' if it is a remark"]),
        (MODBUS, "name,name,address,datatype\na,a,1,int16\n",
         ["tags.csv:1: the column 'name' stands twice; remove one"]),
        (MODBUS, "address,datatype\n1,int16\n",
         ["tags.csv:1: has no column 'name'; the first line names the keys of a tag"]),
        (MODBUS, "name,address,datatype\n", ["tags.csv:1: no row below the headings"]),
        (MODBUS, "name,address,datatype\na,1,int16,9\n", ["tags.csv:2: has 4 cells, and there are 3 headings"]),
        (MODBUS, 'name,address,datatype\n"a,1,int16\n', ["tags.csv:2: not CSV: unexpected end of data"]),
        (OPCUA, "name,node\na,press\n", ["NODE"]),
        (OPCUA, 'name,node,label.en\n"a","ns=2;i=1","two\nlines"\nb,,\n',
         ["tags.csv:4: connections[a].tags[b]: a tag needs a node or a path"]),
    ],
)  # fmt: skip
def test_faults_name_file_and_line(
    connection: str, rows: str, faults: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tags.csv").write_text(rows, encoding="utf-8")
    assert run(["check", str(site(tmp_path, connection))]) == 2
    said = capsys.readouterr().err.replace(f"{tmp_path}/", "").splitlines()
    if faults == ["NODE"]:
        assert said[0].startswith("tags.csv:2: connections[a].tags[a].node: must be a node id")
    else:
        assert said == faults


def test_a_list_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = site(tmp_path, MODBUS, file="gone.csv")
    assert run(["check", str(path)]) == 2
    assert (
        capsys.readouterr().err == f"{path}:9: tags_file: cannot read {tmp_path}/gone.csv: No such file or directory\n"
    )
    (tmp_path / "tags.csv").write_bytes(b"name,address\n\xff\xff\xff,1\n")
    with pytest.raises(ConfigFaults, match=r"tags.csv:2: neither UTF-8 nor CP949"):
        load_site(site(tmp_path, MODBUS))
