"""What every connector must do. A subclass `tests/connectors/<kind>/test_conformance.py` supplies only fixtures.

An ability that a kind cannot have stands in `cannot` with the reason; `tests/connectors/test_registry.py` prints them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn, Protocol

import numpy as np
import pytest

from agent.soak.proxy import Proxy
from connectors.base import Connector, LinkContext
from pipelines.clock import SystemClock
from pipelines.errors import LinkError, LinkRefused, LinkTimeout
from pipelines.point import BAD, GOOD, SEVERITY_MASK, UNCERTAIN, VALUE_DTYPES, Delivery, Gap, Scan
from pipelines.stats import LinkStats

if TYPE_CHECKING:
    from pipelines.settings import ConnectionSettings

DEADLINE_S = 30.0
"""Longest any step may take; nothing here waits this long unless it fails."""
CANARY: Final = "c4nary-5ecret-9f2e"
"""The password of `secret`; nothing may ever say it."""
ABILITIES: Final = {
    "bad": "a tag whose status is bad on purpose, in `truth`",
    "uncertain": "a tag whose status is uncertain on purpose, in `truth`",
    "unknown": "settings whose last tag the device does not have",
    "proxy": "a TCP connection that a proxy can stand in",
    "requests": "requests that can be counted in what crosses the proxy",
    "secret": "settings with a password",
}
"""What a device or suite supplies, unless `cannot` says why not."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What one tag must be delivered as.

    Attributes:
        value: a bool, int, float or str of exactly the type that the pipeline stores; ignored where the status is bad.
        suffix: of a part, for example `_x`; empty = the tag itself.
        dtype: of the scan; empty = follows from `value`.
    """

    tag: str
    value: Any
    status: int = GOOD
    suffix: str = ""
    dtype: str = ""


@dataclass(frozen=True, slots=True)
class Truth:
    """A table of the device: settings with one tag for every type and order, and what must come."""

    settings: ConnectionSettings
    expected: tuple[Expected, ...]


class Device(Protocol):
    """A running device of the kind under test, alone on its port."""

    port: int
    """TCP port; `settings.moved(host, port)` reaches it through a proxy."""

    @property
    def settings(self) -> ConnectionSettings:
        """Settings of a connection to it; its first tag delivers again and again, with the device's time of now."""

    @property
    def truth(self) -> Truth:
        """Every type and order, and what must come."""

    @property
    def unknown(self) -> ConnectionSettings:
        """Settings whose last tag the device does not have."""

    async def stop(self) -> None:
        """The device is gone: its port is closed, its connections are broken."""

    async def until_idle(self) -> None:
        """Return as soon as no connection is open; fail after a deadline."""


def context_of(settings: ConnectionSettings, resume: bytes | None = None, absence: str = "agent_down") -> LinkContext:
    return LinkContext(settings, resume, SystemClock(), LinkStats(), absence)


async def take(link: Connector, count: int) -> list[Delivery]:
    """The next `count` deliveries of an open link, each accepted."""
    out: list[Delivery] = []
    async with asyncio.timeout(DEADLINE_S), aclosing(link.deliveries()) as deliveries:  # type: ignore[type-var]
        async for delivery in deliveries:
            delivery.accepted()
            out.append(delivery)
            if len(out) == count:
                break
    return out


