"""The encoder against the parser of the store, which was written without it."""

import math
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.encode.line import LineEncoder, Series, line
from pipelines.encode.split import field_name, split_fields, split_lines
from pipelines.sinks.lineprotocol import parse

PRESS = Series("press", (("company", "데모"), ("site", "g 1"), ("line", ""), ("machine", "P,1=x")))
METER = Series("meter", (("machine", "M"),))


def stored(body: bytes) -> dict[tuple[str, str, int], Any]:
    found = {}
    for column in parse(body):
        for time_ns, value in zip(column.time_ns.tolist(), column.value.tolist(), strict=True):
            key = (dict(column.tags)["machine"], column.field, time_ns)
            assert key not in found
            found[key] = value
    return found


def test_equal_time_and_machine_share_a_line() -> None:
    encoder = LineEncoder([(PRESS, "a"), (METER, "b"), (PRESS, "c")])
    tag, time = np.arange(3, dtype=np.int32), np.array([5, 5, 5])
    body = encoder.lines([encoder.values(tag, time, np.array([1.5, 2.5, 3.5]))])
    assert body.count(b"\n") == 2
    assert stored(body) == {("P,1=x", "a", 5): 1.5, ("M", "b", 5): 2.5, ("P,1=x", "c", 5): 3.5}


def test_one_broadcast_time_for_many_machines() -> None:
    encoder = LineEncoder([(PRESS, "a"), (METER, "b")])
    time = np.broadcast_to(np.int64(9), (2,))
    body = encoder.lines([encoder.values(np.arange(2, dtype=np.int32), time, np.array([1.0, 2.0]))])
    assert stored(body) == {("P,1=x", "a", 9): 1.0, ("M", "b", 9): 2.0}


def test_absent_levels_are_left_out() -> None:
    assert METER.prefix() == "meter,machine=M"
    assert PRESS.prefix() == "press,company=데모,machine=P\\,1\\=x,site=g\\ 1"


def test_quality_and_source_time_stand_beside_the_value() -> None:
    encoder = LineEncoder([(METER, "kw")])
    tag, time = np.array([0], dtype=np.int32), np.array([7])
    columns = [
        encoder.values(tag, time, np.array([1.0])),
        encoder.qualities(tag, time, np.array([0x40000000], dtype=np.uint32)),
        encoder.source_times(tag, time, np.array([3])),
    ]
    assert encoder.lines(columns) == b"meter,machine=M kw=1.0,kw_quality=1073741824i,kw_source_time=3i 7\n"


finite = st.floats(allow_nan=False, allow_infinity=False)
text = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
columns_strategy = st.one_of(
    st.lists(finite, min_size=1, max_size=20).map(lambda v: np.array(v, dtype=np.float64)),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20).map(lambda v: np.array(v, dtype=np.int64)),
    st.lists(st.booleans(), min_size=1, max_size=20).map(lambda v: np.array(v, dtype=bool)),
    st.lists(text, min_size=1, max_size=20).map(lambda v: np.array([*v, None], dtype=object)[:-1]),
)


@given(st.lists(columns_strategy, min_size=1, max_size=3), st.data())
def test_every_value_is_read_back_bit_for_bit(values: list[Any], data: st.DataObject) -> None:
    total = sum(len(one) for one in values)
    encoder = LineEncoder([(METER if n % 2 else PRESS, f"f{n}") for n in range(total)])
    times = np.array(data.draw(st.lists(st.integers(0, 3), min_size=total, max_size=total)), dtype=np.int64)
    tags = np.arange(total, dtype=np.int32)
    columns, at = [], 0
    for value in values:
        columns.append(encoder.values(tags[at : at + len(value)], times[at : at + len(value)], value))
        at += len(value)
    found = stored(encoder.lines(columns))
    flat = [one for value in values for one in value.tolist()]
    assert len(found) == total
    for n, want in enumerate(flat):
        got = found["M" if n % 2 else "P,1=x", f"f{n}", int(times[n])]
        assert type(got) is type(want)
        assert got == want
        if isinstance(want, float):
            assert math.copysign(1, got) == math.copysign(1, want)


@given(st.lists(st.tuples(finite, text, st.booleans()), min_size=1, max_size=5))
def test_cutting_gives_the_same_points(rows: list[tuple[float, str, bool]]) -> None:
    body = b"".join(line(METER, {"a": x, "b": y, "c d": z}, n) for n, (x, y, z) in enumerate(rows))
    pieces = [piece for one in split_lines(body) for piece in split_fields(one)]
    assert len(pieces) == 3 * len(rows)
    assert stored(b"\n".join(pieces) + b"\n") == stored(body)
    assert {field_name(piece) for piece in pieces} == {"a", "b", "c d"}
