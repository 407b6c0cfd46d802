"""What is wrong with one unit or one request stays there: backoff, meaning of exceptions, gaps. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from connectors.missed import Missed
from connectors.modbus.decode import Decoder
from pipelines.point import (
    BAD,
    BAD_CONFIGURATION_ERROR,
    BAD_DEVICE_FAILURE,
    BAD_NO_COMMUNICATION,
    BAD_NOT_SUPPORTED,
    Gap,
)

if TYPE_CHECKING:
    from connectors.modbus.config import ModbusConnection
    from connectors.modbus.plan import Request

STATUS: Final = {
    0x01: BAD_NOT_SUPPORTED,  # illegal function: the device has no such table
    0x02: BAD_CONFIGURATION_ERROR,  # illegal data address
    0x03: BAD_CONFIGURATION_ERROR,  # illegal data value: more than the device gives at once
    0x04: BAD_DEVICE_FAILURE,
    0x05: BAD_NO_COMMUNICATION,  # acknowledge: not yet
    0x06: BAD_NO_COMMUNICATION,  # server device busy
    0x08: BAD_DEVICE_FAILURE,  # memory parity error
    0x0A: BAD_NO_COMMUNICATION,  # gateway path unavailable
    0x0B: BAD_NO_COMMUNICATION,  # gateway target device failed to respond
}
"""StatusCode of each Modbus exception (V1.1b3 §7); any other is Bad."""
REFUSED: Final = frozenset({0x01, 0x02, 0x03})
"""The request will be refused again: tested again later and later."""
DIVISIBLE: Final = frozenset({0x02, 0x03})
"""A part of the request may be granted."""
GATEWAY: Final = frozenset({0x0A, 0x0B})
"""The unit behind the gateway does not answer."""
LATE_PERIODS: Final = 1.5
"""A pause of more periods than this is a gap."""
_CLOCK_NS: Final = 1_000_000_000
_MOST_S: Final = 60.0
_REFUSED_PERIODS: Final = 10
_REFUSED_MOST_S: Final = 600.0


def status_of(exception: int) -> int:
    """StatusCode of a Modbus exception code."""
    return STATUS.get(exception, BAD)


@dataclass(slots=True)
class Backoff:
    """When something that failed is tried again: after `first_s`, then twice as long each time, at most `most_s`."""

    first_s: float
    most_s: float
    wait_s: float = 0.0
    until_s: float = 0.0

    def failed(self, now_s: float) -> None:
        """It failed at `now_s` (monotonic seconds)."""
        self.wait_s = min(self.most_s, max(2 * self.wait_s, self.first_s))
        self.until_s = now_s + self.wait_s

    def worked(self) -> None:
        """It works again."""
        self.wait_s = self.until_s = 0.0

    def rests(self, now_s: float) -> bool:
        """Whether it is to be left alone at `now_s`."""
        return now_s < self.until_s


@dataclass(slots=True)
class Unit:
    """One unit of a connection and its circuit breaker.

    A unit that does not answer is left alone for so long that it costs at most its share of the line's time, then
    twice as long each time, up to a minute.

    Attributes:
        share: largest part of the line's time that it may cost, 0-1.
        lossy: frames get lost on this line: one alone is asked for again at once, if the share allows.
        backoff: when a unit that does not answer is asked again.
        silent: it caused the last trouble, by no answer or a wrong one.
        known: it answered once.
    """

    share: float
    lossy: bool
    backoff: Backoff = field(default_factory=lambda: Backoff(0.0, _MOST_S))
    silent: bool = False
    known: bool = False
    _again_s: float = 0.0

    def rests(self, now_s: float) -> bool:
        """Whether it is to be left alone at `now_s` (monotonic seconds)."""
        return self.backoff.rests(now_s)

    def once_more(self, now_s: float, cost_s: float) -> bool:
        """Whether a request of a unit that answered until now is put again at once, after trouble of `cost_s`."""
        if not self.lossy or not self.known or self.silent or now_s < self._again_s:
            return False
        self._again_s = now_s + cost_s / self.share
        return True

    def failed(self, now_s: float, cost_s: float) -> None:
        """It did not answer, which took `cost_s` of the line's time until `now_s` (monotonic seconds)."""
        rest_s = cost_s * (1 / self.share - 1)
        self.silent = True
        self.backoff.first_s = rest_s
        self.backoff.most_s = max(_MOST_S, rest_s)
        self.backoff.failed(now_s)

    def answered(self) -> None:
        """It answers."""
        self.silent, self.known = False, True
        self.backoff.worked()


def unit_of(connection: ModbusConnection) -> Unit:
    """A unit that has not failed yet."""
    return Unit(connection.dead_unit_share, lossy=connection.transport not in {"tcp", "tls"})


@dataclass(slots=True, eq=False)
class Poll:
    """A request with its decoder and what is known about it.

    Attributes:
        request: what is read.
        decoder: compiled for it.
        root: the planned poll this one was split from; itself when it is planned.
        known_ns: time of the last reply, ns since 1970 UTC, 0 = none yet.
        cause: cause of the gap that the next reply closes; empty = there is none.
        refusal: when a refused request is tried again.
        missed: ticks that were left out.
    """

    request: Request
    decoder: Decoder
    refusal: Backoff
    root: Poll = field(init=False)
    known_ns: int = 0
    cause: str = ""
    missed: Missed = field(default_factory=Missed)

    def __post_init__(self) -> None:
        self.root = self

    def stamp(self, time_ns: int) -> int:
        """`time_ns`, or 1 ns after the last reply where a coarse clock has not moved or went back by under 1 s."""
        if 0 <= self.known_ns - time_ns < _CLOCK_NS:
            return self.known_ns + 1
        return time_ns

    def lost(self, cause: str) -> None:
        """Readings are missing from now on."""
        self.cause = self.cause or cause

    def gaps(self, time_ns: int) -> list[Gap]:
        """Gaps that a reply at `time_ns` closes; a pause within 1.5 periods is none."""
        cause, since_ns = self.cause, self.known_ns
        late_ns = LATE_PERIODS * self.request.period_s * 1e9
        if not cause or not since_ns or time_ns - since_ns <= late_ns:
            return self.missed.read(self.request.tags, since_ns, time_ns)
        self.missed.clear()
        return [Gap(tag, cause, since_ns, time_ns) for tag in self.request.tags]

    def replied(self, time_ns: int) -> None:
        """A reply came at `time_ns`."""
        self.known_ns = time_ns
        self.cause = ""


def poll_of(connection: ModbusConnection, request: Request, parent: Poll | None = None) -> Poll:
    """A poll of `request`, heir of `parent` where the request is a part of the parent's."""
    refusal = Backoff(_REFUSED_PERIODS * request.period_s, max(_REFUSED_MOST_S, _REFUSED_PERIODS * request.period_s))
    poll = Poll(request, Decoder(connection, request), refusal)
    if parent is not None:
        poll.root, poll.known_ns, poll.cause = parent.root, parent.known_ns, parent.cause
        poll.missed = parent.missed.copy()
    return poll
