"""Whether the broker hangs up because another client connects with the same client id.

mosquitto 2.0.11 does not say that a session was taken over; it hangs up without a word. So does a network that fails
and a broker that ends: but a broker that gave the id away takes connections at once, and does it again and again.
"""

from __future__ import annotations

from typing import Final

SLOW_S: Final = 15.0
"""Added to the wait before the next attempt, seconds: with the supervisor's own, four connects a minute at most."""
_SHORT_S: Final = 90.0
"""A session that held longer was not taken away by a client that connects again and again."""
_ENOUGH: Final = 3


class HangUps:
    """Sessions in a row that ended the same way."""

    def __init__(self) -> None:
        self._in_a_row = 0

    def ended(self, held_s: float, *, hung_up: bool, answers: bool, may_be_size: bool) -> bool:
        """A session ended; whether another client seems to have taken the client id.

        Args:
            held_s: seconds it was open.
            hung_up: the broker closed the connection without a word.
            answers: a new connection was taken at once.
            may_be_size: something larger than ever before was on its way, which brokers hang up on as well.
        """
        if hung_up and answers and held_s < _SHORT_S:
            self._in_a_row += not may_be_size
        else:
            self._in_a_row = 0
        return self._in_a_row >= _ENOUGH
