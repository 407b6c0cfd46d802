"""Scaling, range, type and deadband against hand-computed values."""

import math

import numpy as np
import pytest

from pipelines.normalize import Normalizer
from pipelines.point import (
    BAD_NO_COMMUNICATION,
    BAD_OUT_OF_RANGE,
    BAD_TYPE_MISMATCH,
    GOOD,
    UNCERTAIN,
    Scan,
    scan_of,
)
from pipelines.settings import Deadband, Range, TagSettings


def tag(**settings: object) -> TagSettings:
    return TagSettings.model_validate({"name": "t", "machine": "M", **settings})


def one(
    normalizer: Normalizer, value: object, status: int = GOOD, dtype: str | None = None
) -> list[tuple[object, int]]:
    scans = normalizer.normalize(scan_of([0], 1, [value], status, dtype))
    return [(scan.value[0], int(scan.status[0])) for scan in scans]


@pytest.mark.parametrize("raw", [3, 7, 1253, 65535])
def test_scale_of_a_tenth_divides(raw: int) -> None:
    assert one(Normalizer([tag(scale=0.1)]), raw) == [(raw / 10, GOOD)]


def test_other_scales_multiply_and_offset_is_added() -> None:
    assert one(Normalizer([tag(scale=2.5, offset=-10)]), 8) == [(10.0, GOOD)]
    assert one(Normalizer([tag(scale=-0.01)]), 250) == [(-2.5, GOOD)]


def test_integers_without_scale_keep_every_digit() -> None:
    assert one(Normalizer([tag()]), 2**63 - 1, dtype="int64") == [(2**63 - 1, GOOD)]


@pytest.mark.parametrize(("value", "dtype"), [(math.nan, "float64"), (math.inf, "float64"), (2**63, "uint64")])
def test_what_line_protocol_cannot_hold_is_bad(value: object, dtype: str) -> None:
    ((_, status),) = one(Normalizer([tag()]), value, dtype=dtype)
    assert status == BAD_OUT_OF_RANGE


def test_uint64_that_fits_is_an_integer() -> None:
    scans = Normalizer([tag()]).normalize(scan_of([0], 1, [2**63 - 1], dtype="uint64"))
    assert scans[0].value.dtype == np.int64
    assert scans[0].value[0] == 2**63 - 1


def test_range_makes_quality_and_never_a_number() -> None:
    normalizer = Normalizer([tag(range=Range(low=0, high=100))])
    assert one(normalizer, 100.0) == [(100.0, GOOD)]
    assert one(normalizer, 100.1)[0][1] == BAD_OUT_OF_RANGE
    assert one(normalizer, -1.0)[0][1] == BAD_OUT_OF_RANGE


def test_a_bad_reading_keeps_its_own_status() -> None:
    normalizer = Normalizer([tag(range=Range(low=0, high=1))])
    assert one(normalizer, 5.0, BAD_NO_COMMUNICATION)[0][1] == BAD_NO_COMMUNICATION


def test_type_is_pinned_at_first_use() -> None:
    normalizer = Normalizer([tag()])
    assert one(normalizer, 1.5) == [(1.5, GOOD)]
    assert one(normalizer, 2, dtype="int64") == [(2.0, GOOD)]
    assert one(normalizer, "text")[0][1] == BAD_TYPE_MISMATCH
    assert normalizer.kinds == {"M/t": "float"}


def test_pinned_type_outlives_the_process() -> None:
    normalizer = Normalizer([tag()], {"M/t": "int"})
    assert one(normalizer, 1.5)[0][1] == BAD_TYPE_MISMATCH
    assert one(normalizer, 3, dtype="int64") == [(3, GOOD)]


def test_a_tag_that_comes_as_another_type_is_known_until_it_fits_again() -> None:
    normalizer = Normalizer([tag()], {"M/t": "float"})
    one(normalizer, "text")
    assert normalizer.mismatched == {0: ("string", "float")}
    one(normalizer, "gone", BAD_NO_COMMUNICATION)
    assert normalizer.mismatched == {0: ("string", "float")}
    one(normalizer, 2, dtype="int64")
    assert normalizer.mismatched == {}
    one(normalizer, 2**53 + 1, dtype="int64")
    assert normalizer.mismatched == {0: ("int", "float")}
    one(normalizer, 1.5)
    assert normalizer.mismatched == {}


def test_bad_readings_do_not_pin() -> None:
    normalizer = Normalizer([tag()])
    one(normalizer, 0.0, BAD_NO_COMMUNICATION)
    assert one(normalizer, value=True) == [(True, GOOD)]


