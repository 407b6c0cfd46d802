"""What a Modbus device of a recording says to any request at a time. Pure.

A register holds what the newest answer had until the next one. A refusal by exceptions 1, 2 or 3 is one of the
request: it holds for every request that has the whole of the refused one in it. Any other exception is one of the
device: it holds for every request that touches the refused one. Both end with a good answer to as much. A unit without
an answer stays silent until the next one. What no client met while it held is owed to the next request: it does come
back, wherever the polls of the replay fall.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

BUSY: Final = 6
"""Server device busy (V1.1b3 §7): what is told of a register before the first answer that has it."""
ILLEGAL_FUNCTION: Final = 1
ILLEGAL_ADDRESS: Final = 2
NO_GATEWAY_TARGET: Final = 11
_OF_THE_REQUEST: Final = frozenset({1, 2, 3})
_BIT_CODES: Final = frozenset({1, 2})

Where = tuple[int, int]
"""Unit and function code."""


@dataclass(slots=True)
class Trouble:
    """Something that keeps requests from a good answer.

    Attributes:
        said: exception code, or kind of silence.
        over: the recording says that it ended.
        met: a client met it.
    """

    said: Any
    over: bool = False
    met: bool = False


class Registers:
    """One device, or the units behind one gateway.

    Args:
        addresses: what was read once at least, by unit and function code.
        units: that were asked.
    """

    def __init__(self, addresses: dict[Where, set[int]], units: set[int]) -> None:
        self._known = addresses
        self._units = units
        self._held: dict[Where, dict[int, int]] = {}
        self._refused: dict[Where, dict[tuple[int, int], Trouble]] = {}
        self._silent: dict[int, Trouble] = {}

    def take(self, line: dict[str, Any]) -> None:
        """A line of kind `modbus`."""
        unit, where = line["unit"], (line["unit"], line["fc"])
        if "silence" in line:
            self._silent[unit] = Trouble(line["silence"])
            return
        if unit in self._silent:
            _end(self._silent, unit)
        first, end = line["at"], line["at"] + line["n"]
        refused = self._refused.setdefault(where, {})
        if "exception" in line:
            refused[first, end] = Trouble(line["exception"])
            return
        for span in [span for span in refused if first <= span[0] and span[1] <= end]:
            _end(refused, span)
        self._held.setdefault(where, {}).update(enumerate(_units_of(line), first))

    def heal(self) -> None:
        """Nobody is silent any more."""
        self._silent.clear()

    def silence(self, unit: int) -> str:
        """Which silence a request to this unit meets now; empty = none."""
        trouble = self._silent.get(unit)
        return str(_meet(self._silent, unit)) if trouble is not None else ""

    def answer(self, unit: int, fc: int, first: int, count: int) -> list[int] | int:
        """Registers (0-65535) or bits, or an exception code."""
        where, end = (unit, fc), first + count
        if unit not in self._units:
            return NO_GATEWAY_TARGET
        refused = self._refused.get(where, {})
        for span, trouble in refused.items():
            if _concerns(trouble.said, span, (first, end)):
                return int(_meet(refused, span))
        if where not in self._known:
            return ILLEGAL_FUNCTION
        if not self._known[where].issuperset(range(first, end)):
            return ILLEGAL_ADDRESS
        held = self._held.get(where, {})
        found = [held[at] for at in range(first, end) if at in held]
        return found if len(found) == count else BUSY


def _concerns(code: int, span: tuple[int, int], request: tuple[int, int]) -> bool:
    if code in _OF_THE_REQUEST:
        return request[0] <= span[0] and span[1] <= request[1]
    return span[0] < request[1] and request[0] < span[1]


def _end(troubles: dict[Any, Trouble], key: Any) -> None:
    if troubles[key].met:
        del troubles[key]
    else:
        troubles[key].over = True


def _meet(troubles: dict[Any, Trouble], key: Any) -> Any:
    trouble = troubles[key]
    trouble.met = True
    if trouble.over:
        del troubles[key]
    return trouble.said


def _units_of(line: dict[str, Any]) -> list[int]:
    """Registers or bits of a good answer, as many as were asked for."""
    data = bytes.fromhex(line["data"])
    if line["fc"] in _BIT_CODES:
        return [data[at // 8] >> at % 8 & 1 for at in range(line["n"])]
    return [data[at] << 8 | data[at + 1] for at in range(0, 2 * line["n"], 2)]
