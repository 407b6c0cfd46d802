"""Hours of a simulated line as the bodies that its agent would send: readings, what rules derive, heartbeats."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from pipelines.derive.rule import Derived
from pipelines.encode.line import Series, line
from pipelines.point import BAD, SEVERITY_MASK
from tests.lines.playing import START_NS, Line, site_of

EVERY_S = 1
_HEARTBEAT_S = 10


@dataclass(frozen=True)
class Played:
    """What is stored of some hours.

    Attributes:
        bodies: line protocol.
        points: what the rules derived, in order.
        end_ns: when they were over.
    """

    bodies: tuple[bytes, ...]
    points: tuple[Derived, ...]
    end_ns: int


@cache
def played(name: str, seconds: int, faults: str) -> Played:
    """A line from a Monday, 08:00, on, with faults as `agent simulate --faults` takes them."""
    plant = Line(name)
    plant.script(faults)
    bodies, told = [], 0
    for step in range(1, seconds // EVERY_S + 1):
        plant.play(EVERY_S, EVERY_S)
        at_ns = START_NS + step * EVERY_S * 10**9
        parts = [*_readings(name, plant, at_ns), *(_derived(name, one) for one in plant.points[told:])]
        if not step * EVERY_S % _HEARTBEAT_S:
            site = site_of(name)
            place = (("company", site.company), ("site", site.site), ("machine", "edge-1"))
            parts.append(line(Series("agent", place), {"connections": 1, "connected": 1, "accepted": step}, at_ns))
        told = len(plant.points)
        bodies.append(b"".join(parts))
    step = 300
    joined = (b"".join(bodies[at : at + step]) for at in range(0, len(bodies), step))
    return Played(tuple(joined), tuple(plant.points), START_NS + seconds * 10**9)


def _readings(name: str, plant: Line, at_ns: int) -> Iterator[bytes]:
    places = site_of(name).machine_places()
    fields: dict[str, dict[str, object]] = {}
    for ref, reading in plant.look().items():
        own = fields.setdefault(ref.machine, {})
        if reading.status:
            own[f"{ref.tag}_quality"] = reading.status
        if reading.status & SEVERITY_MASK != BAD:
            own[ref.tag] = reading.value
    for machine, own in fields.items():
        yield line(places[machine].series(), own, at_ns)


def _derived(name: str, one: Derived) -> bytes:
    return line(site_of(name).machine_places()[one.machine].series(one.measurement, one.tags), one.fields, one.time_ns)
