"""Keeps the hours of an InfluxDB beside its bridge: what was written is made into hours every ten minutes."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final, NoReturn

from agent.supervise import keep_open
from pipelines.clock import clock_from_environment
from pipelines.errors import DependencyError, LinkError, SinkError
from pipelines.sinks.hour_keeper import HourKeeper
from pipelines.sinks.influx import InfluxSink

EVERY_S: Final = 600.0
"""Between two looks at what was touched."""
_FIRST_S: Final = (5.0, 60.0)
"""Before the first one, at random: several bridges do not look at once."""
_SHARE: Final = 3.0
"""While older hours are made, rest is as many times as long as the work before: the database has other things to do."""
_LEAST_REST_S: Final = 0.5


def keeping_hours(sink: InfluxSink) -> Coroutine[Any, Any, None]:
    """Hours of the databases that a bridge writes, for ever; nothing of the bridge waits for them."""
    return keep_open(f"hours of {sink.name}", partial(_session, sink))


async def _session(sink: InfluxSink, opened: Callable[[], None]) -> NoReturn:
    """Turn after turn.

    Raises:
        LinkError: hours of one database cannot be kept now; those of the others were.
    """
    clock = clock_from_environment()
    keeper = HourKeeper(sink.asking(), sink, clock)
    try:
        await asyncio.sleep(random.uniform(*_FIRST_S) / clock.rate)  # noqa: S311 - no secret
        while True:
            begun_s = time.monotonic()
            more, reasons = False, []
            for database in sorted(sink.databases):
                try:
                    more |= await asyncio.to_thread(keeper.turn, database)
                except (DependencyError, SinkError) as error:
                    reasons.append(f"{database}: {error}")
            if reasons:
                raise LinkError(sink.name, f"no hours are kept of {'; '.join(reasons)}", EVERY_S / clock.rate)
            opened()
            rest_s = max(_LEAST_REST_S, _SHARE * (time.monotonic() - begun_s)) if more else EVERY_S / clock.rate
            await asyncio.sleep(rest_s)
    finally:
        keeper.stop()
