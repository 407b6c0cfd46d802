"""A recording as a plant: devices without variables, which show what the tape says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import orjson

from simulators.clock import SimClock
from simulators.device import Device, Signal
from simulators.following import Follower
from simulators.panel import Panel
from simulators.plant import Plant
from simulators.points import NULL
from simulators.replay.contents import contents_of
from simulators.replay.modbus import ReplayedModbus
from simulators.replay.nodes import rows_of
from simulators.replay.recording import Recording
from simulators.replay.seen import Seen, seen_of
from simulators.replay.tape import Tape
from simulators.replay.values import PLAIN
from simulators.truth import TruthLog

_MARGIN_NS: Final = 1_000_000_000


class ReplayPlant(Plant):
    """The devices of a recording of which anything is read.

    Args:
        path: the recording.
        seen: what a client reads, entries of `simulators.replay.seen`.
        clock: of the plant.
        loop: begin again at the end.

    Raises:
        RecordingError: it is no recording.
        OSError: it cannot be read.
    """

    def __init__(self, path: Path, seen: list[Mapping[str, Any]], clock: SimClock, *, loop: bool = False) -> None:
        super().__init__((path.stem,), {}, {})
        recording = Recording(path)
        self._contents = contents_of(recording)
        self._tape = Tape(recording, self._contents, clock.rate, loop=loop, stopped=lambda: self.frozen)
        self._seen = seen_of(seen)
        read = {one.device for one in self._seen}
        for one in (one for one in self._contents.connections if one.name in read):
            self.devices[one.name] = Device(one.name, one.type, ())
            self.panels[one.name] = Panel(self.devices[one.name], self.values)
        self._seen = [self._judgeable(one) for one in self._seen]
        self._servers: list[ReplayedModbus | Any] = []

    def step(self, steps: int = 1) -> None:
        """Count on; what is shown follows the tape."""
        if not self.frozen:
            self.steps += steps

    def since_ns(self, now_ns: int) -> int:
        """Oldest source time: what had not changed for long before the recording bears a time of then."""
        firsts = [time_ns for one in self._contents.connections for time_ns in one.first_ns.values()]
        return min([now_ns, *(time_ns + self._tape.shift_ns(now_ns) - _MARGIN_NS for time_ns in firsts)])

    @property
    def over(self) -> bool:
        """Whether the recording was played to its end."""
        return self._tape.over

    def signals(self) -> Iterator[Signal]:
        """What the client says it reads."""
        yield from self._seen

    def server(self, panel: Panel, truth: TruthLog, now_ns: Callable[[], int]) -> Follower:
        """The server of a device."""
        found = enumerate(self._contents.connections)
        position, recorded = next(pair for pair in found if pair[1].name == panel.device.name)
        mine = [one for one in self._seen if one.device == recorded.name]
        made: Any
        if recorded.type == "opcua":
            from simulators.replay.opcua import ReplayedOpcUa  # noqa: PLC0415 — Modbus alone needs no asyncua

            made = ReplayedOpcUa(panel, truth, now_ns, self._tape, recorded, mine)
        else:
            made = ReplayedModbus(panel, truth, now_ns, self._tape, recorded, mine)
        self._tape.devices[position] = made
        self._servers.append(made)
        return made  # type: ignore[no-any-return]

    def freeze(self) -> None:
        """Stand still, and let everything be read."""
        self.frozen = True
        for server in self._servers:
            server.heal()

    def _judgeable(self, one: Seen) -> Seen:
        recorded = next((known for known in self._contents.connections if known.name == one.device), None)
        if recorded is None or recorded.type != "opcua":
            return one
        rows = rows_of([one], recorded)
        return replace(one, judged=all(recorded.types.get(row, NULL) in PLAIN for row in rows))


def replay_of(recording: Path, seen: Path, clock: SimClock, *, loop: bool) -> ReplayPlant:
    """The plant of a recording and a `seen.json`.

    Raises:
        RecordingError, OSError: one of them cannot be read.
    """
    return ReplayPlant(recording, orjson.loads(seen.read_bytes()), clock, loop=loop)
