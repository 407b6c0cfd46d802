"""What a device shows and whether it answers: its signals over the plant's values, as faults have altered them.

A fault changes the panel and the device's server follows it, so that faults can be played without any socket.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from simulators.device import Device, Signal
from simulators.signals.physics import Values
from simulators.words import engineering, from_bytes, register_count, to_bytes

Change = Callable[[Any], Any]
"""What a variable's value is shown as."""
Stack = dict[object, Any]
"""What lies over something, in the order in which it came; each layer has a token of its own."""
SWAPPED: Final = {"ABCD": "CDAB", "CDAB": "ABCD", "BADC": "DCBA", "DCBA": "BADC"}
ANY_BAD: Final = -1
"""Status in the truth log: which bad StatusCode stands for it is the client's choice."""
BAD_OUT_OF_SERVICE: Final = 0x808D_0000
"""The source of the value does not work (OPC 10000-4 Annex A)."""


@dataclass(slots=True)
class Exchange:
    """What goes wrong with requests: each `every`-th of them.

    Attributes:
        kind: `timeout` no answer, `exception`, `late`, or `wrong`: an answer to another question.
        code: exception code.
        late_s: real seconds.
        seen: requests so far.
    """

    kind: str
    every: int = 1
    code: int = 0
    late_s: float = 0.0
    seen: int = 0

    def hits(self) -> bool:
        """Count a request; whether it is one of those."""
        self.seen += 1
        return self.seen % self.every == 0


class Panel:
    """One device.

    Attributes:
        closed: its port is shut while this is above 0.
        silent: it takes everything and answers nothing while this is above 0.
        lives: how often it was switched on; what it remembered is gone with each.
        deaf: connections that were open when this went above 0 are forgotten; their clients are told at its end.
        renumbered: OPC UA: namespaces that come before its own.
        certificate: OPC UA: number of its certificate.
        skew_ns: its clock is off by this much.
        asked: whether anybody has read a value of it.
    """

    def __init__(self, device: Device, values: Values) -> None:
        self.device = device
        self.closed = self.silent = self.deaf = self.renumbered = self.skew_ns = 0
        self.lives = self.certificate = 1
        self.asked = False
        self._values = values
        self._changes: dict[int, Stack] = defaultdict(dict)
        self._raws: dict[int, Stack] = defaultdict(dict)
        self._status: dict[int, Stack] = defaultdict(dict)
        self._swapped: dict[int, Stack] = defaultdict(dict)
        self._links: dict[str, Stack] = defaultdict(dict)

    @property
    def exchange(self) -> Exchange | None:
        """What goes wrong with requests, or None; of several faults the last one that began."""
        found = self._links.get("exchange")
        return _last(found) if found else None

    @property
    def queue(self) -> int:
        """OPC UA: longest queue of a monitored item while nothing is published; 0 = all is well."""
        found = self._links.get("queue")
        return _last(found) if found else 0

    @property
    def reachable(self) -> bool:
        """Whether a client gets anything."""
        return not (self.closed or self.silent)

    def value(self, signal: Signal) -> Any:
        """The value of its variable, as altered."""
        return self._of(signal)[signal.of]

    def raw(self, signal: Signal) -> Any:
        """What its register holds now; for words in the wrong order, what a client makes of them."""
        if self._raws.get(signal.id):
            return _last(self._raws[signal.id])
        if signal.open is not None and self._without(signal):
            return signal.open
        raw = signal.raw(self._of(signal))
        if not self._swapped.get(signal.id):
            return raw
        return from_bytes(to_bytes(raw, signal.datatype, SWAPPED[signal.words]), signal.datatype, signal.words)

    def shown(self, signal: Signal) -> Any:
        """The value as served now: engineering value of a register, or the node's value."""
        return engineering(self.raw(signal), signal.decimals) if signal.table else signal.shown(self._of(signal))

    def status(self, signal: Signal) -> int:
        """Its StatusCode."""
        if found := self._status.get(signal.id):
            code: int = _last(found)
            return code
        if signal.table or not self._without(signal):
            return 0
        return ANY_BAD if signal.category else BAD_OUT_OF_SERVICE

    @contextmanager
    def changed(self, changes: Mapping[int, Change]) -> Iterator[None]:
        """Show signals, by id, altered."""
        with _stacked(self._changes, changes):
            yield

    @contextmanager
    def held(self, raws: Mapping[int, Any]) -> Iterator[None]:
        """Hold registers, by signal id, at raw values."""
        with _stacked(self._raws, raws):
            yield

    @contextmanager
    def marked(self, statuses: Mapping[int, int]) -> Iterator[None]:
        """Give signals, by id, a StatusCode."""
        with _stacked(self._status, statuses):
            yield

    @contextmanager
    def swapped(self, signals: Mapping[int, Signal]) -> Iterator[None]:
        """Put the registers of signals, by id, in the other order."""
        longer = {number: signal for number, signal in signals.items() if register_count(signal.datatype) > 1}
        with _stacked(self._swapped, longer):
            yield

    @contextmanager
    def linked(self, **what: Any) -> Iterator[None]:
        """Let requests go wrong as `exchange` says, or queues be as short as `queue`."""
        with _stacked(self._links, what):
            yield

    def keep(self, changes: Mapping[int, Change]) -> None:
        """Show signals altered from now on for ever."""
        for number, change in changes.items():
            self._changes[number][object()] = change

    def _without(self, signal: Signal) -> bool:
        """Whether there is no value of it now."""
        return bool(signal.bad and self._values[signal.bad])

    def _of(self, signal: Signal) -> Values:
        changes = self._changes.get(signal.id)
        if not changes:
            return self._values
        value = self._values[signal.of]
        for change in changes.values():
            value = change(value)
        return {signal.of: value}


@contextmanager
def _stacked(stacks: dict[Any, Stack], layers: Mapping[Any, Any]) -> Iterator[None]:
    """Lay something over each key and take it away again, in any order."""
    token = object()
    for key, layer in layers.items():
        stacks[key][token] = layer
    try:
        yield
    finally:
        for key in layers:
            del stacks[key][token]


def _last(stack: Stack) -> Any:
    """What lies on top."""
    return stack[next(reversed(stack))]
