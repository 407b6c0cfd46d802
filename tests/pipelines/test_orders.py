"""What may be in an order, and in an answer: a page draws it, a log keeps it."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.errors import OrderRefused
from pipelines.orders import answer_of, order_of

ORDER: dict[str, Any] = {"id": "1" * 32, "sent_ns": 1, "action": "acknowledge", "alarm": "GD-01/nh3", "by": "반장-1"}
ANSWER: dict[str, Any] = {"id": "1" * 32, "at_ns": 1, "done": True, "state": "ACKED"}


def test_what_is_whole_is_taken() -> None:
    assert order_of(ORDER).by == "반장-1"
    answer = answer_of(ANSWER | {"later": "ignored"})
    assert answer is not None
    assert answer.state == "ACKED"


@pytest.mark.parametrize(
    "wrong",
    [
        {"by": "반장\u202e1-"}, {"by": "a\u0085b"}, {"by": "a\u2028b"}, {"by": "a\u200bb"}, {"by": "a\nb"},
        {"by": ""}, {"by": "a" * 65}, {"alarm": "GD-01/nh3\nlevel=error"}, {"alarm": "GD-01/a/b"}, {"alarm": "nh3"},
        {"id": "1" * 31}, {"id": "1" * 32 + "\n"}, {"sent_ns": -1}, {"sent_ns": 2**63}, {"action": "write"},
        {"for_s": 86_401}, {"for_s": float("nan")}, {"comment": "a" * 501}, {"register": 1},
    ],
)  # fmt: skip
def test_an_order_that_is_none(wrong: dict[str, Any]) -> None:
    with pytest.raises(OrderRefused) as found:
        order_of(ORDER | wrong)
    assert found.value.why == "malformed"


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": "OWNED"}, {"state": None}, {"at_ns": "9" * 40}, {"at_ns": -1}, {"until_ns": 10**30},
        {"why": "a" * 65}, {"reason": "a" * 8193}, {"id": "x"}, {"id": 1},
    ],
)  # fmt: skip
def test_an_answer_that_no_page_could_show_is_none(wrong: dict[str, Any]) -> None:
    assert answer_of(ANSWER | wrong) is None


def test_an_answer_is_bounded() -> None:
    assert answer_of(b" " * 20_000 + b'{"id":"%s","at_ns":1,"done":true}' % (b"1" * 32)) is None
    assert answer_of(b"[]") is None
