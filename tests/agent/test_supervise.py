"""Why a link is down is told as it is now, and logged once an outage."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from structlog.testing import capture_logs

from agent import supervise
from agent.supervise import in_time, keep_open
from pipelines.errors import LinkClosed, LinkRefused, LinkTimeout


async def run(attempts: Iterator[Exception | None]) -> tuple[list[str], list[str], list[dict[str, object]]]:
    """(each reason as it was told, reasons at going down, log lines) of attempts that end so; None = opened first."""
    reasons: list[str] = []
    downs: list[str] = []
    enough = asyncio.Event()

    async def session(opened: Callable[[], None]) -> None:
        error = next(attempts, enough)
        if error is enough:
            enough.set()
            await asyncio.Event().wait()
        if error is None:
            opened()
            raise LinkClosed("plc", "ended")
        assert isinstance(error, Exception)
        raise error

    with capture_logs() as lines:
        task = asyncio.ensure_future(keep_open("plc", session, downs.append, 0.001, reasons.append))
        async with asyncio.timeout(5):
            await enough.wait()
        task.cancel()
    return reasons, downs, [dict(line) for line in lines]


async def test_what_keeps_a_link_down_now_is_told() -> None:
    off, other = LinkRefused("plc", "nobody listens"), LinkRefused("plc", "not on the trust list")
    reasons, downs, lines = await run(iter([off, off, other, other, None, off]))
    assert reasons == [*["plc: nobody listens"] * 2, *["plc: not on the trust list"] * 2, "plc: ended", str(off)]
    assert downs == ["plc: nobody listens", "plc: ended"]
    said = [(line["event"], line.get("reason")) for line in lines]
    assert said == [
        ("link_down", "plc: nobody listens"),
        ("link_still_down", "plc: not on the trust list"),
        ("link_up", None),
        ("link_down", "plc: ended"),
        ("link_still_down", "plc: nobody listens"),
    ]


async def test_an_outage_does_not_fill_the_log() -> None:
    reasons, _, lines = await run(LinkRefused("plc", f"attempt {number}") for number in range(40))
    assert len(reasons) == 40
    assert len(lines) == 10


async def test_a_bug_is_logged_with_its_trace_once() -> None:
    _, _, lines = await run(iter([RuntimeError("a bug")] * 5))
    assert [line["event"] for line in lines] == ["link_failed", "link_down"]
    assert isinstance(lines[0]["exc_info"], RuntimeError)


async def test_an_opening_that_swallows_its_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "_CANCEL_AGAIN_S", 0.01)
    swallowed = 0

    async def open_link() -> None:
        nonlocal swallowed
        while swallowed < 3:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                swallowed += 1
        await asyncio.Event().wait()

    with pytest.raises(LinkTimeout, match=r"plc: not open within 0\.01 s"):
        async with asyncio.timeout(5), in_time("plc", 0.01):
            await open_link()
    assert swallowed == 3
    await asyncio.sleep(0)  # nothing is left over that would cancel what comes next


async def test_an_end_from_outside_is_no_timeout() -> None:
    async def opening() -> None:
        async with in_time("plc", 60):
            await asyncio.Event().wait()

    task = asyncio.ensure_future(opening())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_that_was_swallowed_before_is_no_end_from_outside() -> None:
    async def opening() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        async with in_time("plc", 0.01):
            await asyncio.Event().wait()

    task = asyncio.ensure_future(opening())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(LinkTimeout, match="plc: not open"):
        await task


async def test_what_opens_in_time_is_left_alone() -> None:
    async with in_time("plc", 0.02):
        await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await asyncio.Event().wait()