async def until(true: Callable[[], bool], what: str) -> None:
    """Look until it is so; fails naming `what`."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not true():  # noqa: ASYNC110 - of the kernel and of the loop; they have no event for it
                await asyncio.sleep(0.01)
    except TimeoutError:
        pytest.fail(f"after {DEADLINE_S:g} s still not: {what}")


def check_scan(scan: Scan, rows: int) -> None:
    """The shapes and dtypes that `pipelines.point.Scan` promises."""
    shape = (len(scan),)
    assert scan.tag.dtype == np.int32
    assert scan.time_ns.dtype == np.int64
    assert scan.status.dtype == np.uint32
    assert scan.value.dtype.name in VALUE_DTYPES
    assert scan.tag.shape == scan.time_ns.shape == scan.value.shape == scan.status.shape == shape
    assert len(scan) > 0
    assert scan.tag.min() >= 0
    assert scan.tag.max() < rows
    assert (np.diff(scan.time_ns) >= 0).all(), "a scan is oldest first"


def rows_of(delivery: Delivery) -> list[tuple[int, int, Any, int]]:
    """(row, time, value, status) of everything in a delivery."""
    columns = [(one.tag, one.time_ns, one.value, one.status) for one in delivery.scans]
    return [row for scan in columns for row in zip(*(column.tolist() for column in scan), strict=True)]


@asynccontextmanager
async def opened(link: Connector) -> AsyncIterator[AsyncIterator[Delivery]]:
    """The deliveries of a link that is open meanwhile, within the deadline."""
    async with asyncio.timeout(DEADLINE_S), link, aclosing(link.deliveries()) as stream:  # type: ignore[type-var]
        yield stream


class Held:
    """Open files and tasks of this process.

    Args:
        server: part of the path of code whose tasks belong to a device in this process; empty = none.
    """

    def __init__(self, server: str = "") -> None:
        self._server = server
        self._tasks = len(self._running())
        self._files = self._open()

    async def until_back(self) -> None:
        """Nothing more is held than was."""
        await until(lambda: len(self._running()) <= self._tasks, f"at most {self._tasks} tasks")
        await until(lambda: self._open() <= self._files, f"at most {self._files} open files")

    def _running(self) -> list[Any]:
        tasks = asyncio.all_tasks()
        code = {task: getattr(task.get_coro(), "cr_code", None) for task in tasks}
        return [one for one in tasks if not (self._server and self._server in getattr(code[one], "co_filename", ""))]

    @staticmethod
    def _open() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))


@dataclass
class Consumer:
    """Opens one link after the other, as the supervisor does, and keeps what was committed."""

    suite: ConnectorConformance
    settings: ConnectionSettings
    resume: bytes | None = None
    rows: list[tuple[int, int, Any, int]] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    errors: list[LinkError] = field(default_factory=list)

    async def until(self, deliveries: int) -> None:
        """So many more deliveries with readings, over as many links as it takes."""
        async with asyncio.timeout(DEADLINE_S):
            while deliveries > 0:
                try:
                    link = self.suite.make(context_of(self.settings, self.resume, "no_communication"))
                    async with link, aclosing(link.deliveries()) as stream:  # type: ignore[type-var]
                        async for delivery in stream:
                            self.commit(delivery)
                            deliveries -= bool(delivery.scans)
                            if deliveries <= 0:
                                break
                except LinkError as error:
                    self.errors.append(error)

    def commit(self, delivery: Delivery) -> None:
        self.rows += rows_of(delivery)
        self.gaps += delivery.gaps
        self.resume = delivery.resume or self.resume
        delivery.accepted()

    def check_order(self) -> None:
        """No reading came twice, none before an older one."""
        newest: dict[int, tuple[int, Any]] = {}
        for row, time_ns, value, status in self.rows:
            if status & SEVERITY_MASK != BAD:
                last_ns, last = newest.get(row, (0, None))
                same = time_ns == last_ns and repr(value) == repr(last)  # one point: nothing is doubled by it
                assert time_ns > last_ns or same, f"row {row}: {value!r} of {time_ns} came after {last!r} of {last_ns}"
                newest[row] = time_ns, value


class ConnectorConformance(ABC):
    """The tests. Subclasses set `kind`, implement `make` and override the fixture `device`."""

    kind: ClassVar[str]
    cannot: ClassVar[Mapping[str, str]] = {}
    """Abilities that this kind has not, each with the reason."""
    most_held: ClassVar[int] = 64
    """Most deliveries that a link holds for a consumer that does not take them."""
    server_code: ClassVar[str] = ""
    """Part of the path of the device's own code, when it runs in this process and keeps tasks for absent clients."""

    @abstractmethod
    def make(self, context: LinkContext) -> Connector:
        """A link of the kind under test, not yet open."""

    @pytest.fixture
    def device(self) -> Any:
        """A `Device`."""
        pytest.fail(f"{type(self).__name__} supplies no device: override this fixture")

    def _lacks(self, ability: str, *asked: object) -> NoReturn:
        pytest.fail(f"{type(self).__name__}: override this for {asked}, or declare cannot[{ability!r}] with its reason")

    def requests_in(self, sent: bytes) -> int:
        """Ability `requests`: number of requests in the bytes that a client sent over one connection."""
        self._lacks("requests", sent)

    def requests_per_s(self, settings: ConnectionSettings) -> float:
        """Ability `requests`: what the plan for these settings asks, per second."""
        self._lacks("requests", settings)

    def secret(self, settings: ConnectionSettings, password_file: Path) -> ConnectionSettings:
        """Ability `secret`: the same settings with a password out of this file."""
        self._lacks("secret", settings, password_file)

    # ── values ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def test_every_type_and_order_is_the_truth(self, device: Device) -> None:
        truth = device.truth
        names = [tag.name for tag in truth.settings.tag_list()]
        context = context_of(truth.settings)
        found: dict[tuple[str, str], tuple[Any, int, str]] = {}
        async with opened(self.make(context)) as stream:
            async for delivery in stream:
                delivery.accepted()
                places = [(name, "") for name in names]
                places += [(names[tag], suffix) for tag, suffix in context.parts.since(0)]
                for scan in delivery.scans:
                    check_scan(scan, len(places))
                    for row, value, status in zip(scan.tag, scan.value.tolist(), scan.status, strict=True):
                        found[places[row]] = value, int(status), scan.value.dtype.name
                if found.keys() >= {(one.tag, one.suffix) for one in truth.expected}:
                    break
        wrong = []
        for one in truth.expected:
            value, status, dtype = found[one.tag, one.suffix]
            bad = one.status & SEVERITY_MASK == BAD
            same = bad or (type(value) is type(one.value) and repr(value) == repr(one.value))
            if status != one.status or not same or (one.dtype or dtype) != dtype:
                wrong.append(f"{one} came as {value!r} ({dtype}) 0x{status:08X}")
        assert not wrong, "\n".join(wrong)
        assert {name for name, _ in found} >= {one.tag for one in truth.expected}

    def test_the_truth_has_every_quality(self, device: Device) -> None:
        severities = {one.status & SEVERITY_MASK for one in device.truth.expected}
        wanted = {GOOD} | {code for name, code in (("bad", BAD), ("uncertain", UNCERTAIN)) if name not in self.cannot}
        assert severities >= wanted

    async def test_deliveries_are_ordered_and_well_formed(self, device: Device) -> None:
        tags = len(device.settings.tag_list())
        async with self.make(context_of(device.settings)) as link:
            deliveries = await take(link, 3)
        newest: dict[int, int] = {}
        for delivery in deliveries:
            oldest_first: dict[int, list[int]] = {}
            for scan in delivery.scans:
                check_scan(scan, tags)
                for tag, time_ns in zip(scan.tag.tolist(), scan.time_ns.tolist(), strict=True):
                    oldest_first.setdefault(tag, []).append(time_ns)
            for tag, times in oldest_first.items():
                assert times[0] > newest.get(tag, 0), f"tag {tag} went back in time, or two readings share a time"
                assert times == sorted(set(times))
                newest[tag] = times[-1]
        assert newest, "no reading came"

    async def test_times_are_utc_and_near_the_truth(self, device: Device) -> None:
        """Half an hour is the smallest error of a time zone; a second's thousandth part the smallest of a unit."""
        later: list[tuple[int, int, Any, int]] = []
        async with opened(self.make(context_of(device.settings))) as stream:
            (await anext(stream)).accepted()
            before_ns = time.time_ns()
            for _ in range(4):
                delivery = await anext(stream)
                delivery.accepted()
                later += rows_of(delivery)
        times = [time_ns for row, time_ns, _, _ in later if row == 0]
        assert times
        assert before_ns - 5e9 < times[-1] < time.time_ns() + 1e9, times

    async def test_one_unknown_tag_spares_the_others(self, device: Device) -> None:
        if "unknown" in self.cannot:
            return
        settings = device.unknown
        last = len(settings.tag_list()) - 1
        context = context_of(settings)
        good: set[int] = set()
        bad: set[int] = set()
        async with opened(self.make(context)) as stream:
            async for delivery in stream:
                delivery.accepted()
                for row, _, _, status in rows_of(delivery):
                    (bad if status & SEVERITY_MASK == BAD else good).add(row)
                if good >= set(range(last)) and bad:
                    break
        assert bad == {last}
        assert last in context.stats.refused

    # ── the link ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def test_first_start_knows_no_gap(self, device: Device) -> None:
        async with self.make(context_of(device.settings)) as link:
            (first,) = await take(link, 1)
        assert first.gaps == ()

    async def test_a_late_consumer_loses_nothing_it_was_given(self, device: Device) -> None:
        """Deliveries may be accepted in a batch, long after they came."""
        async with self.make(context_of(device.settings)) as link:
            kept: list[Delivery] = []
            async with asyncio.timeout(DEADLINE_S):
                async for delivery in link.deliveries():
                    kept.append(delivery)
                    if len(kept) == 2:
                        break
            before = [scan.value.copy() for delivery in kept for scan in delivery.scans]
            for delivery in kept:
                delivery.accepted()
        after = [scan.value for delivery in kept for scan in delivery.scans]
        for one, other in zip(before, after, strict=True):
            np.testing.assert_array_equal(one, other)

    async def test_resume_is_accepted(self, device: Device) -> None:
        async with self.make(context_of(device.settings)) as link:
            deliveries = await take(link, 2)
        left_ns = time.time_ns()  # a value that did not change is known for longer than its own time
        resume = next((item.resume for item in reversed(deliveries) if item.resume is not None), None)
        async with self.make(context_of(device.settings, resume)) as link:
            (again,) = await take(link, 1)
        assert again.scans or again.gaps
        for gap in again.gaps:
            assert gap.end_ns is None or gap.start_ns < gap.end_ns
            assert gap.start_ns <= left_ns

    async def test_foreign_resume_state_is_no_obstacle(self, device: Device) -> None:
        async with self.make(context_of(device.settings, b"not of this connector")) as link:
            (first,) = await take(link, 1)
        assert first.scans

    async def test_device_gone_ends_the_link(self, device: Device) -> None:
        link = self.make(context_of(device.settings))
        with pytest.raises(LinkError) as caught:
            async with asyncio.timeout(DEADLINE_S), link:
                stopped = False
                async for delivery in link.deliveries():
                    delivery.accepted()
                    if not stopped:
                        stopped = True
                        await device.stop()
        assert device.settings.where() in str(caught.value)

    async def test_unreachable_names_the_endpoint(self, device: Device) -> None:
        settings = device.settings
        await device.stop()
        held = Held(self.server_code)
        with pytest.raises((LinkRefused, LinkTimeout)) as caught:
            async with asyncio.timeout(DEADLINE_S), self.make(context_of(settings)) as link:
                await take(link, 1)
        assert settings.where() in str(caught.value)
        await held.until_back()

    async def test_a_silent_device_ends_the_link(self, device: Device) -> None:
        """It accepts connections and never answers."""
        if "proxy" in self.cannot:
            return
        async with Proxy(device.port) as proxy:
            proxy.black_hole = True
            settings = device.settings.moved("127.0.0.1", proxy.port)
            held = Held(self.server_code)
            with pytest.raises(LinkError) as caught:
                async with asyncio.timeout(DEADLINE_S), self.make(context_of(settings)) as link:
                    await take(link, 1)
            assert settings.where() in str(caught.value)
            proxy.reset()
            await held.until_back()

    async def test_a_half_open_link_is_noticed(self, device: Device) -> None:
        """No byte comes through any more and nobody says so."""
        if "proxy" in self.cannot:
            return
        async with Proxy(device.port) as proxy:
            settings = device.settings.moved("127.0.0.1", proxy.port)
            with pytest.raises(LinkError) as caught:
                async with asyncio.timeout(DEADLINE_S), self.make(context_of(settings)) as link:
                    async for delivery in link.deliveries():
                        delivery.accepted()
                        proxy.black_hole = True
            assert settings.where() in str(caught.value)

    async def test_after_a_reset_nothing_comes_twice(self, device: Device) -> None:
        """The link ends, or heals by itself; what follows continues where the committed state stands."""
        if "proxy" in self.cannot:
            return
        async with Proxy(device.port) as proxy:
            consumer = Consumer(self, device.settings.moved("127.0.0.1", proxy.port))
            await consumer.until(2)
            for _ in range(2):
                proxy.reset()
                await consumer.until(2)
            link = self.make(context_of(consumer.settings, consumer.resume, "no_communication"))
            with suppress(LinkError):
                async with asyncio.timeout(DEADLINE_S), link:
                    left = 3
                    async for delivery in link.deliveries():
                        consumer.commit(delivery)
                        proxy.reset()
                        left -= 1
                        if not left:
                            break
            await consumer.until(2)
        consumer.check_order()
        for gap in consumer.gaps:
            assert gap.end_ns is None or gap.start_ns < gap.end_ns

    @pytest.mark.parametrize("trouble", ["pieces", "latency", "bandwidth"])
    async def test_a_bad_network_changes_no_value(self, device: Device, trouble: str) -> None:
        if "proxy" in self.cannot:
            return
        truth = device.truth
        names = [tag.name for tag in truth.settings.tag_list()]
        good = {names.index(one.tag): one.value for one in truth.expected if not one.status and not one.suffix}
        async with Proxy(device.port) as proxy:
            proxy.slice_bytes = {"pieces": 3}.get(trouble, 0)
            proxy.latency_s = {"latency": 0.02}.get(trouble, 0.0)
            proxy.bytes_per_s = {"bandwidth": 100_000}.get(trouble, 0)
            found: dict[int, Any] = {}
            settings = truth.settings.moved("127.0.0.1", proxy.port)
            async with opened(self.make(context_of(settings))) as stream:
                async for delivery in stream:
                    delivery.accepted()
                    found |= {row: value for row, _, value, _ in rows_of(delivery)}
                    if found.keys() >= good.keys():
                        break
        assert {row: repr(found[row]) for row in good} == {row: repr(value) for row, value in good.items()}

    @pytest.mark.parametrize("moment", ["opening", "waiting", "holding"])
    async def test_cancellation_leaves_no_task_and_no_socket(self, device: Device, moment: str) -> None:
        held = Held(self.server_code)
        begun = asyncio.Event()

        async def consume() -> None:
            if moment == "opening":
                begun.set()
            async with self.make(context_of(device.settings)) as link:
                async for delivery in link.deliveries():
                    delivery.accepted()
                    begun.set()
                    if moment == "holding":
                        await asyncio.Event().wait()

        async with asyncio.timeout(DEADLINE_S):
            task = asyncio.ensure_future(consume())
            await begun.wait()
            await asyncio.sleep(0)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await device.until_idle()
        await held.until_back()

    async def test_a_slow_consumer_is_bounded(self, device: Device) -> None:
        """For a while nobody takes; what is there at once afterwards is all that was held."""
        async with self.make(context_of(device.settings)) as link:
            stream = link.deliveries()
            async with asyncio.timeout(DEADLINE_S):
                (await anext(stream)).accepted()
            await asyncio.sleep(2)  # the consumer is away: what is held meanwhile shows only when it is back
            held = 0
            while held <= self.most_held:
                following = asyncio.ensure_future(anext(stream))
                for _ in range(2):  # turns of the loop: too few for a device to answer, enough for what is held
                    await asyncio.sleep(0)
                if not following.done():
                    following.cancel()
                    with suppress(asyncio.CancelledError):
                        await following
                    break
                following.result().accepted()
                held += 1
        assert held <= self.most_held

    async def test_two_instances_share_nothing(self, device: Device) -> None:
        if "proxy" in self.cannot:
            return
        async with Proxy(device.port) as proxy:
            first = context_of(device.settings.moved("127.0.0.1", proxy.port))
            second = context_of(device.settings)
            async with self.make(second) as other:
                with suppress(LinkError):
                    async with asyncio.timeout(DEADLINE_S), self.make(first) as one:
                        assert (await take(one, 1))[0].scans
                        proxy.black_hole = True
                        await take(one, 10_000)
                stream = other.deliveries()
                async with asyncio.timeout(DEADLINE_S):
                    for _ in range(3):
                        (await anext(stream)).accepted()
        assert first.stats is not second.stats
        assert not second.stats.error
        assert first.parts is not second.parts

    async def test_no_request_beyond_the_plan(self, device: Device) -> None:
        """About a second of polling; what the schedule left out is counted as overruns."""
        if "requests" in self.cannot:
            return
        async with Proxy(device.port) as proxy:
            context = context_of(device.settings.moved("127.0.0.1", proxy.port))
            async with opened(self.make(context)) as stream:
                for _ in range(2):
                    (await anext(stream)).accepted()
                began_s, before = time.monotonic(), self.requests_in(bytes(proxy.sent))
                while time.monotonic() - began_s < 1.0:
                    (await anext(stream)).accepted()
                spent_s = time.monotonic() - began_s
                asked = self.requests_in(bytes(proxy.sent)) - before
        planned = self.requests_per_s(device.settings) * spent_s
        share = self.requests_per_s(device.settings) * 0.1
        assert asked <= planned + share + 2, f"{asked} requests in {spent_s:.2f} s, planned {planned:.1f}"
        assert asked >= planned * 0.5 - 2 or context.stats.overruns, f"{asked} requests, planned {planned:.1f}"

    async def test_no_secret_is_ever_said(
        self, device: Device, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        if "secret" in self.cannot:
            return
        caplog.set_level(logging.DEBUG)
        path = tmp_path / "password"
        path.write_text(CANARY + "\n", encoding="utf-8")
        settings = self.secret(device.settings, path)
        said: list[str] = [repr(settings), settings.where(), str(settings.model_dump())]
        for again in range(2):
            context = context_of(settings)
            with suppress(LinkError):
                try:
                    async with asyncio.timeout(DEADLINE_S), self.make(context) as link:
                        deliveries = await take(link, 1)
                        said += [repr(one.resume) for one in deliveries]
                except LinkError as error:
                    said += [repr(error), str(error), repr(error.__cause__)]
                    raise
            said.append(repr(context.stats))
            if not again:
                await device.stop()
        said += [record.getMessage() for record in caplog.records]
        assert not [text for text in said if CANARY in text]
