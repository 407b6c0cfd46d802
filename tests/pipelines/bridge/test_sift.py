"""The refused pieces are found, the others are stored, and few requests are made."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.bridge.sift import sift
from pipelines.errors import RecordRejected


class Store:
    """Refuses a body with a poisoned piece, as a whole or, when it `tells`, as InfluxDB does; and one over a size."""

    def __init__(self, poisoned: set[bytes], *, tells: bool = False, most: int = 10**9) -> None:
        self.poisoned = poisoned
        self.tells = tells
        self.most = most
        self.stored: set[bytes] = set()
        self.requests = 0

    async def attempt(self, pieces: Sequence[bytes]) -> RecordRejected | None:
        assert pieces
        self.requests += 1
        bad = [piece for piece in pieces if piece in self.poisoned]
        if not bad and len(pieces) <= self.most:
            self.stored.update(pieces)
            return None
        return RecordRejected("store", f"partial write: no dropped={len(bad)}" if self.tells else "no")


def numbered(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


@settings(deadline=None)
@given(count=st.integers(1, 60), data=st.data(), tells=st.booleans(), points=st.booleans())
async def test_exactly_the_refused_are_found_and_all_others_stored(
    count: int, data: st.DataObject, tells: bool, points: bool
) -> None:
    pieces = numbered(count)
    bad = data.draw(st.sets(st.sampled_from(range(count))))
    most = data.draw(st.integers(1, 80))
    store = Store({pieces[number] for number in bad}, tells=tells, most=most)
    refusal = await store.attempt(pieces)
    found = {} if refusal is None else await sift(pieces, refusal, store.attempt, points=points)
    assert found.keys() == bad
    assert store.stored == {piece for piece in pieces if piece not in store.poisoned}


@pytest.mark.parametrize("count", [2, 3, 4, 100, 5000, 8192])
async def test_one_of_many_costs_a_request_a_halving(count: int) -> None:
    most = math.ceil(math.log2(count / 3)) + 4
    for number in {0, 1, count // 3, count // 2, count - 1}:
        store = Store({b"%d" % number})
        refusal = await store.attempt(numbered(count))
        assert refusal is not None
        assert list(await sift(numbered(count), refusal, store.attempt, points=True)) == [number]
        assert store.requests <= most


async def test_a_whole_column_is_settled_by_what_influxdb_says() -> None:
    pieces = numbered(5000)
    store = Store(set(pieces[1000:2000]), tells=True)
    refusal = await store.attempt(pieces)
    assert refusal is not None
    assert sorted(await sift(pieces, refusal, store.attempt, points=True)) == list(range(1000, 2000))
    assert store.requests < 60
