"""How plausible a reading is: the bits it takes to write it down, so fewer are better. Pure.

A true reading is a short story: a voltage needs a few bits for its exponent and some for its digits, a counter few
bits for its step. The same bytes in a wrong order are a long one: an exponent no process has, digits without end,
steps of thousands between two reads. So the cost of a reading in bits is the sum of

- **magnitude**: integers cost their length in bits (small numbers are common); floats cost by exponent: 2⁻⁷ to 2¹⁷
  4.6 bits, 2⁻¹⁴ to 2²⁴ 7, further 13 to 20, denormal, infinite or not a number 200 (the two NaN that meters send for
  "not available" 12); a negative float 2 bits more;
- **digits**: a float's mantissa costs its 23 or 52 bits, unless the value is a short decimal such as 49.98;
- **known magnitudes**: near 50 or 60 Hz, 100, 110, 220-240, 380-400 or 440 V cost 2 bits less, for integers the same
  times ten or a hundred;
- **change** between repeated reads: none 0.3 bits; else 3 bits and the size of the step in bits (in units of the last
  binary digit for floats; a float whose exponent moves by more than 2 costs as much as a new one); an integer that
  only counts up costs 1.5 bits less each step;
- **text**: letters, digits and spaces 5.2 bits, other printable characters 7, NUL 1 (12 for two of
  them: a register of 0 is seldom text), anything else is impossible;
- **BCD**: 3.3 bits a digit; impossible where a digit is above 9.

What neighbours agree on is weighed by `layout`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from connectors.modbus.probe.reading import Column, Way

Bits = NDArray[np.float64]

IMPOSSIBLE_BITS: Final = 1000.0
_STRANGE_BITS: Final = 200.0
_EMPTY_BITS: Final = 12.0
_ABSENT_BITS: Final = 12.0
_SAME_BITS: Final = 0.3
_STEP_BITS: Final = 3.0
_COUNTS_UP_BITS: Final = 1.5
_KNOWN_BITS: Final = 2.0
_NEGATIVE_BITS: Final = 2.0
_DIGIT_BITS: Final = 3.32
_SHORT_BITS: Final = 4.0
_EXPONENTS: Final = ((-7, 17, 4.6), (-14, 24, 7.0), (-30, 34, 13.0), (-200, 200, 20.0))
"""First and last exponent and what a value between them costs."""
_NEAR_EXPONENTS: Final = 2
_MANTISSA: Final = {"float32": 23, "float64": 52}
_DECIMALS: Final = {"float32": 3, "float64": 6}
_KNOWN: Final = (
    (49.7, 50.3),
    (59.7, 60.3),
    (99.0, 101.0),
    (108.0, 112.0),
    (215.0, 242.0),
    (375.0, 405.0),
    (435.0, 445.0),
)
"""Mains frequencies and voltages, and 100 %."""
_ABSENT: Final = {"float32": (0x7FC00000, 0xFFC00000), "float64": (0x7FF8000000000000, 0xFFF8000000000000)}


def cost(value: Column, way: Way) -> Bits:
    """Bits that the readings of a place take.

    Args:
        value: as `reading.read` gives it, shape (reads, places).
        way: how it was read.

    Returns:
        Bits, shape (places,).
    """
    if value.shape[1] == 0:
        return np.zeros(0)
    if way.kind == "text":
        return _text(value)
    if way.kind.startswith("float"):
        alone = _float(value, way.kind)
        return np.asarray(alone[0] + _float_steps(value, alone, way.kind))
    if way.kind.startswith("bcd"):
        bits = 2 * way.width + _DIGIT_BITS * _decimal_digits(value[0])
        bits = np.where((value < 0).any(axis=0), IMPOSSIBLE_BITS, bits)
    else:
        bits = _integer(value[0], way.width)
    return bits + _integer_steps(value)


def known(value: float, integer: bool) -> str:
    """What a value reminds of, such as `mains frequency`; empty when of nothing."""
    for factor in (1.0, 10.0, 100.0) if integer else (1.0,):
        for low, high in _KNOWN:
            if low <= value / factor <= high:
                what = "a mains frequency" if high < 99 else "a mains voltage" if low > 101 else "100 %"  # noqa: PLR2004
                return what if factor == 1 else f"{what} ×{factor:g}"
    return ""


def _is_known(value: Bits) -> NDArray[np.bool_]:
    found = np.zeros(value.shape, bool)
    for low, high in _KNOWN:
        found |= (value >= low) & (value <= high)
    return found


def _integer(value: Column, width: int) -> Bits:
    size = np.abs(value.astype(np.float64))
    length = np.floor(np.log2(np.maximum(size, 1)))  # bits behind the leading one
    bits = np.where(size == 0, 2.0 * width, np.log2(16.0 * width) + length)
    bits += np.where(value < 0, 1.5, 0.0)
    near = _is_known(size / 10) | _is_known(size / 100) | _is_known(size)
    return np.where(near, bits - _KNOWN_BITS / 2, bits)


def _integer_steps(value: Column) -> Bits:
    step = np.diff(value.astype(np.float64), axis=0)
    bits = np.where(step == 0, _SAME_BITS, _STEP_BITS + np.log2(np.maximum(np.abs(step), 1)))
    up = (step >= 0).all(axis=0) & (step > 0).any(axis=0) & (np.abs(step) < 1e4).all(axis=0)  # noqa: PLR2004
    return np.asarray(bits.sum(axis=0) - np.where(up, _COUNTS_UP_BITS * (step > 0).sum(axis=0), 0.0))


def _exponent(value: Bits) -> Bits:
    with np.errstate(all="ignore"):
        return np.where(np.isfinite(value) & (value != 0), np.frexp(value)[1] - 1.0, 0.0)


def _float(value: Bits, kind: str) -> Bits:
    with np.errstate(all="ignore"):
        exponent = _exponent(value)
        bits = np.full(value.shape, _STRANGE_BITS)
        denormal = exponent < (-126 if kind == "float32" else -1022)
        for low, high, price in reversed(_EXPONENTS):
            bits = np.where((exponent >= low) & (exponent < high), price, bits)
        bits += _mantissa(value, kind) + np.where(value < 0, _NEGATIVE_BITS, 0.0)
        bits -= np.where(_is_known(value), _KNOWN_BITS, 0.0)
        bits = np.where(~np.isfinite(value) | denormal, _STRANGE_BITS, bits)
        bits = np.where(np.isnan(value) & _sent_for_absent(value, kind), _ABSENT_BITS, bits)
        zero = 4.0 if kind == "float32" else 8.0
        return np.where(value == 0, np.where(np.signbit(value), 20.0, zero), bits)


def _sent_for_absent(value: Bits, kind: str) -> NDArray[np.bool_]:
    """NaN with an empty payload."""
    raw = value.astype(np.float32).view(np.uint32) if kind == "float32" else value.view(np.uint64)
    return np.isin(raw, _ABSENT[kind])


def _mantissa(value: Bits, kind: str) -> Bits:
    full = np.full(value.shape, float(_MANTISSA[kind]))
    size = np.where(np.isfinite(value) & (np.abs(value) < 1e12), np.abs(value), np.pi)  # noqa: PLR2004
    before = np.ceil(np.log10(np.maximum(size, 1) + 1e-9))
    for decimals in range(_DECIMALS[kind] + 1):
        short = np.round(size, decimals)
        same = short.astype(np.float32) == size.astype(np.float32) if kind == "float32" else short == size
        price = _SHORT_BITS + _DIGIT_BITS * (before + decimals)
        full = np.where(same, np.minimum(full, price), full)
    return full


def _float_steps(value: Bits, alone: Bits, kind: str) -> Bits:
    with np.errstate(all="ignore"):
        step = np.abs(np.diff(value, axis=0))
        before, after = _exponent(value[:-1]), _exponent(value[1:])
        last_digit = np.exp2(np.maximum(before, after) - _MANTISSA[kind])
        size = np.log2(np.maximum(step / last_digit, 1))
        same = (step == 0) | (np.isnan(value[:-1]) & np.isnan(value[1:]))
        size = np.where(np.abs(after - before) > _NEAR_EXPONENTS, alone[1:], size)
        bits = np.where(same, _SAME_BITS, _STEP_BITS + np.nan_to_num(size, nan=_STRANGE_BITS, posinf=_STRANGE_BITS))
    return np.asarray(bits.sum(axis=0))


def _decimal_digits(value: NDArray[np.int64]) -> Bits:
    return np.where(value == 0, 1.0, np.floor(np.log10(np.maximum(value, 1))) + 1)


def _letters() -> Bits:
    bits = np.full(256, IMPOSSIBLE_BITS)
    bits[0x20:0x7F] = 7.0
    bits[0] = 1.0
    for letter in b" ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._/":
        bits[letter] = 5.2
    return bits


_LETTERS: Final = _letters()


def _text(value: Column) -> Bits:
    raw = np.ascontiguousarray(value).view(np.uint8).reshape(*value.shape, 2)
    bits = np.where(raw[0].any(axis=1), _LETTERS[raw[0]].sum(axis=1), _EMPTY_BITS)
    bits = np.where((raw[0, :, 0] == 0) & (raw[0, :, 1] != 0), IMPOSSIBLE_BITS, bits)  # text ends at its first NUL
    changed = (raw[1:] != raw[:-1]).any(axis=2)
    return np.asarray(bits + np.where(changed, _LETTERS[raw[1:]].sum(axis=2), _SAME_BITS).sum(axis=0))
