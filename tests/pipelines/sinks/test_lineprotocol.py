"""The line-protocol parser: InfluxDB's escaping, exact values, errors that name the line."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import RecordRejected
from pipelines.sinks.lineprotocol import parse

Value = float | int | bool | str


def _name(text: str) -> str:
    return text.replace(",", "\\,").replace("=", "\\=").replace(" ", "\\ ")


def _value(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "f"
    if isinstance(value, int):
        return f"{value}i"
    if isinstance(value, float):
        return repr(value)
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


NAMES = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=8).filter(
    lambda text: not text.endswith("\\") and not text.startswith("#") and not text.isspace()
)
VALUES = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.text(st.characters(blacklist_categories=("Cs",)), max_size=12),
)
TIMES = st.integers(-(2**63) + 2, 2**63 - 2)


@given(NAMES, st.dictionaries(NAMES, NAMES, max_size=3), st.dictionaries(NAMES, VALUES, min_size=1, max_size=5), TIMES)
def test_what_is_escaped_comes_back_exactly(
    measurement: str, tags: dict[str, str], fields: dict[str, Value], time_ns: int
) -> None:
    series = "".join(f",{_name(key)}={_name(value)}" for key, value in tags.items())
    pairs = ",".join(f"{_name(key)}={_value(value)}" for key, value in fields.items())
    start = measurement.replace(",", "\\,").replace(" ", "\\ ")
    line = f"{start}{series} {pairs} {time_ns}\n"

    columns = parse((line + line).encode())

    assert {column.field for column in columns} == set(fields)
    for column in columns:
        assert column.measurement == measurement
        assert column.tags == tuple(sorted(tags.items()))
        assert column.time_ns.tolist() == [time_ns, time_ns]
        found, expected = column.value[0], fields[column.field]
        if isinstance(expected, float):
            assert struct.pack("d", found) == struct.pack("d", expected)
        else:
            assert found == expected


def accepted(body: bytes) -> bool:
    try:
        parse(body)
    except RecordRejected as error:
        if not error.reason.startswith("line "):
            raise
        return False
    return True


@given(st.binary(max_size=60))
def test_any_bytes_are_parsed_or_refused(body: bytes) -> None:
    assert accepted(body) in {True, False}


@given(st.text('a=,1 "\\i\n', max_size=40))
def test_any_arrangement_of_the_special_characters_is_parsed_or_refused(text: str) -> None:
    assert accepted(text.encode()) in {True, False}


def test_columns_gather_the_lines_of_a_series() -> None:
    body = b"press,machine=P1,company=C spm=42i,temp=1 10\n\n# note\npress,company=C,machine=P1 spm=43i 20\r\n"
    spm, temp = parse(body)
    assert spm.tags == (("company", "C"), ("machine", "P1"))
    assert (spm.kind, spm.value.tolist(), spm.time_ns.tolist(), spm.line.tolist()) == (
        "int",
        [42, 43],
        [10, 20],
        [1, 4],
    )
    assert (temp.kind, temp.value.tolist()) == ("float", [1.0])


@pytest.mark.parametrize("text", ["t", "T", "true", "True", "TRUE"])
def test_every_spelling_of_true(text: str) -> None:
    assert parse(f"m f={text} 1".encode())[0].value.tolist() == [True]


@pytest.mark.parametrize("text", ["f", "F", "false", "False", "FALSE"])
def test_every_spelling_of_false(text: str) -> None:
    assert parse(f"m f={text} 1".encode())[0].value.tolist() == [False]


@pytest.mark.parametrize(("text", "value"), [("1.", 1.0), (".5", 0.5), ("-1.5E+3", -1500.0), ("007", 7.0)])
def test_floats_as_influxdb_reads_them(text: str, value: float) -> None:
    assert parse(f"m f={text} 1".encode())[0].value.tolist() == [value]


def test_negative_zero_keeps_its_sign() -> None:
    assert math.copysign(1, parse(b"m f=-0 1")[0].value[0]) == -1


def test_a_string_may_hold_a_line_break_and_lines_are_still_counted() -> None:
    body = b'm s="a\nb" 1\nm s="\\"\\\\c\\n, =" 2\nm x 3'
    with pytest.raises(RecordRejected, match="line 4"):
        parse(body)
    assert parse(body[:-6])[0].value.tolist() == ["a\nb", '"\\c\\n, =']


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"m f=1 1\nm f=1", "line 2: has no time"),
        (b"m f=42u 1", "unsigned integers are not stored"),
        (b"m f=1_0 1", "is no value"),
        (b"m f=nan 1", "is no value"),
        (b"m f=+1 1", "is no value"),
        (b"m f= 1", "is no value"),
        (b"m f=1e999 1", "beyond a 64-bit float"),
        (b"m f=9223372036854775808i 1", "beyond a 64-bit integer"),
        (b"m f=1i 1\nm f=1 2", "line 2: field 'f' is float here, but int in line 1"),
        (b"m f=1 1_0", "is not a time"),
        (b"m f=1 +10", "is not a time"),
        (b"m f=1 99999999999999999999", "is not a time"),
        (b"m =1 1", "no proper name"),
        (b"m f 1", "not key=value"),
        (b"m f=1, 1", "not key=value"),
        (b",a=b f=1 1", "has no measurement"),
        (b"m,a= f=1 1", "a tag is not key=value"),
        (b"m,a=1,a=2 f=1 1", "tag 'a' is there twice"),
        (b"m\xff f=1 1", "is not UTF-8"),
        (b'm f="\xff" 1', "is not UTF-8"),
        (b'm f="open 1', "line 1: is not"),
    ],
)
def test_what_is_wrong_is_named(body: bytes, reason: str) -> None:
    with pytest.raises(RecordRejected) as caught:
        parse(body, "store")
    assert str(caught.value).startswith("store: line ")
    assert reason in caught.value.reason
