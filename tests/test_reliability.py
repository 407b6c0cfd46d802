"""docs/reliability.md promises nothing that no test holds, and its figures are those that were measured."""

from __future__ import annotations

import pytest

from tests.campaign.promises import PAGE, PROMISES, START, Promise, made, untested


def test_the_page_says_what_was_measured() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text[text.index(START) :] == made(), "run: PYTHONPATH=. .venv/bin/python -m tests.campaign.promises"


@pytest.mark.parametrize("one", PROMISES, ids=lambda one: one.name.partition(" ·")[0])
def test_every_promise_is_held_by_tests(one: Promise) -> None:
    faults = list(untested(one))
    assert not faults, "\n" + "\n".join(faults)


def test_a_promise_without_a_test_is_seen() -> None:
    bad = Promise("P0", "", "", ("test_house_rules.py::test_nobody_wrote_this", "test_gone.py"), "")
    assert list(untested(bad)) == [
        "P0: no such test: tests/test_house_rules.py::test_nobody_wrote_this",
        "P0: no such test: tests/test_gone.py",
    ]
    assert list(untested(Promise("P0", "", "", (), ""))) == ["P0: no test"]
