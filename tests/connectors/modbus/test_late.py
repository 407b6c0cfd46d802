"""Which replies may still come, and that no request is put whose reply could be one of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connectors.modbus.lines.frame import Expected, Frame
from connectors.modbus.lines.late import Late
from connectors.modbus.plan import plan
from connectors.modbus.room import Room, room

from .conftest import connection

WIDE = Room(125, 0, 65536)


def test_as_planned_while_nothing_is_due() -> None:
    late = Late(1.0)
    late.missed(Expected(1, 3, 2), 0.0)
    for expected in (Expected(2, 3, 2), Expected(1, 4, 2), Expected(1, 3, 4)):
        assert list(late.shapes(expected, 10, 1, WIDE, 1.0)) == [(10, 1)]


def test_wider_while_a_reply_of_this_length_is_due() -> None:
    late = Late(1.0)
    late.missed(Expected(1, 3, 2), 0.0)
    assert list(late.shapes(Expected(1, 3, 2), 10, 1, WIDE, 1.0))[:2] == [(10, 2), (10, 3)]
    late.missed(Expected(1, 3, 4), 1.0)
    assert next(late.shapes(Expected(1, 3, 2), 10, 1, WIDE, 1.0)) == (10, 3)
    assert late.came(Frame(1, 3, b"\2\0\0"))
    assert not late.came(Frame(1, 3, b"\2\0\0"))
    assert list(late.shapes(Expected(1, 3, 2), 10, 1, WIDE, 1.0)) == [(10, 1)]
    assert list(late.shapes(Expected(1, 3, 4), 10, 2, WIDE, 20.0)) == [(10, 2)], "it is not waited for for ever"


def test_no_way_to_widen() -> None:
    late = Late(1.0)
    late.missed(Expected(1, 3, 250), 0.0)
    assert list(late.shapes(Expected(1, 3, 250), 0, 125, WIDE, 1.0)) == []


def test_in_two_parts_where_no_more_is_given() -> None:
    late, limits = Late(1.0), Room(4, 0, 65536, (12, 13))
    late.missed(Expected(1, 3, 8), 0.0)
    assert list(late.shapes(Expected(1, 3, 8), 10, 4, limits, 1.0)) == []
    assert late.parts(Expected(1, 3, 8), 10, 4, limits, 1.0) == ((10, 2), (12, 2))
    late.missed(Expected(1, 3, 4), 1.0)
    assert late.parts(Expected(1, 3, 8), 10, 4, limits, 1.0) == ((10, 3), (13, 1))
    late.missed(Expected(1, 3, 2), 1.0)
    assert late.parts(Expected(1, 3, 8), 10, 4, limits, 1.0) == ()


def test_no_value_is_cut() -> None:
    """A 32-bit value, a bit of its first register, and two values that may be parted."""
    tags = ({"address": 10, "datatype": "uint32"}, {"address": 11}, {"address": 12}, {"address": 15})
    settings = connection(1, *tags)
    (request,) = plan(settings)
    assert room(settings, request).cuts == (12, 15)
    coils = [{"table": "coil", "address": at, "datatype": "bool"} for at in (3, 4, 11, 20)]
    settings = connection(1, *coils)
    (request,) = plan(settings)
    assert room(settings, request).cuts == (11,), "at whole bytes"


@given(
    bits=st.booleans(), address=st.integers(0, 65535), count=st.integers(1, 125), most=st.integers(1, 2000),
    low=st.integers(0, 65535), high=st.integers(1, 65536), due=st.sets(st.integers(1, 250), max_size=8),
)  # fmt: skip
def test_every_shape_reads_what_is_asked_within_the_room(
    bits: bool, address: int, count: int, most: int, low: int, high: int, due: set[int]
) -> None:
    count = min(count, 65536 - address)
    limits = Room(max(most, count), min(low, address), max(high, address + count))
    function = 1 if bits else 3
    size = (count + 7) // 8 if bits else 2 * count
    late = Late(1.0)
    for one in due:
        late.missed(Expected(1, function, one), 0.0)
    for first, n in late.shapes(Expected(1, function, size), address, count, limits, 0.5):
        assert limits.low <= first <= address
        assert address + count <= first + n <= limits.high
        assert n <= limits.most
        assert ((n + 7) // 8 if bits else 2 * n) not in due
        assert not bits or (address - first) % 8 == 0
