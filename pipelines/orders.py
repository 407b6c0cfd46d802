"""Orders about alarms on their way: what a viewer asks of an agent, and what the agent answers; a JSON object each.

An order travels over MQTT (`…/order`, answered on `…/order/answer`) or the agent's control socket, in the same words.
The agent decides; an order that is refused changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import Field, ValidationError

from pipelines.derive.lifecycle import State
from pipelines.errors import OrderRefused
from pipelines.settings import Settings, first_fault

Action = Literal["acknowledge", "shelve", "unshelve"]
HOLDS_S: Final = 30.0
"""An order that was sent longer ago by the agent's clock, or as far ahead of it, is refused."""
MOST_BYTES: Final = 8192
MOST_COMMENT: Final = 500
_MOST_WORD: Final = 64
_ID: Final = r"^[0-9a-f]{32}$"
_ALARM: Final = r"^[^/\p{Cc}]+/[^/\p{Cc}]+$"
_PLAIN: Final = r"^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]{1,64}$"
"""No control characters, and none that turn round or hide what stands beside a name (Unicode Cf, as U+202E)."""
MOST_SHELVED_S: Final = 24 * 3600.0
"""Longest time an alarm is shelved at once, seconds."""


class AlarmOrder(Settings):
    """What a person wants to be done with one alarm."""

    id: Annotated[str, Field(pattern=_ID)]
    """128 random bits: the same order once more does nothing and is answered as the first was."""
    sent_ns: Annotated[int, Field(ge=0, lt=2**63)]
    """When it was sent, by the viewer's clock, ns since 1970 UTC."""
    action: Action
    alarm: Annotated[str, Field(min_length=3, max_length=260, pattern=_ALARM)]
    """`MACHINE/NAME`."""
    by: Annotated[str, Field(pattern=_PLAIN)]
    """Who wants it, as the viewer knows it."""
    comment: Annotated[str, Field(max_length=MOST_COMMENT)] = ""
    for_s: Annotated[float, Field(ge=0, le=MOST_SHELVED_S)] = 0.0
    """How long to shelve, seconds; 0 for the other actions."""

    def packed(self) -> bytes:
        """As it travels."""
        return orjson.dumps(self.model_dump())

    def check_same(self, other: AlarmOrder) -> None:
        """Refuse another order under this one's id; when it was sent does not count.

        Raises:
            OrderRefused: it wants something else.
        """
        if other.model_copy(update={"sent_ns": self.sent_ns}) != self:
            raise OrderRefused("taken", "another order had this id")


class OrderAnswer(Settings, extra="ignore"):
    """What the agent made of an order; done means on its disk for good."""

    id: Annotated[str, Field(pattern=_ID)]
    """Of the order."""
    at_ns: Annotated[int, Field(ge=0, lt=2**63)]
    """When it was decided, by the agent's clock, ns since 1970 UTC."""
    done: bool
    why: Annotated[str, Field(max_length=_MOST_WORD)] = ""
    """Of one that was refused: a word of `OrderRefused`."""
    reason: Annotated[str, Field(max_length=MOST_BYTES)] = ""
    """The same in a sentence."""
    state: State | Literal[""] = ""
    """Of the alarm after it; empty where there is no such alarm."""
    until_ns: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """End of its shelving, ns since 1970 UTC; 0 = not shelved."""

    def packed(self) -> bytes:
        """As it travels."""
        return orjson.dumps(self.model_dump())


def order_of(said: bytes | Mapping[str, Any]) -> AlarmOrder:
    """The order in a message.

    Raises:
        OrderRefused: it is none.
    """
    if isinstance(said, bytes) and len(said) > MOST_BYTES:
        raise OrderRefused("malformed", f"an order has at most {MOST_BYTES} bytes")
    try:
        return AlarmOrder.model_validate(orjson.loads(said) if isinstance(said, bytes) else said)
    except ValidationError as error:
        raise OrderRefused("malformed", f"not an order: {first_fault(error)}") from error
    except orjson.JSONDecodeError as error:
        raise OrderRefused("malformed", "not an order: no JSON") from error


def answer_of(said: bytes | Mapping[str, Any]) -> OrderAnswer | None:
    """The answer in a message; None = it is none that a page could show."""
    if isinstance(said, bytes) and len(said) > 2 * MOST_BYTES:
        return None
    try:
        return OrderAnswer.model_validate(orjson.loads(said) if isinstance(said, bytes) else said)
    except (ValidationError, orjson.JSONDecodeError):
        return None


def check_age(order: AlarmOrder, now_ns: int, rate: float = 1.0) -> None:
    """Refuse what was sent too long ago, or by a clock that is far ahead.

    Args:
        order: that came.
        now_ns: the agent's clock, ns since 1970 UTC.
        rate: of that clock: `HOLDS_S` is real time.

    Raises:
        OrderRefused: it is too old, or the two clocks disagree.
    """
    age_s = (now_ns - order.sent_ns) / 1e9 / rate
    if age_s > HOLDS_S:
        raise OrderRefused("old", f"it was sent {age_s:.0f} s ago by this PC's clock; {HOLDS_S:.0f} s are the most")
    if age_s < -HOLDS_S:
        raise OrderRefused("ahead", f"it was sent {-age_s:.0f} s ahead of this PC's clock; set the clocks right")
