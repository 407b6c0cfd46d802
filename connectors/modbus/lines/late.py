"""Replies that may still come on a line without transaction ids, and how to ask so that none is taken for another.

A reply on a serial line names its unit, function code and byte count, but not its addresses. When one was not seen in
time, a later request that expects the same three could be given the late reply. So the next one asks for more
registers than it needs, or for its registers in two parts where the device gives no more: then the late reply has
another length, and is known for what it is. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connectors.modbus.lines.frame import Expected, Frame
    from connectors.modbus.room import Room

_MOST_WIDER: Final = 4
"""Steps by which a request is widened at most."""
_TIMEOUTS: Final = 10
"""A reply is waited for so many timeouts at most."""


class Late:
    """What may still come on one line; it belongs to the line and outlives the link."""

    def __init__(self, timeout_s: float) -> None:
        self._wait_s = _TIMEOUTS * timeout_s
        self._until: dict[Expected, float] = {}

    def missed(self, expected: Expected, now_s: float) -> None:
        """A reply was not seen, or not believed, at `now_s` (monotonic seconds)."""
        self._until = {one: until_s for one, until_s in self._until.items() if until_s > now_s}
        self._until[expected] = now_s + self._wait_s

    def came(self, frame: Frame) -> bool:
        """Whether this is a late reply; it is then waited for no more."""
        known = [one for one in self._until if _is(frame, one)]
        for one in known:
            del self._until[one]
        return bool(known)

    def due(self, unit: int, function: int, now_s: float) -> set[int]:
        """Data bytes of the replies of this kind that may still come."""
        return {
            one.size
            for one, until_s in self._until.items()
            if one.unit == unit and one.function == function and until_s > now_s
        }

    def shapes(
        self, expected: Expected, address: int, count: int, room: Room, now_s: float
    ) -> Iterator[tuple[int, int]]:
        """Requests that read what is asked, none of whose replies can be taken for a late one.

        Args:
            expected: the reply to the request as it was planned.
            address: its first address.
            count: its registers or bits.
            room: how far it may be widened.
            now_s: monotonic seconds.

        Yields:
            (first address, count): as planned where nothing of that length is due; else wider, at the end or in front.
        """
        due = self.due(expected.unit, expected.function, now_s)
        if expected.size not in due:
            yield address, count
            return
        step = 8 if _bits(expected) else 1
        wider = [count + step * i for i in range(1, _MOST_WIDER + 1)]
        fit = [n for n in wider if n <= room.most and _size(expected, n) not in due]
        yield from ((address, n) for n in fit if address + n <= room.high)
        yield from ((address + count - n, n) for n in fit if address + count - n >= room.low)

    def parts(
        self, expected: Expected, address: int, count: int, room: Room, now_s: float
    ) -> tuple[tuple[int, int], ...]:
        """The two (first address, count) that together read what is asked, for where no `shapes` were granted.

        Args as of `shapes`; empty where there is no cut without a length that is due.
        """
        due = self.due(expected.unit, expected.function, now_s)
        for cut in room.cuts:
            parts = (address, cut - address), (cut, address + count - cut)
            if not due.intersection(_size(expected, n) for _, n in parts):
                return parts
        return ()


def _bits(expected: Expected) -> bool:
    return expected.function <= 2  # noqa: PLR2004 - read coils, read discrete inputs


def _size(expected: Expected, count: int) -> int:
    """Data bytes of a reply with so many registers or bits."""
    return (count + 7) // 8 if _bits(expected) else 2 * count


def _is(frame: Frame, late: Expected) -> bool:
    if frame.unit != late.unit or frame.function != late.function:
        return False
    return len(frame.body) == late.size + 1 and frame.body[0] == late.size
