from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connectors.modbus.config import BIT_TABLES, ModbusConnection
from connectors.modbus.plan import Request, plan, split

from .conftest import connection

SIZES = {"int16": 1, "uint32": 2, "float64": 4}


def register_tag(address: int, kind: str, **more: Any) -> dict[str, Any]:
    return {"address": address, "datatype": kind, **more}


tags = st.one_of(
    st.builds(
        register_tag,
        st.integers(0, 60),
        st.sampled_from(sorted(SIZES)),
        table=st.sampled_from(["holding", "input"]),
        unit=st.sampled_from([None, 1, 2]),
        period_s=st.sampled_from([None, 0.5]),
    ),
    st.builds(register_tag, st.integers(0, 300), st.just("bool"), table=st.sampled_from(["coil", "discrete"])),
)
limits = st.fixed_dictionaries(
    {"max_registers": st.integers(4, 20), "max_bits": st.integers(1, 100), "max_gap": st.integers(0, 10)}
)


def span(settings: ModbusConnection, members: tuple[int, ...]) -> tuple[int, int]:
    return (
        min(settings.tags[i].address for i in members),
        max(settings.tags[i].address + settings.tags[i].width() for i in members),
    )


def allowed(settings: ModbusConnection, table: str, members: tuple[int, ...]) -> bool:
    """An independent reading of the limits: addresses as a set."""
    bits = table in BIT_TABLES
    start, end = span(settings, members)
    wanted = {
        a for i in members for a in range(settings.tags[i].address, settings.tags[i].address + settings.tags[i].width())
    }
    longest = run = 0
    for address in range(start, end):
        run = 0 if address in wanted else run + 1
        longest = max(longest, run)
    limit, gap = (settings.max_bits, 16 * settings.max_gap) if bits else (settings.max_registers, settings.max_gap)
    return end - start <= limit and longest <= gap


@given(st.lists(tags, min_size=1, max_size=40), limits)
def test_every_tag_once_and_within_limits(items: list[dict[str, Any]], more: dict[str, int]) -> None:
    settings = connection(1, *items, **more)
    requests = plan(settings)
    assert sorted(i for request in requests for i in request.tags) == list(range(len(items)))
    for request in requests:
        assert (request.address, request.address + request.count) == span(settings, request.tags)
        assert allowed(settings, request.table, request.tags)
        for i in request.tags:
            tag = settings.tags[i]
            assert (tag.unit or settings.unit, tag.table) == (request.unit, request.table)
            assert (tag.period_s or settings.period_s) == request.period_s


def fewest(settings: ModbusConnection, table: str, members: tuple[int, ...]) -> int:
    """Every partition into allowed parts."""
    if not members:
        return 0
    first, rest = members[0], members[1:]
    best = len(members)
    for chosen in range(2 ** len(rest)):
        part = (first, *(m for bit, m in enumerate(rest) if chosen >> bit & 1))
        if allowed(settings, table, part):
            best = min(best, 1 + fewest(settings, table, tuple(m for m in rest if m not in part)))
    return best


small = st.lists(st.builds(register_tag, st.integers(0, 14), st.sampled_from(sorted(SIZES))), min_size=1, max_size=6)


@given(small, st.integers(4, 9), st.integers(0, 4))
def test_never_more_requests_than_the_best_partition(items: list[dict[str, Any]], most: int, gap: int) -> None:
    settings = connection(1, *items, max_registers=most, max_gap=gap)
    assert len(plan(settings)) == fewest(settings, "holding", tuple(range(len(items))))


@given(st.lists(st.builds(register_tag, st.integers(0, 60), st.sampled_from(sorted(SIZES))), min_size=2, max_size=30))
def test_halves_cover_the_whole(items: list[dict[str, Any]]) -> None:
    settings = connection(1, *items)
    for request in plan(settings):
        if len(request.tags) > 1:
            left, right = split(settings, request)
            assert left.tags + right.tags == request.tags
            for half in (left, right):
                assert (half.address, half.address + half.count) == span(settings, half.tags)
                assert allowed(settings, "holding", half.tags) or half.count <= request.count


def test_examples() -> None:
    near = connection(1, {"address": 0}, {"address": 9}, {"address": 19})
    assert plan(near) == (
        Request(1, "holding", 0.05, 0, 10, (0, 1)),
        Request(1, "holding", 0.05, 19, 1, (2,)),
    )
    edge = connection(1, {"address": 0, "datatype": "float64"}, {"address": 123, "datatype": "int32"}, max_gap=124)
    assert [request.count for request in plan(edge)] == [125]
    over = connection(1, {"address": 0, "datatype": "float64"}, {"address": 124, "datatype": "int32"}, max_gap=124)
    assert [(request.address, request.count) for request in plan(over)] == [(0, 4), (124, 2)]
    last = connection(1, {"address": 65535})
    assert plan(last)[0].address == 65535