def test_absolute_deadband() -> None:
    normalizer = Normalizer([tag(deadband=Deadband(type="absolute", value=0.5))])
    kept = [bool(one(normalizer, value)) for value in (10.0, 10.4, 10.5, 10.1, 10.0, 9.9)]
    assert kept == [True, False, True, False, True, False]
    assert normalizer.suppressed == 3


def test_percent_deadband_is_of_the_range() -> None:
    band = Deadband(type="percent", value=1)
    normalizer = Normalizer([tag(deadband=band, range=Range(low=0, high=200))])
    assert [bool(one(normalizer, value)) for value in (50.0, 51.9, 52.0)] == [True, False, True]


def test_a_change_of_status_passes_the_deadband() -> None:
    normalizer = Normalizer([tag(deadband=Deadband(type="absolute", value=5))])
    assert one(normalizer, 1.0)
    assert one(normalizer, 1.0, UNCERTAIN)
    assert not one(normalizer, 1.0, UNCERTAIN)
    assert one(normalizer, 1.0)


def test_deadband_over_several_readings_of_one_tag() -> None:
    normalizer = Normalizer([tag(deadband=Deadband(type="absolute", value=1)), tag(name="u")])
    scan = Scan(
        np.array([0, 1, 0, 0, 1], dtype=np.int32),
        np.arange(5, dtype=np.int64),
        np.array([1.0, 7.0, 1.5, 2.0, 7.0]),
        np.zeros(5, dtype=np.uint32),
    )
    (kept,) = normalizer.normalize(scan)
    assert kept.time_ns.tolist() == [0, 1, 3, 4]


def test_a_deadband_holds_nothing_back_of_which_it_does_not_know_what_was_stored() -> None:
    normalizer = Normalizer([tag(deadband=Deadband(type="absolute", value=1))])
    several = Scan(np.zeros(4, np.int32), np.arange(4), np.array([1.0, 1.5, 1.6, 2.4]), np.zeros(4, np.uint32))
    (kept,) = normalizer.normalize(several, known_from_ns=2)
    assert kept.time_ns.tolist() == [0, 1]
    (kept,) = normalizer.normalize(scan_of([0], 4, [2.1]), known_from_ns=5)
    assert kept.value.tolist() == [2.1]
    assert not normalizer.normalize(scan_of([0], 5, [3.0]), known_from_ns=5)
    assert normalizer.normalize(scan_of([0], 6, [3.1]), known_from_ns=5)
    assert normalizer.suppressed == 3


def test_scaled_and_plain_integers_in_one_scan() -> None:
    normalizer = Normalizer([tag(scale=0.1), tag(name="count")])
    scans = normalizer.normalize(scan_of([0, 1], 1, [25, 26], dtype="int64"))
    assert [(scan.value.dtype.name, scan.value.tolist()) for scan in scans] == [("float64", [2.5]), ("int64", [26])]


def test_stored_as_text_keeps_every_digit() -> None:
    normalizer = Normalizer([tag(store_as="string"), tag(name="n")])
    scans = normalizer.normalize(scan_of([0, 1], 1, [2**64 - 1, 7], dtype="uint64"))
    assert [(scan.value.tolist(), scan.status.tolist()) for scan in scans] == [
        (["18446744073709551615"], [0]),
        ([7], [0]),
    ]
    assert normalizer.kinds == {"M/t": "string", "M/n": "int"}


@pytest.mark.parametrize(
    ("value", "dtype", "text"),
    [
        (-(2**63), "int64", "-9223372036854775808"),
        (0.1, "float64", "0.1"),
        (-0.0, "float64", "-0.0"),
        (True, "bool", "true"),
    ],
)
def test_every_type_can_be_stored_as_text(value: object, dtype: str, text: str) -> None:
    assert one(Normalizer([tag(store_as="string")]), value, dtype=dtype) == [(text, GOOD)]


def test_text_of_what_is_no_number_is_bad() -> None:
    normalizer = Normalizer([tag(store_as="string")])
    assert one(normalizer, math.nan)[0][1] == BAD_OUT_OF_RANGE
    assert one(normalizer, math.nan, BAD_NO_COMMUNICATION)[0][1] == BAD_NO_COMMUNICATION
    assert one(normalizer, "as it is") == [("as it is", GOOD)]


@pytest.mark.parametrize("more", [{"scale": 0.1}, {"offset": 1}, {"range": {"low": 0, "high": 1}}])
def test_text_is_not_scaled(more: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="remove scale, offset, range and deadband"):
        tag(store_as="string", **more)


def test_a_skew_beyond_what_ns_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="less than or equal to 3200000000"):
        tag(max_skew_s=1e10)
