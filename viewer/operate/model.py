"""An order that was given, and what is known of it: never more than the agent, or the broker, said."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from pipelines.orders import AlarmOrder, OrderAnswer
from viewer.entries.site import SiteKey


class Fate(StrEnum):
    """What is known of an order."""

    SENT = "sent"
    """On its way, and no answer yet: it may have been done, or may not."""
    DONE = "done"
    """The agent has it on disk."""
    REFUSED = "refused"
    """The agent says no."""
    NOT_SENT = "not_sent"
    """It reached no agent."""


@dataclass(slots=True)
class Given:
    """An order, and what became of it.

    Attributes:
        key: company and site.
        order: that was given.
        asked: how many agents it went to.
        answer: the agent's; None = none yet.
        trouble: a word for why it reached nobody: `no_agent`, `agent_away`, `agent_refused`, `no_broker` or
            `broker_refused`; empty = it may have.
        known: set when there is nothing more to wait for.
    """

    key: SiteKey
    order: AlarmOrder
    asked: int = 0
    answer: OrderAnswer | None = None
    trouble: str = ""
    known: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def fate(self) -> Fate:
        """What is known of it now."""
        if self.answer is not None:
            return Fate.DONE if self.answer.done else Fate.REFUSED
        return Fate.NOT_SENT if self.trouble else Fate.SENT

    def answered(self, answer: OrderAnswer) -> None:
        """An agent answered; where several say that they have the alarm, the word of one that has it counts."""
        self.asked -= 1
        if self.answer is None or self.answer.why == "no_such":
            self.answer = answer
        if answer.why != "no_such" or self.asked <= 0:
            self.known.set()

    def lost(self, trouble: str) -> None:
        """It did not reach one of the agents; `trouble` is a word for why."""
        self.asked -= 1
        if self.asked <= 0 and self.answer is None:
            self.trouble = trouble
        if self.asked <= 0:
            self.known.set()


class Way(Protocol):
    """A way to agents that take orders."""

    def takers(self, key: SiteKey, alarm: str) -> int:
        """Agents of a site that say that they keep an alarm, and take orders by this way."""
        ...

    async def send(self, given: Given) -> None:
        """Send an order, and tell it what comes of it; it may return before that is known."""
        ...

    async def run(self, opened: Callable[[], None]) -> None:
        """Look for agents; a session from open to end, for `keep_open`."""
        ...


def fresh_id() -> str:
    """An id for an order."""
    return secrets.token_hex(16)
