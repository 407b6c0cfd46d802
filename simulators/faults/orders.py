"""What is asked for: one fault, where, when and for how long."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from simulators.device import Signal
from simulators.faults.table import FAULTS, Kind
from simulators.plant import Plant


@dataclass(frozen=True, slots=True)
class Order:
    """One fault.

    Attributes:
        fault: generic, or of a line's own.
        device: whom it befalls; empty for a line's own.
        signals: those of the device that are meant.
        at_s: plant seconds since the start; None = now.
        for_s: plant seconds.
        parameters: of the fault.
    """

    fault: str
    device: str
    signals: tuple[Signal, ...]
    at_s: float | None
    for_s: float
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """Its fields in the truth log."""
        where = {"device": self.device} if self.device else {}
        if self.fault in FAULTS and FAULTS[self.fault].one:
            where["signal"] = self.signals[0].name
        return {"fault": self.fault, **where, **self.parameters}


def read_order(said: Mapping[str, Any], plant: Plant) -> Order:
    """The order of a parsed object: `fault`, `device`, `signal`, `at_s`, `for_s`, and parameters of the fault.

    Raises:
        ValueError: something is not there, unknown or out of range; the text says what.
    """
    rest = dict(said)
    fault, device, signal = (rest.pop(key, "") for key in ("fault", "device", "signal"))
    at_s = _seconds("at", rest.pop("at_s"), 0.0) if rest.get("at_s") is not None else None
    own = plant.faults.get(fault)
    kind = FAULTS.get(fault)
    if own is None and kind is None:
        raise ValueError(f"fault: {_unknown(fault, [*FAULTS, *plant.faults])}")
    for_s = _seconds("for", rest.pop("for_s", None) or (own or kind).for_s, 0.001)  # type: ignore[union-attr]
    if own is not None or kind is None:
        for key in ("device", "signal", *rest):
            if said.get(key):
                raise ValueError(f"{key}: {fault} befalls its own line; leave it away")
        return Order(fault, "", (), at_s, for_s)
    fitting = [name for name, one in plant.devices.items() if one.type in kind.devices]
    if fitting and not device:
        raise ValueError(f"device: {fault} needs one of {', '.join(fitting)}")
    if device and device not in plant.devices:
        raise ValueError(f"device: {_unknown(device, plant.devices)}")
    if device not in fitting:
        raise ValueError(f"device: {fault} needs {' or '.join(sorted(kind.devices))}: {', '.join(fitting) or 'none'}")
    signals = _signals(fault, kind, plant.devices[device].signals, signal)
    return Order(fault, device, signals, at_s, for_s, _parameters(fault, kind, rest))


def _signals(fault: str, kind: Kind, signals: Iterable[Signal], name: str) -> tuple[Signal, ...]:
    if kind.fits is None:
        if name:
            raise ValueError(f"signal: {fault} befalls the whole device; leave it away")
        return ()
    fitting = {signal.name: signal for signal in signals if kind.fits(signal)}
    if name and name not in fitting:
        raise ValueError(f"signal: {_unknown(name, fitting)}")
    if kind.one and not name:
        raise ValueError(f"signal: {fault} needs one of {', '.join(fitting)}")
    return (fitting[name],) if name else tuple(fitting.values())


def _parameters(fault: str, kind: Kind, given: Mapping[str, Any]) -> dict[str, Any]:
    known = kind.parameters
    for key, value in given.items():
        if key not in known:
            raise ValueError(f"{key}: {_unknown(key, known) if known else f'{fault} has no parameters'}")
        choices = get_args(known[key].annotation)
        if choices and value not in choices:
            raise ValueError(f"{key}: must be one of {', '.join(choices)}")
        whole = known[key].annotation is int
        if not choices and (isinstance(value, bool) or not isinstance(value, int if whole else int | float)):
            raise ValueError(f"{key}: must be a {'whole ' if whole else ''}number")
        if whole and value < kind.least:
            raise ValueError(f"{key}: must be at least {kind.least}")
    return {key: one.default for key, one in known.items()} | dict(given)


def _seconds(key: str, value: Any, least: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < float("inf"):
        raise ValueError(f"{key}: must be a time of at least {least:g} s")
    return float(value)


def _unknown(given: object, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(given), list(known), 1)
    what = f"there is no {given!r}; " if given else "it is missing; "
    return what + (f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}")
