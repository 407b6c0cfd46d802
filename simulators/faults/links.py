"""Faults of a device's answers: whether they come, when, and what they are an answer to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from simulators.faults.values import Place
from simulators.panel import Exchange, Panel


@contextmanager
def comm_loss(at: Place, how: Literal["close", "silent", "restart"] = "close") -> Iterator[None]:
    """No communication: `close` the port is shut; `silent` all is taken and nothing answered; `restart` it forgets."""
    if how == "silent":
        at.panel.silent += 1
        try:
            yield
        finally:
            at.panel.silent -= 1
        return
    at.panel.lives += how == "restart"
    with _closed(at.panel):
        yield


@contextmanager
def power_off(at: Place) -> Iterator[None]:
    """The device has no power; what it remembered beside its counters is gone."""
    at.panel.lives += 1
    with _closed(at.panel):
        yield


@contextmanager
def restart(at: Place) -> Iterator[None]:
    """The server starts again; its namespaces have other numbers then."""
    at.panel.lives += 1
    at.panel.renumbered += 1
    with _closed(at.panel):
        yield


@contextmanager
def certificate_change(at: Place) -> Iterator[None]:
    """The server starts again with another certificate."""
    at.panel.lives += 1
    at.panel.certificate += 1
    with _closed(at.panel):
        yield


@contextmanager
def _closed(panel: Panel) -> Iterator[None]:
    panel.closed += 1
    try:
        yield
    finally:
        panel.closed -= 1


@contextmanager
def half_open(at: Place) -> Iterator[None]:
    """Connections that are open now are forgotten, as by a firewall, and reset at its end; new ones are answered."""
    at.panel.deaf += 1
    try:
        yield
    finally:
        at.panel.deaf -= 1


@contextmanager
def queue_overflow(at: Place, queue: int = 3) -> Iterator[None]:
    """Nothing is published meanwhile, and each monitored item keeps `queue` values: of 1, no loss would be told."""
    with at.panel.linked(queue=queue):
        yield


@contextmanager
def timeout(at: Place, every: int = 4) -> Iterator[None]:
    """Each `every`-th request is not answered."""
    with at.panel.linked(exchange=Exchange("timeout", every)):
        yield


@contextmanager
def exception(at: Place, code: int = 4, every: int = 1) -> Iterator[None]:
    """Each `every`-th request is answered with exception `code`."""
    with at.panel.linked(exchange=Exchange("exception", every, code=code)):
        yield


@contextmanager
def late_reply(at: Place, late_s: float = 5.0, every: int = 4) -> Iterator[None]:
    """Each `every`-th answer comes `late_s` real seconds after its request."""
    with at.panel.linked(exchange=Exchange("late", every, late_s=late_s)):
        yield


@contextmanager
def wrong_reply(at: Place, every: int = 4) -> Iterator[None]:
    """Each `every`-th answer belongs to another request: another transaction, function or length, in turn."""
    with at.panel.linked(exchange=Exchange("wrong", every)):
        yield
