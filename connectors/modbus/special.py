"""What a value may need after its bytes were read: BCD, sentinels, power factors, decimals of the device. Pure.

Each is a step over the positions of a column that need it; a column whose tags need nothing has no steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from connectors.modbus.tag import MODULUS
from pipelines.point import (
    BAD_DATA_ENCODING_UNSUPPORTED,
    BAD_DEVICE_FAILURE,
    BAD_NO_COMMUNICATION,
    BAD_NOT_SUPPORTED,
    BAD_OUT_OF_RANGE,
    BAD_SENSOR_FAILURE,
    BAD_WAITING_FOR_INITIAL_DATA,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from connectors.modbus.tag import ModbusTag

    Step = Callable[[NDArray[Any], NDArray[np.uint32]], None]
    """Changes values and statuses of a column in place."""

SENTINEL_STATUS: Final = {
    "sensor_open": BAD_SENSOR_FAILURE,
    "sensor_failure": BAD_SENSOR_FAILURE,
    "over_range": BAD_OUT_OF_RANGE,
    "under_range": BAD_OUT_OF_RANGE,
    "device_failure": BAD_DEVICE_FAILURE,
    "out_of_service": 0x808D_0000,
    "no_communication": BAD_NO_COMMUNICATION,
    "not_supported": BAD_NOT_SUPPORTED,
    "not_ready": BAD_WAITING_FOR_INITIAL_DATA,
}
"""StatusCode of each word for a sentinel (OPC 10000-6 Annex A.2)."""
MOST_DECIMALS: Final = 6
_LARGEST_DIGIT: Final = 9
_MOST_PF: Final = 2.0


def steps_of(tags: Sequence[ModbusTag], decimals: NDArray[np.uint16] | None) -> list[Step]:
    """What the column of `tags` needs, in the order of doing; empty = nothing.

    Args:
        tags: the tags of one column.
        decimals: where the registers named by `decimals_from` come to lie, in the order of the tags that have one.
    """
    steps: list[Step] = []
    if where := _where(tags, lambda tag: tag.datatype.startswith("bcd")):
        steps.append(_bcd(np.array(where)))
    if where := _where(tags, lambda tag: bool(tag.sentinels)):
        steps.append(_sentinels([(at, raw, word) for at in where for raw, word in tags[at].sentinels.items()]))
    if where := _where(tags, lambda tag: tag.least_magnitude is not None):
        steps.append(_magnitude(np.array(where), np.array([tags[at].least_magnitude for at in where], np.float64)))
    if where := _where(tags, lambda tag: tag.decode == "pf_4q"):
        steps.append(_power_factor(np.array(where)))
    if where := _where(tags, lambda tag: tag.decimals_from is not None):
        assert decimals is not None
        steps.append(_decimals(np.array(where), decimals))
    return steps


def _where(tags: Sequence[ModbusTag], needs: Callable[[ModbusTag], bool]) -> list[int]:
    return [at for at, tag in enumerate(tags) if needs(tag)]


def _bcd(where: NDArray[Any]) -> Step:
    """Four bits a digit, the first one on top; a nibble above 9 is no digit."""
    digits = len(str(MODULUS["bcd64"])) - 1

    def step(value: NDArray[Any], status: NDArray[np.uint32]) -> None:
        raw = value[where].astype(np.uint64)
        number = np.zeros(len(where), np.int64)
        wrong = np.zeros(len(where), np.bool_)
        for place in range(digits):
            digit = ((raw >> np.uint64(4 * place)) & np.uint64(15)).astype(np.int64)
            wrong |= digit > _LARGEST_DIGIT
            number += digit * 10**place
        value[where] = np.where(wrong, 0, number)
        status[where[wrong]] = BAD_DATA_ENCODING_UNSUPPORTED

    return step


def _sentinels(entries: list[tuple[int, int, str]]) -> Step:
    where = np.array([at for at, _, _ in entries])
    codes = np.array([SENTINEL_STATUS[word] for _, _, word in entries], np.uint32)
    raws = np.array([raw for _, raw, _ in entries], object)

    def step(value: NDArray[Any], status: NDArray[np.uint32]) -> None:
        hit = value[where] == raws.astype(value.dtype)
        status[where[hit]] = codes[hit]

    return step


def _magnitude(where: NDArray[Any], least: NDArray[np.float64]) -> Step:
    def step(value: NDArray[Any], status: NDArray[np.uint32]) -> None:
        size = np.abs(value[where])
        status[where[(size > 0) & (size < least)]] = BAD_DATA_ENCODING_UNSUPPORTED

    return step


def _power_factor(where: NDArray[Any]) -> Step:
    """4Q_FP_PF of the Schneider PM5000 register list: the quadrant is folded into a range of ±2."""

    def step(value: NDArray[Any], status: NDArray[np.uint32]) -> None:
        coded = value[where]
        status[where[np.abs(coded) > _MOST_PF]] = BAD_OUT_OF_RANGE
        value[where] = np.where(np.abs(coded) > 1, np.copysign(_MOST_PF, coded) - coded, coded)

    return step


def _decimals(where: NDArray[Any], decimals: NDArray[np.uint16]) -> Step:
    def step(value: NDArray[Any], status: NDArray[np.uint32]) -> None:
        places = decimals.astype(np.int64)
        status[where[(places > MOST_DECIMALS) & (status[where] == 0)]] = BAD_DATA_ENCODING_UNSUPPORTED
        value[where] /= 10.0 ** np.minimum(places, MOST_DECIMALS)

    return step
