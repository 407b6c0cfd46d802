"""What a recorded device says to a request that the recording knows, knows in part, or does not know."""

from __future__ import annotations

from typing import Any

import pytest

from simulators.replay.registers import BUSY, ILLEGAL_ADDRESS, ILLEGAL_FUNCTION, NO_GATEWAY_TARGET, Registers


def line(at: int, words: list[int] | None = None, n: int = 0, **more: Any) -> dict[str, Any]:
    said = {} if words is None else {"data": b"".join(word.to_bytes(2, "big") for word in words).hex()}
    return {"k": "modbus", "unit": 1, "fc": 3, "at": at, "n": n or len(words or ()), **said, **more}


@pytest.fixture
def registers() -> Registers:
    return Registers({(1, 3): set(range(10, 20))}, {1, 2})


def test_a_value_holds_until_the_next_one_whatever_the_request(registers: Registers) -> None:
    registers.take(line(10, list(range(100, 110))))
    assert registers.answer(1, 3, 12, 3) == [102, 103, 104]
    registers.take(line(13, [7]))
    assert registers.answer(1, 3, 12, 3) == [102, 7, 104]
    assert registers.answer(1, 3, 12, 3) == [102, 7, 104]


def test_what_is_not_known_is_never_zero(registers: Registers) -> None:
    assert registers.answer(1, 3, 10, 2) == BUSY
    registers.take(line(10, [1, 2]))
    assert registers.answer(1, 3, 11, 2) == BUSY
    assert registers.answer(1, 3, 9, 2) == ILLEGAL_ADDRESS
    assert registers.answer(1, 4, 10, 1) == ILLEGAL_FUNCTION
    assert registers.answer(3, 3, 10, 1) == NO_GATEWAY_TARGET


def test_bits() -> None:
    registers = Registers({(1, 1): set(range(20))}, {1})
    registers.take({"k": "modbus", "unit": 1, "fc": 1, "at": 0, "n": 12, "data": "0508"})
    assert registers.answer(1, 1, 0, 12) == [1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1]


def test_a_refused_request_is_refused_and_so_is_a_wider_one(registers: Registers) -> None:
    registers.take(line(10, list(range(10))))
    registers.take(line(12, n=3, exception=2))
    assert registers.answer(1, 3, 12, 3) == 2
    assert registers.answer(1, 3, 10, 6) == 2
    assert registers.answer(1, 3, 12, 2) == [2, 3], "a part of it may be granted"
    registers.take(line(11, [8, 8, 8, 8]))
    assert registers.answer(1, 3, 12, 3) == [8, 8, 8]


def test_a_device_failure_is_of_every_request_that_touches_it(registers: Registers) -> None:
    registers.take(line(10, list(range(10))))
    registers.take(line(12, n=3, exception=4))
    assert registers.answer(1, 3, 14, 3) == 4
    assert registers.answer(1, 3, 15, 3) == [5, 6, 7]


def test_what_nobody_met_is_owed(registers: Registers) -> None:
    registers.take(line(10, [1]))
    registers.take(line(10, n=1, exception=4))
    registers.take(line(10, [2]))
    assert registers.answer(1, 3, 10, 1) == 4
    assert registers.answer(1, 3, 10, 1) == [2]
    registers.take(line(10, n=1, silence="timeout"))
    registers.take(line(10, [3]))
    assert [registers.silence(1), registers.silence(1)] == ["timeout", ""]


def test_a_unit_is_silent_until_it_answers(registers: Registers) -> None:
    registers.take(line(10, n=1, silence="closed"))
    assert [registers.silence(1), registers.silence(1), registers.silence(2)] == ["closed", "closed", ""]
    registers.take(line(10, [2]))
    assert registers.silence(1) == ""
    registers.take(line(10, n=1, silence="timeout"))
    registers.heal()
    assert registers.silence(1) == ""
