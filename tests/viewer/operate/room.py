"""The gas room as people see it: its pages, its store, and users of it and of another company."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from argon2.profiles import CHEAPEST
from starlette.applications import Starlette

from pipelines.clock import SystemClock
from pipelines.sinks.duckdb import DuckDbSink
from tests.agent.gas_room import site_of
from tests.viewer.browser import PASSWORD, Browser
from viewer.access.access import Access
from viewer.access.mode import Mode
from viewer.access.passwords import Passwords
from viewer.access.roles import Role
from viewer.app import make_app
from viewer.book.book import Book
from viewer.catalog import Catalog
from viewer.operate.desk import OrderDesk
from viewer.stores.duckdb import DuckDbStore

KEY = ("acme", "hall")
GAS_HIGH, LEVEL_HIGH = "GD-01/nh3_high", "GD-01/level_high"
MINUTE = 60 * 10**9


@dataclass(slots=True)
class Room:
    """The pages.

    Attributes:
        app: the viewer.
        access: its users and audit log.
        desk: gives its orders.
    """

    app: Starlette
    access: Access
    desk: OrderDesk

    def browser(self, name: str) -> Browser:
        """Somebody who is logged in."""
        found = Browser(self.app)
        found.log_in(name)
        return found


def address(alarm: str, path: str = "/alarm", site: str = "acme/hall") -> str:
    return f"{path}?{urlencode({'unit': f'{site}/-/-', 'alarm': alarm})}"


def stored(now_ns: int) -> str:
    """Both alarms came ten minutes ago; the level was acknowledged once before."""
    tags = "company=acme,site=hall,machine=GD-01"
    told = []
    for alarm, priority, at, event, state in (
        ("level_high", "caution", 30, "raised", "UNACK"),
        ("level_high", "caution", 28, "acknowledged", "ACKED"),
        ("level_high", "caution", 20, "cleared", "NORM"),
        ("level_high", "caution", 10, "raised", "UNACK"),
        ("nh3_high", "urgent", 10, "raised", "UNACK"),
    ):
        fields = f'active={event != "cleared"},event="{event}",state="{state}",priority="{priority}"'
        value = ",value=95" if event == "raised" else ""
        told.append(f"alarm,{tags},alarm={alarm} {fields}{value} {now_ns - at * MINUTE}")
    at = now_ns - 28 * MINUTE
    told.append(f'alarm_action,{tags},alarm=level_high action="acknowledged",by="기사-2",comment="배수함" {at}')
    return "\n".join(told)


@contextmanager
def room(folder: Path, desk: OrderDesk, access: Access | None = None) -> Iterator[Room]:
    """Its pages over an embedded store; without an `access` of its own, for people who log in."""
    access = access or people()
    own: dict[str, Any] = site_of(1).model_dump(by_alias=True, mode="json")
    catalog = Catalog.of([own, {**own, "company": "other"}])
    folder.mkdir(exist_ok=True)
    sink = DuckDbSink(folder / "room.duckdb")
    asyncio.run(sink.write("acme", stored(SystemClock().now_ns()).encode()))
    yield Room(make_app(DuckDbStore(sink.cursor), catalog, SystemClock(), [], access, None, desk), access, desk)
    asyncio.run(sink.close())


def people() -> Access:
    """Users of the room and of another company."""
    access = Access(Book(), SystemClock(), Mode.AUTO, passwords=Passwords(CHEAPEST))
    for name, role, companies in (
        ("banjang-1", Role.COMPANY, ("acme",)),
        ("builder", Role.SUPPLIER, ("acme",)),
        ("visitor", Role.COORDINATOR, ("acme",)),
        ("reader", Role.READER, ("acme",)),
        ("stranger", Role.COMPANY, ("other",)),
    ):
        access.users.add(name, role, companies, access.hash(PASSWORD, name))
    return access


@contextmanager
def beside(parts: Callable[[], Any]) -> Iterator[Any]:
    """What an asynchronous context manager gives, from a thread of its own."""
    ready, found, ending = threading.Event(), [], []

    async def run() -> None:
        stop = asyncio.Event()
        ending.append((asyncio.get_running_loop(), stop))
        async with parts() as one:
            found.append(one)
            ready.set()
            await stop.wait()

    def work() -> None:
        try:
            asyncio.run(run())
        finally:
            ready.set()  # an error is seen by who waits

    thread = threading.Thread(target=work)
    thread.start()
    ready.wait()
    try:
        yield found[0]
    finally:
        loop, stop = ending[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join()


@asynccontextmanager
async def running_desk(desk: OrderDesk) -> AsyncIterator[OrderDesk]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(desk.run())
        try:
            yield desk
        finally:
            task.cancel()
