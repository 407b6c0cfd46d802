"""Names, choices and files of tag lists."""

from __future__ import annotations

import csv
import io

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from agent.tags.choose import Choice
from agent.tags.export import as_csv, as_yaml
from agent.tags.names import tag_names
from connectors.base import Found
from connectors.opcua.config import OpcUaConnection
from pipelines.settings import FieldName

PART = st.text(st.characters(codec="utf-8", exclude_characters="/"), max_size=12)


@given(st.lists(st.lists(PART, min_size=1, max_size=4).map("/".join), max_size=12))
@settings(max_examples=200, deadline=None)
def test_any_paths_make_valid_names_each_once(paths: list[str]) -> None:
    names = tag_names(paths)
    assert len(set(names)) == len(names) == len(paths)
    check = TypeAdapter(FieldName)
    for name in names:
        assert check.validate_python(name) == name
        assert name not in {"company", "line", "machine", "site", "time"}


def test_names_are_as_short_as_they_can_be() -> None:
    paths = ["/Hall/M1/Temp", "/Hall/M2/Temp", "/Hall/M2/Speed", "/x/온도 1", "/x/time", "/x/a_quality"]
    assert tag_names(paths) == ["M1_Temp", "M2_Temp", "Speed", "온도_1", "time_", "a_quality_"]
    assert tag_names(["/a", "/a", "/b/a_2"]) == ["a", "a_3", "a_2"]


@pytest.mark.parametrize(
    ("pattern", "taken"),
    [
        ("Objects/**/Temp*", True), ("Hall/M1/Temp1", True), ("/Hall/*/Temp1", True), ("Hall/*", False),
        ("Hall/**", True), ("Temp?", True), ("M1", False), ("nsu=*;s=M1.*", True), ("**/Temp[12]", True),
        ("Objects/Temp1", False),
    ],
)  # fmt: skip
def test_globs(pattern: str, taken: bool) -> None:
    found = Found("/Hall/M1/Temp1", "nsu=urn:x;s=M1.T1", "Double", "1.5", unit="°C")
    assert Choice([pattern]).takes(found) == taken
    assert Choice([pattern], ["double"], ["°*"]).takes(found) == taken
    assert not Choice([pattern], ["Int*"]).takes(found)
    assert not Choice([pattern], [], ["kW"]).takes(found)


def test_what_is_written_is_read_again() -> None:
    connection = OpcUaConnection(name="device", type="opcua", endpoint="opc.tcp://h:4840")
    rows = [
        Found("/a: b/c#1", "ns=2;s=#'\"x, {y}", "Double", "1\n2", unit="%", possible=(0.0, 1e9), label='say "x"',
              tag={"node": "ns=2;s=#'\"x, {y}"}),
        Found("/a/true", "ns=2;i=5", "Boolean", "True", usual=(0.0, 1.0), tag={"node": "ns=2;i=5"}),
    ]  # fmt: skip
    tree = yaml.safe_load(as_yaml(connection, rows))
    tags = tree["connections"][0]["tags"]
    assert [tag["node"] for tag in tags] == [row.address for row in rows]
    assert [tag["name"] for tag in tags] == ["c_1", "true"]
    assert tags[0]["range"] == {"low": 0.0, "high": 1e9}
    assert tags[0]["label"] == {"en": 'say "x"'}
    header, *body = csv.reader(io.StringIO(as_csv(rows)))
    assert header[:6] == ["name", "node", "engineering_unit", "range.low", "range.high", "label.en"]
    assert body[0][1] == rows[0].address
