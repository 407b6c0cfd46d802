"""What a store says of a refusal is taken for a guess at lines, and only where it says enough."""

from __future__ import annotations

import pytest

from pipelines.bridge.suspects import suspects

V1 = (
    'partial write: field type conflict: input field "f" on measurement "m" is type string, already exists as type '
    "float"
)
V2 = f"failure writing points to database: {V1}"


@pytest.mark.parametrize("said", [f"{V1} dropped=1", f"{V2} dropped=2", V1])
def test_a_field_of_another_type(said: str) -> None:
    lines = [
        b"m,t=a f=1 1",
        b'm,t=a f="x",g=1 2',
        b'm,t=a g=1,f="y, z=1" 3',
        b'n,t=a f="x" 4',
        b"m,t=a ff=1 5",
        b'm,t=a f="x"',
    ]
    rest, bad = suspects(lines, said) or ([], [])
    assert bad == [b'm,t=a f="x" 2', b'm,t=a f="y, z=1" 3', b'm,t=a f="x"']
    assert rest == [lines[0], b"m,t=a g=1 2", b"m,t=a g=1 3", *lines[3:5]]


@pytest.mark.parametrize(
    ("value", "kind"),
    [("1", "float"), ("-1.5e3", "float"), ("1i", "integer"), ("7u", "unsigned"), ("t", "boolean"), ('""', "string")],
)
def test_types_as_influxdb_names_them(value: str, kind: str) -> None:
    said = V1.replace("type string", f"type {kind}")
    line = f"m f={value} 5".encode()
    assert suspects([line, b"m g=1 5"], said) == ([b"m g=1 5"], [line])
    for other in {"float", "integer", "unsigned", "boolean", "string"} - {kind}:
        assert suspects([line, b"m g=1 5"], V1.replace("type string", f"type {other}")) is None


def test_points_that_are_too_old_are_the_oldest() -> None:
    lines = [b"m f=1 30", b"m f=2,g=3 10", b'm s="a 5" 20', b"m f=1 -5", b"m f=1 10"]
    said = "partial write: points beyond retention policy dropped="
    assert suspects(lines, f"{said}1") == ([*lines[:3], lines[4]], [lines[3]])
    assert suspects(lines, f"{said}2") == ([lines[0], lines[2]], [lines[1], lines[3], lines[4]])  # equal times
    assert suspects(lines, f"{said}0") is None
    assert suspects(lines, f"{said}5") is None  # nothing would be left to try
    assert suspects([*lines, b"m f=1"], f"{said}1") is None  # one without a time


@pytest.mark.parametrize("said", ["no", "unable to parse 'm f=1 1'", "partial write: max-series dropped=3"])
def test_words_that_name_nothing(said: str) -> None:
    assert suspects([b"m f=1 1", b"m f=2 2"], said) is None


def test_nothing_fits_what_was_said() -> None:
    assert suspects([b"m f=1 1"], V1) is None
    assert suspects([b'm f="x" 1'], V1) is None  # all of it: nothing to tell apart
