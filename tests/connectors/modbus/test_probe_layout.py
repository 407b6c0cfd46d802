"""The doctor ranks the true type and order first: over random meters, drives and texts, with figures."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.modbus.probe.layout import Spot, explain, order_of
from connectors.modbus.probe.reading import ORDERS, WAYS, read
from connectors.modbus.probe.reasons import reasons
from connectors.modbus.probe.score import IMPOSSIBLE_BITS, cost

from .meters import drive, meter, registers

DEVICES = 12


def best(spots: list[Spot]) -> dict[int, tuple[str, str]]:
    return {spot.address: (spot.best.way.kind, spot.best.way.layout) for spot in spots}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", ["float32", "float64", "int32"])
def test_true_order_first(kind: str, order: str) -> None:
    """In at least 95 % of the values of several registers that are not 0, and in every device by majority."""
    right = total = exact = 0
    for seed in range(DEVICES):
        device = meter(seed, order, kind)
        spots = explain(device.reads, 0)
        assert order_of(spots) == order
        found = {spot.address: spot.best.way for spot in spots}
        for address, true in device.places():
            width = len(registers(0, true, order))
            if device.reads[:, address : address + width].any():
                total += 1
                way = found.get(address)
                right += way is not None and way.order == order and way.width == width
                exact += way is not None and way.kind.removeprefix("u") == true.removeprefix("u")
    assert right / total >= 0.95, f"{kind} {order}: {right} of {total}"
    assert exact / total >= 0.95, f"{kind} {order}: {exact} of {total} with their type"


@pytest.mark.parametrize("swapped", [False, True])
def test_sixteen_bits(swapped: bool) -> None:
    right = total = 0
    for seed in range(DEVICES):
        device = drive(seed, swapped)
        for spot in explain(device.reads, 0):
            total += 1
            right += spot.best.way.width == 1 and spot.best.way.layout == ("BA" if swapped else "AB")
    assert right / total >= 0.95, f"{right} of {total}"


def test_text_bcd_and_absent_values() -> None:
    words = [0x5344, 0x4D36, 0x3330, 0x2D4D, 0x7FC0, 0, 0x7FC0, 0, *registers(229.8, "float32", "ABCD")]
    spots = explain(np.array([words] * 3, np.uint16), 100)
    assert best(spots)[100] == ("text", "AB")
    assert spots[0].best.value[0] == "SDM630-M"
    assert best(spots)[108] == ("float32", "ABCD")
    clock = [0x2026, 0x1122, 0x0959, 0x1234, 0x5678, 0x9012, 0x3456, 0x7890]
    assert {kind for kind, _ in best(explain(np.array([clock] * 3, np.uint16), 0)).values()} <= {"bcd16", "bcd32"}


def test_a_value_that_straddles() -> None:
    """Behind one status word, or with 1-based addresses, values begin at odd addresses; they are found there."""
    device = meter(3, "CDAB", "float32")
    shifted = np.hstack([np.full((3, 1), 7, np.uint16), device.reads])
    found = best(explain(shifted, 0))
    assert all(found[address + 1] == ("float32", "CDAB") for address, _ in list(device.places())[:10])


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=24), st.integers(1, 3), st.integers(0, 60000))
@settings(max_examples=30, deadline=None)
def test_any_registers_are_cut_without_rest(words: list[int], times: int, first: int) -> None:
    rng = random.Random(sum(words))
    rows = [[word ^ rng.choice([0, 0, 1]) for word in words] for _ in range(times)]
    spots = explain(np.array(rows, np.uint16), first)
    address = first
    for spot in spots:
        assert spot.address == address
        address += spot.best.way.width
        whole = spot.best.way.kind != "text" and any(spot.best.value)
        assert not whole or sum(one.score for one in spot.readings) == pytest.approx(1)
        assert all(isinstance(reason, str) for one in spot.readings for reason in reasons(one, spots))
    assert address == first + len(words)


def test_every_way_reads_what_was_written() -> None:
    values = {
        "float32": 50.25,
        "float64": 50.25,
        "uint32": 123456,
        "int32": -123456,
        "uint64": 2**60,
        "int64": -(2**60),
    }
    for way in WAYS:
        if way.kind in values and way.layout in {way.order, "GHEFCDAB", "ABCDEFGH", "BADCFEHG", "HGFEDCBA"}:
            words = np.array([registers(values[way.kind], way.kind, way.order)], np.uint16)
            assert read(words, way)[0, 0] == values[way.kind], way
    orders = {way.layout for way in WAYS if way.kind == "float64"}
    assert orders == {"ABCDEFGH", "GHEFCDAB", "BADCFEHG", "HGFEDCBA", "EFGHABCD", "CDABGHEF", "FEHGBADC", "DCBAHGFE"}


def test_wrong_order_costs_more() -> None:
    words = np.array([registers(value, "float32", "ABCD") for value in (230.2, 230.4, 230.1)], np.uint16)
    price = {way.layout: float(cost(read(words, way), way)[0]) for way in WAYS if way.kind == "float32"}
    assert min(price, key=lambda layout: price[layout]) == "ABCD"
    assert price["CDAB"] - price["ABCD"] > 20
    assert max(price.values()) < IMPOSSIBLE_BITS
