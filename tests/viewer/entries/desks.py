"""Desks of the tests, as a viewer runs them, and the bridge and store behind them."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from agent.supervise import keep_open
from pipelines.bridge import Bridge
from pipelines.clock import SystemClock
from pipelines.delivery.mqtt_settings import MqttSettings
from pipelines.sinks.duckdb import DuckDbSink
from tests.services.mosquitto import Mosquitto
from tests.services.ports import free_port
from tests.viewer.entries.said import KEY, SITE
from viewer.catalog import Catalog
from viewer.entries.desk import EntryDesk
from viewer.entries.inbox import Inbox
from viewer.entries.read import written_in
from viewer.entries.site import entry_sites
from viewer.entries.written import Written
from viewer.stores.duckdb import DuckDbStore


def settings(broker: Mosquitto) -> MqttSettings:
    return MqttSettings(host=broker.host, port=broker.port)


@asynccontextmanager
async def running(*parts: Coroutine[Any, Any, Any]) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(part) for part in parts]
        await asyncio.sleep(0)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


@asynccontextmanager
async def desk_at(folder: Path, broker: Mosquitto, *, inbox: bool = False) -> AsyncIterator[EntryDesk]:
    desk = EntryDesk(folder, settings(broker), {KEY: SITE}, SystemClock(), keep_open)
    parts, ready = [desk.run()], asyncio.Event()
    taking = Inbox(desk, settings(broker), "sf-test-inbox")

    async def session(opened: Callable[[], None]) -> None:
        await taking.run(lambda: (opened(), ready.set())[0])  # type: ignore[func-returns-value]

    if inbox:
        parts.append(keep_open("inbox", session))
    else:
        ready.set()
    try:
        async with running(*parts):
            await ready.wait()
            yield desk
    finally:
        await desk.close()


@asynccontextmanager
async def store_behind(broker: Mosquitto, file: Path) -> AsyncIterator[DuckDbStore]:
    sink = DuckDbSink(file)
    bridge = Bridge(settings(broker), sink, f"bridge-{secrets.token_hex(4)}")
    try:
        async with running(keep_open("bridge", bridge.run)):
            yield DuckDbStore(sink.cursor)
    finally:
        await sink.close()


def stored(store: DuckDbStore) -> list[Written]:
    return written_in(store, KEY, 0)


@contextmanager
def desk_in_thread(folder: Path, catalog: Catalog) -> Iterator[EntryDesk]:
    """A desk that runs beside the test, as beside the pages of a viewer; its broker is away."""
    sites = entry_sites(catalog.sites.values())
    desk = EntryDesk(folder, MqttSettings(port=free_port()), sites, SystemClock(), keep_open)
    ready, loops, tasks = threading.Event(), [], []

    async def run() -> None:
        loops.append(asyncio.get_running_loop())
        async with asyncio.TaskGroup() as group:
            tasks.append(group.create_task(desk.run()))
            await asyncio.sleep(0)
            ready.set()
        await desk.close()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    ready.wait()
    try:
        yield desk
    finally:
        loops[0].call_soon_threadsafe(tasks[0].cancel)
        thread.join()
