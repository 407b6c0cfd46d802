"""What the agent says it accepted, and what it was seen to publish, against what the store holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from agent.simulate.session import Simulation
from pipelines.place import Place
from viewer.stores import base

Fields = Mapping[tuple[base.Place, str], base.Points]
"""What a store holds of each field of a place."""
FOR_EVER: Final = 2**62
"""The year 2116, ns since 1970 UTC."""


class Readable(Protocol):
    """What is asked of a store to judge it."""

    def readings(self, wanted: Sequence[tuple[base.Place, str]], start_ns: int, end_ns: int) -> Sequence[base.Points]:
        """See `viewer.stores.base.Store.readings`."""
        ...

    def gaps(self, company: str | None = None, start_ns: int | None = None) -> list[base.StoredGap]:
        """See `viewer.stores.base.Store.gaps`."""
        ...


def stored_fields(store: Readable, tags: Iterable[tuple[Place, str]], start_ns: int) -> Fields:
    """Values, qualities and source times of tags, each with its place, from `start_ns` on.

    Raises:
        DependencyError: the store cannot be read.
    """
    wanted = [(where(place), tag + suffix) for place, tag in tags for suffix in ("", base.QUALITY, base.SOURCE_TIME)]
    return dict(zip(wanted, store.readings(wanted, start_ns, FOR_EVER), strict=True))


def where(place: Place) -> base.Place:
    """The same place as stores know it."""
    return base.Place(place.company, place.site, place.line, place.machine, place.measurement)


def lost_after_publishing(simulation: Simulation, stored: Fields, start_ns: int) -> list[str]:
    """A sentence on each field of which a value crossed the broker and is not in the store.

    Exact: series, field and time, values, qualities and source times alike. It can not see what was published while the
    witness was not connected.
    """
    wrong: list[str] = []
    published = simulation.witness.published
    for (place, field), points in stored.items():
        if seen := published.get((place.machine, field), ()):
            wrong += unkept(f"{place.machine}/{field}", seen, points.time_ns, start_ns)
    return wrong


def unkept(name: str, seen: Iterable[int], stored_ns: NDArray[np.int64], start_ns: int) -> list[str]:
    """A sentence when values seen at or after `start_ns` are not stored; times in ns since 1970 UTC."""
    lost = sorted({time for time in seen if time >= start_ns} - set(stored_ns.tolist()))
    return [f"{name}: {len(lost)} published values are not in the store, the first of {lost[0]}"] if lost else []


def lost_before_publishing(
    simulation: Simulation, truth: Sequence[Mapping[str, Any]], kept: int, *, undisturbed: bool
) -> list[str]:
    """Sentences on points that the agent counted as accepted and that are not in the store.

    The agent's journal must be empty at the end, and in a run in which nothing was injected and no link was opened
    again, `accepted - derived - dropped - quarantined` must not be above the readings and gaps in the store. Where the
    collector was killed or a link reopened, a server tells initial values again, and the same reading at the same time
    is one point: nothing is counted then. Neither can it see a loss as small as what was accepted after the last look
    at the agent (about 1 s), or the words on a quality that is over, which are stored and not counted. Lost readings
    the plant's truth shows in any case.

    Args:
        simulation: it is over.
        truth: the plant's lines; a node that is read again unchanged is accepted again, as the same point.
        kept: readings (times with a value or a bad quality) and gaps of this run in the store.
        undisturbed: nothing was injected.
    """
    wrong = [] if simulation.drained else ["collector: ended before everything it had accepted was confirmed"]
    if undisturbed and all(opened == 1 for opened in simulation.links("opened").values()):
        other = ("derived", "dropped", "quarantined")
        claimed = simulation.points("accepted") - sum(map(simulation.points, other))
        wrong += overclaimed(claimed, kept, repeated_reads(truth) + simulation.witness.retold_gaps)
    return wrong


def overclaimed(claimed: int, kept: int, repeats: int) -> list[str]:
    """A sentence when more points are claimed than are kept or overwritten by themselves."""
    lost = claimed - repeats - kept
    return [f"collector: {claimed} points accepted, {lost} of them are not in the store"] if lost > 0 else []


def repeated_reads(truth: Sequence[Mapping[str, Any]]) -> int:
    """Values that a Read brought again with the same source time."""
    read = [pair for line in truth if line["k"] == "read" for pair in zip(line["ids"], line["times"], strict=True)]
    return len(read) - len(set(read))
