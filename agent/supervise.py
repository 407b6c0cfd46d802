"""The only place that reopens links and catches broadly: full-jitter backoff, each reason logged once, no giving up."""

from __future__ import annotations

import asyncio
import ipaddress
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, NoReturn

import structlog

from pipelines.errors import LinkError, LinkTimeout, LinkUntrusted

_BASE_S: Final = 0.25
_CAP_S: Final = 30.0
DEVICE_CAP_S: Final = 3.0
"""A device belongs to one agent: nobody else asks it when it comes back. One whose cable is in again is read within
5 s, the timeout of an attempt that began just before included."""
FLEET_SPREAD_S: Final = 20.0
"""50 agents that come back within it are 2 or 3 a second."""
_AGAIN: Final = 1.5
"""As much longer is it after the first attempt: of those that wait already, more than average have little left."""
_MOST_DOUBLINGS: Final = 16
_SLOW_S: Final = 30.0
_STEADY_S: Final = 10.0
_CANCEL_AGAIN_S: Final = 1.0
_MOST_REASONS: Final = 10
"""Reasons of one outage that are logged; a device that finds a new one each time does not fill the log."""
log = structlog.get_logger()


async def keep_open(
    name: str,
    session: Callable[[Callable[[], None]], Awaitable[None]],
    on_down: Callable[[str], None] | None = None,
    cap_s: float = _CAP_S,
    on_reason: Callable[[str], None] | None = None,
    spread_s: float = 0.0,
) -> NoReturn:
    """Run `session` again and again; ends by cancellation.

    Args:
        name: of the link, for the log.
        session: runs one link from open to end; calls its argument once the link is open.
        on_down: called once each time the link goes from up to down, and when the first attempt fails.
        cap_s: longest wait between two attempts, seconds, unless the other side does not trust us or asks for more.
        on_reason: told why it is down after each attempt; what kept it down at first may not be what does now.
        spread_s: least of the longest wait before the first attempt, seconds, where many others open a link to the same
            place: see `spread_of`.
    """
    failures = 0
    outage = _Outage(name)
    while True:
        started_s = time.monotonic()
        up = False

        def opened() -> None:
            nonlocal up
            up = True
            outage.over()

        slow, wait_s = False, 0.0
        bug: Exception | None = None
        try:
            await session(opened)
            reason = "ended without a reason"
        except LinkError as error:
            reason = str(error)
            slow, wait_s = isinstance(error, LinkUntrusted), error.wait_s
        except Exception as error:  # noqa: BLE001 - a bug in one link must not stop the others
            reason, bug = f"{type(error).__name__}: {error}", error
        if up and time.monotonic() - started_s > _STEADY_S:
            failures = 0
        if on_reason is not None:
            on_reason(reason)
        if outage.begins(reason, bug) and on_down is not None:
            on_down(reason)
        failures += 1
        longest_s = (
            _SLOW_S
            if slow
            else max(
                spread_s * (_AGAIN if failures > 1 else 1), min(cap_s, _BASE_S * 2 ** min(failures, _MOST_DOUBLINGS))
            )
        )
        await asyncio.sleep(wait_s + random.uniform(longest_s / 2 if slow else 0, longest_s))  # noqa: S311 - full jitter


@asynccontextmanager
async def in_time(where: str, within_s: float) -> AsyncIterator[None]:
    """What is done inside is over in time, or cancelled until it is: a library may swallow a cancellation.

    Raises:
        LinkTimeout: it was not; `where` is the link.
    """
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    before = task.cancelling()
    timers: list[asyncio.TimerHandle] = []

    def fire() -> None:
        task.cancel()
        timers.append(loop.call_later(_CANCEL_AGAIN_S, fire))

    timers.append(loop.call_later(within_s, fire))
    try:
        yield
    except asyncio.CancelledError:
        if task.cancelling() - before == len(timers) - 1:  # nobody else wants its end
            raise LinkTimeout(where, f"not open within {within_s:g} s; it is opened anew") from None
        raise
    finally:
        timers[-1].cancel()
        for _ in timers[1:]:
            task.uncancel()


def spread_of(host: str) -> float:
    """The `spread_s` of links to a broker: 0 on this machine, else enough for a fleet to come back one after the other.

    A broker that was away for a second would be met by all agents within the next one.
    """
    try:
        alone = ipaddress.ip_address(host).is_loopback
    except ValueError:
        alone = host == "localhost"
    return 0.0 if alone else FLEET_SPREAD_S


class _Outage:
    """What the log is told while a link is down: each reason once, and that it is up again."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._down = False
        self._told: set[str] = set()

    def over(self) -> None:
        """The link is open."""
        if self._down:
            log.info("link_up", link=self._name)
        self._down = False
        self._told.clear()

    def begins(self, reason: str, bug: Exception | None) -> bool:
        """The link is down for this reason; whether it was not down before."""
        first, self._down = not self._down, True
        if reason not in self._told and len(self._told) < _MOST_REASONS:
            self._told.add(reason)
            if bug is not None:
                log.error("link_failed", link=self._name, exc_info=bug)
            log.warning("link_down" if first else "link_still_down", link=self._name, reason=reason)
        return first
