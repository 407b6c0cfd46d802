"""What was read, before anything is made of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from connectors.modbus.probe.search import runs

_ALIKE: Final = 0.8


@dataclass(slots=True)
class TableFound:
    """One table of one unit.

    Attributes:
        table: coil, discrete, input or holding.
        reads: what each pass gave: register or bit by address.
        refusal: exception code that says the unit has no such table; 0 = none.
        block: most addresses the unit gave at once.
        limited: whether it refused more because it was too much.
    """

    table: str
    reads: list[dict[int, int]] = field(default_factory=lambda: [{}])
    refusal: int = 0
    block: int = 0
    limited: bool = False

    def ranges(self) -> list[tuple[int, int]]:
        """Readable addresses as (first, last)."""
        return runs(self.reads[0])

    def words(self, first: int, last: int) -> NDArray[np.uint16]:
        """Every complete pass over a readable range, shape (reads, addresses)."""
        span = range(first, last + 1)
        whole = [one for one in self.reads if all(address in one for address in span)]
        return np.array([[one[address] for address in span] for one in whole], np.uint16)


@dataclass(slots=True)
class UnitFound:
    """One unit that answers.

    Attributes:
        unit: unit id.
        tables: by name, in the order they were looked at.
        twin: unit with the same content, which was looked at in its place; None = none.
    """

    unit: int
    tables: dict[str, TableFound] = field(default_factory=dict)
    twin: int | None = None


def alike(one: dict[int, int], other: dict[int, int]) -> bool:
    """Whether two reads of the same addresses hold the same, but for a few that moved in between."""
    shared = [address for address in one if address in other and (one[address] or other[address])]
    same = sum(one[address] == other[address] for address in shared)
    return bool(shared) and same >= _ALIKE * len(shared)
