from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connectors.modbus.config import ModbusConnection
from connectors.modbus.plan import Request, plan, split
from connectors.modbus.tag import BIT_TABLES

from .conftest import connection

SIZES = {"int16": 1, "uint32": 2, "float64": 4, "bcd16": 1}
WALLS = [{"table": "holding", "from": 70, "to": 72}, {"table": "input", "from": 65, "to": 65, "unit": 2}]


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
        min(settings.tags[i].span()[0] for i in members),
        max(settings.tags[i].span()[1] for i in members),
    )


def allowed(settings: ModbusConnection, table: str, members: tuple[int, ...]) -> bool:
    """An independent reading of the limits: addresses as a set."""
    bits = table in BIT_TABLES
    start, end = span(settings, members)
    units = {settings.tags[i].unit or settings.unit for i in members}
    for one in settings.forbidden:
        hit = set(range(one.first, one.last + 1)) & set(range(start, end))
        if hit and one.table == table and (one.unit is None or one.unit in units):
            return False
    wanted = {a for i in members for a in range(*settings.tags[i].span())}
    longest = run = 0
    for address in range(start, end):
        run = 0 if address in wanted else run + 1
        longest = max(longest, run)
    limit, gap = (settings.max_bits, 16 * settings.max_gap) if bits else (settings.max_registers, settings.max_gap)
    return end - start <= limit and longest <= gap


@given(st.lists(tags, min_size=1, max_size=40), limits)
def test_every_tag_once_and_within_limits(items: list[dict[str, Any]], more: dict[str, int]) -> None:
    settings = connection(1, *items, **more, forbidden=WALLS)
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


small = st.lists(
    st.one_of(
        st.builds(register_tag, st.integers(0, 14), st.sampled_from(sorted(SIZES))),
        st.builds(register_tag, st.integers(0, 14), st.just("bool"), bit=st.integers(0, 15)),
        st.builds(register_tag, st.integers(0, 14), st.just("string"), length=st.integers(1, 4)),
        st.builds(register_tag, st.integers(0, 14), st.just("int16"), decimals_from=st.integers(0, 3)).filter(
            lambda tag: abs(tag["address"] - tag["decimals_from"]) < 4
        ),
    ),
    min_size=1,
    max_size=6,
)
ranges = st.lists(st.tuples(st.integers(0, 18), st.integers(0, 2)), max_size=3)


@given(small, st.integers(4, 9), st.integers(0, 4), ranges)
def test_never_more_requests_than_the_best_partition(
    items: list[dict[str, Any]], most: int, gap: int, forbidden: list[tuple[int, int]]
) -> None:
    """Against every partition, contiguous or not, with overlapping tags, bits, strings and forbidden ranges."""
    free = connection(1, *items, max_registers=most, max_gap=gap)
    taken = {address for tag in free.tags for address in range(*tag.span())}
    walls = [
        {"from": first, "to": first + more}
        for first, more in forbidden
        if not taken & set(range(first, first + more + 1))
    ]
    settings = connection(1, *items, max_registers=most, max_gap=gap, forbidden=walls)
    requests = plan(settings)
    assert len(requests) == fewest(settings, "holding", tuple(range(len(items))))
    read = {address for request in requests for address in range(request.address, request.address + request.count)}
    assert taken <= read
    assert not read & {address for wall in walls for address in range(wall["from"], wall["to"] + 1)}


bits = st.lists(st.builds(register_tag, st.integers(0, 90), st.just("bool")), min_size=1, max_size=6)


@given(bits, st.integers(1, 40), st.integers(0, 2), ranges)
def test_never_more_requests_for_bits(
    items: list[dict[str, Any]], most: int, gap: int, forbidden: list[tuple[int, int]]
) -> None:
    taken = {item["address"] for item in items}
    walls = [
        {"table": "coil", "from": 5 * first, "to": 5 * first + more}
        for first, more in forbidden
        if not taken & set(range(5 * first, 5 * first + more + 1))
    ]
    coils = [{**item, "table": "coil"} for item in items]
    settings = connection(1, *coils, max_bits=most, max_gap=gap, forbidden=walls)
    assert len(plan(settings)) == fewest(settings, "coil", tuple(range(len(items))))


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
