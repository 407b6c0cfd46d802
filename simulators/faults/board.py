"""Begins and ends faults at steps of the plant, so that a script played twice is the same to the step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from simulators.faults.orders import Order
from simulators.faults.table import FAULTS
from simulators.faults.values import Place
from simulators.plant import Plant
from simulators.signals.physics import STEP_NS, STEP_S


@dataclass(slots=True)
class Active:
    """A fault that is under way: its order, the steps at which it began and is to end, and how to undo it."""

    order: Order
    began: int
    until: int
    undo: Iterator[None]


class Board:
    """The faults of one plant.

    Args:
        plant: it befalls.
        tell: writes a line of kind `fault` to the truth log.
        start_ns: plant time of step 0, ns since 1970 UTC.
    """

    def __init__(self, plant: Plant, tell: Callable[..., None] | None = None, start_ns: int = 0) -> None:
        self._plant = plant
        self._tell = tell
        self._planned: list[tuple[int, Order]] = []
        self.start_ns = start_ns
        self.active: list[Active] = []

    def add(self, order: Order, now: int) -> None:
        """Take an order at step `now`; it begins at its time, or at the next turn.

        Raises:
            ValueError: the same fault is under way at the same place.
        """
        if order.at_s is None and any(one.order.told() == order.told() for one in self.active):
            raise ValueError(f"{order.fault} is under way there; end it first")
        at = now if order.at_s is None else math.ceil(order.at_s / STEP_S - 1e-6)
        self._planned.append((at, order))
        self._planned.sort(key=lambda one: one[0])

    def end(self, fault: str, device: str = "") -> int:
        """End what is under way under that name at the next turn, at one device or at all; how many these are."""
        ended = [one for one in self.active if one.order.fault == fault and device in {"", one.order.device}]
        for one in ended:
            one.until = 0
        return len(ended)

    def heal(self) -> None:
        """End every fault that keeps values from being read at the next turn, and let none begin any more."""
        self._planned.clear()
        for one in self.active:
            if _cuts(one.order):
                one.until = 0

    @property
    def busy(self) -> bool:
        """Whether a fault is under way or planned."""
        return bool(self.active or self._planned)

    def turn(self, step: int) -> None:
        """Begin and end what is due, right before this step."""
        for one in [one for one in self.active if one.until <= step]:
            self.active.remove(one)
            next(one.undo, None)
            self._write(one, step, ended=True)
        while self._planned and self._planned[0][0] <= step:
            _, order = self._planned.pop(0)
            one = Active(order, step, step + max(1, round(order.for_s / STEP_S)), self._acted(order))
            next(one.undo)
            self.active.append(one)
            self._write(one, step)

    def advance(self, steps: int) -> None:
        """Step plant and faults together in fast time, without any device's server."""
        end = self._plant.steps + steps
        while self._plant.steps < end:
            self.turn(self._plant.steps + 1)
            due = min([*(at for at, _ in self._planned), *(one.until for one in self.active), end + 1])
            self._plant.step(max(1, due - 1 - self._plant.steps))

    def _acted(self, order: Order) -> Iterator[None]:
        """Does it at the first `next`, undoes it at the second."""
        if order.device:
            place = Place(self._plant.panels[order.device], order.signals)
            with FAULTS[order.fault].act(place, **order.parameters):
                yield
        else:
            with self._own(order.fault):
                yield

    @contextmanager
    def _own(self, name: str) -> Iterator[None]:
        self._plant.set_fault(name, active=True)
        yield
        self._plant.set_fault(name, active=any(one.order.fault == name for one in self.active))

    def _write(self, one: Active, step: int, **more: Any) -> None:
        if self._tell is not None:
            end = step if more else one.until
            self._tell(
                "fault",
                **one.order.told(),
                cuts=_cuts(one.order),
                start_ns=self.start_ns + one.began * STEP_NS,
                end_ns=self.start_ns + end * STEP_NS,
                **more,
            )


def _cuts(order: Order) -> bool:
    kind = FAULTS.get(order.fault)
    return kind is not None and kind.cuts
