"""Faults of what a device shows. A value that is stuck or a sentinel is what the device shows, and so it is truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from simulators.device import INTEGERS, Signal
from simulators.panel import ANY_BAD, Panel
from simulators.words import integer_limits

BAD_DEVICE_FAILURE: Final = 0x808B_0000
BAD_SENSOR_FAILURE: Final = 0x808C_0000
UNCERTAIN_LAST_USABLE: Final = 0x4090_0000
"""OPC 10000-4 Annex A; OPC 10000-8 §5.3."""
FLOAT_OPEN: Final = -9999.0
FLOAT_MODULO: Final = 1_000_000.0
"""Where a counter that is a float begins again: six digits, as on a meter's display."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a fault acts: a device, and those of its signals that are meant."""

    panel: Panel
    signals: tuple[Signal, ...]

    def value(self, signal: Signal) -> Any:
        """Its value now, before scaling to a register."""
        return self.panel.value(signal)


def _bad(at: Place, code: int) -> dict[int, int]:
    return dict.fromkeys((s.id for s in at.signals), ANY_BAD if at.panel.device.type == "mtconnect" else code)


@contextmanager
def open_sensor(at: Place, value: float = 0.0) -> Iterator[None]:
    """The sensor's wire is broken: a node is bad, a register holds `value` (raw; 0 = `open` of plant.yaml)."""
    if at.panel.device.type != "modbus":
        with at.panel.marked(_bad(at, BAD_SENSOR_FAILURE)):
            yield
        return
    with at.panel.held({s.id: _open(s, value) for s in at.signals}):
        yield


def _open(signal: Signal, value: float) -> float:
    if signal.datatype.startswith("float"):
        return value or signal.open or FLOAT_OPEN
    return int(value) or signal.open or integer_limits(signal.datatype)[1]


@contextmanager
def stuck(at: Place) -> Iterator[None]:
    """Values stand still."""
    with at.panel.changed({s.id: _always(at.value(s)) for s in at.signals}):
        yield


def _always(value: Any) -> Callable[[Any], Any]:
    return lambda _now: value


@contextmanager
def spike(at: Place, factor: float = 5.0) -> Iterator[None]:
    """The value is `factor` times what it should be."""
    with at.panel.changed({s.id: lambda now: now * factor for s in at.signals}):
        yield


@contextmanager
def counter_reset(at: Place) -> Iterator[None]:
    """The counter begins again at 0, and goes on from there when the fault is over."""
    at.panel.keep({s.id: _less(at.value(s)) for s in at.signals})
    yield


def _less(start: Any) -> Callable[[Any], Any]:
    return lambda now: now - start


@contextmanager
def rollover(at: Place, before: float = 5.0) -> Iterator[None]:
    """The counter stands `before` counts before its end, then begins again at 0; it stays so."""
    for s in at.signals:
        modulo = _modulo(s)
        at.panel.keep({s.id: _rolling(modulo - before - at.value(s), modulo)})
    yield


def _modulo(signal: Signal) -> float:
    kind = INTEGERS.get(signal.datatype, signal.datatype)
    if kind.lower() in {"float", "double", "float32", "float64"}:
        return FLOAT_MODULO
    most = integer_limits(kind)[1] + 1
    return most / 10**signal.decimals if signal.table else most


def _rolling(offset: float, modulo: float) -> Callable[[Any], Any]:
    return lambda now: (now + offset) % modulo


@contextmanager
def word_order(at: Place) -> Iterator[None]:
    """Values of several registers come in the other word order."""
    with at.panel.swapped({s.id: s for s in at.signals}):
        yield


@contextmanager
def clock_skew(at: Place, by_s: float = 7200.0) -> Iterator[None]:
    """The device's clock is ahead by `by_s`; negative = behind."""
    at.panel.skew_ns += int(by_s * 1e9)
    try:
        yield
    finally:
        at.panel.skew_ns -= int(by_s * 1e9)


@contextmanager
def bad_quality(at: Place) -> Iterator[None]:
    """The device says itself that values are bad."""
    with at.panel.marked(_bad(at, BAD_DEVICE_FAILURE)):
        yield


@contextmanager
def uncertain_quality(at: Place) -> Iterator[None]:
    """The device says itself that values are uncertain."""
    with at.panel.marked(dict.fromkeys((s.id for s in at.signals), UNCERTAIN_LAST_USABLE)):
        yield
