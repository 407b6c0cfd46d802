"""Requests and replies, and what every line does with them: asks, compares, gives up in time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pymodbus.pdu.bit_message import ReadCoilsRequest, ReadDiscreteInputsRequest
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, ReadInputRegistersRequest

from connectors.modbus.lines.frame import Expected
from connectors.modbus.room import Room, standard_room
from connectors.modbus.tag import BIT_TABLES
from pipelines.errors import LinkClosed, LinkError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from connectors.modbus.lines.pipe import Pipe
    from connectors.modbus.plan import Request
    from connectors.modbus.tag import Table
    from pipelines.clock import Clock

_READS: Final = {
    "coil": ReadCoilsRequest,
    "discrete": ReadDiscreteInputsRequest,
    "holding": ReadHoldingRegistersRequest,
    "input": ReadInputRegistersRequest,
}

_LONG_S: Final = 0.01
"""Below this the arrival of a reply is as good as now."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request as it goes on the wire, and what its reply must look like.

    Attributes:
        table: coil, discrete, input or holding.
        address: first address, 0-65535.
        count: registers or bits.
        room: how far it may be widened.
        tail: unit and PDU.
        expected: unit, function code 1-4 and data bytes of a good reply.
        place: `modbus://host:port unit N` for errors.
    """

    table: Table
    address: int
    count: int
    room: Room
    tail: bytes
    expected: Expected
    place: str

    @property
    def unit(self) -> int:
        """Unit id."""
        return self.expected.unit

    @property
    def function(self) -> int:
        """Function code 1-4."""
        return self.expected.function


def question(request: Request, where: str, room: Room | None = None) -> Question:
    """The question that `request` puts; `where` = `modbus://host:port`, `room` = how far it may be widened."""
    place = f"{where} unit {request.unit}"
    return _ask(
        request.table, request.unit, request.address, request.count, room or standard_room(request.table), place
    )


def reshaped(asked: Question, address: int, count: int) -> Question:
    """The same read with other limits, within `asked.room`."""
    return _ask(asked.table, asked.unit, address, count, asked.room, asked.place)


def _ask(table: Table, unit: int, address: int, count: int, room: Room, place: str) -> Question:
    pdu = _READS[table](address=address, count=count, dev_id=unit)
    tail = bytes((unit, pdu.function_code)) + pdu.encode()
    size = (count + 7) // 8 if table in BIT_TABLES else 2 * count
    return Question(table, address, count, room, tail, Expected(unit, pdu.function_code, size), place)


@dataclass(slots=True)
class Reply:
    """What came back.

    Attributes:
        data: register or bit bytes; empty with an exception.
        exception: Modbus exception code, 0 = none.
        time_ns: midpoint of request and response, ns since 1970 UTC.
    """

    data: bytes
    exception: int
    time_ns: int


class Wire(ABC):
    """An open line to a device, or to several units.

    Attributes:
        pipe: what carries the bytes; given once it is open.
        culprit: the question on which the last trouble arose; None if nothing was pending.
        why: why the line ended; empty while it lives.
    """

    def __init__(self) -> None:
        self.pipe: Pipe | None = None
        self.culprit: Question | None = None
        self.why = ""
        self._kind: type[LinkError] = LinkClosed

    @abstractmethod
    def ask(self, question: Question) -> Awaitable[Reply]:
        """Send `question` and wait for its reply.

        Raises:
            LinkTimeout: there was none within `timeout_s`.
            LinkClosed: it did not match, or the line ended.
            LinkError: the line ended otherwise.
        """

    @abstractmethod
    def received(self, data: bytes) -> None:
        """Take replies apart; a reply may arrive in pieces, several may arrive at once."""

    @abstractmethod
    def lost(self, kind: type[LinkError], why: str) -> None:
        """The line ended: fail what is pending."""

    def midpoint(self, clock: Clock, asked_s: float) -> int:
        """Wall time in the middle between `asked_s` (monotonic seconds) and the reply's arrival, ns since 1970 UTC.

        A reply that waited for this process came before now. The wall clock is read once: one that was set between the
        two would make it a time that never was.
        """
        took_s = clock.monotonic_s() - asked_s
        waited_s = self.pipe.waited_s() * clock.rate if self.pipe is not None and took_s > _LONG_S else 0.0
        return clock.now_ns() - int((took_s + min(waited_s, took_s)) * 5e8)

    def close(self) -> None:
        """Hang up; nothing pending is answered any more."""
        self.lost(LinkClosed, "closed")
        if self.pipe is not None:
            self.pipe.abort()

    async def closed(self) -> None:
        """Until nothing of it is left."""
        if self.pipe is not None:
            await self.pipe.closed()
