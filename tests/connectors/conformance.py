"""What every connector must do. A subclass `tests/connectors/<kind>/test_conformance.py` supplies only fixtures."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import pytest

from connectors.base import Connector, LinkContext
from pipelines.clock import SystemClock
from pipelines.errors import LinkError, LinkRefused, LinkTimeout
from pipelines.point import VALUE_DTYPES, Delivery, Scan
from pipelines.stats import LinkStats

if TYPE_CHECKING:
    from pipelines.settings import ConnectionSettings

DEADLINE_S = 30.0
"""Longest any step may take; nothing here waits this long unless it fails."""


class Device(Protocol):
    """A running device of the kind under test, alone on its port."""

    @property
    def settings(self) -> ConnectionSettings:
        """Settings of a connection to it, with at least one tag that delivers again and again."""

    async def stop(self) -> None:
        """The device is gone: its port is closed, its connections are broken."""

    async def until_idle(self) -> None:
        """Return as soon as no connection is open; fail after a deadline."""


def context_of(settings: ConnectionSettings, resume: bytes | None = None) -> LinkContext:
    return LinkContext(settings, resume, SystemClock(), LinkStats())


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


def check_scan(scan: Scan, tags: int) -> None:
    """The shapes and dtypes that `pipelines.point.Scan` promises."""
    shape = (len(scan),)
    assert scan.tag.dtype == np.int32
    assert scan.time_ns.dtype == np.int64
    assert scan.status.dtype == np.uint32
    assert scan.value.dtype.name in VALUE_DTYPES
    assert scan.tag.shape == scan.time_ns.shape == scan.value.shape == scan.status.shape == shape
    assert len(scan) > 0
    assert scan.tag.min() >= 0
    assert scan.tag.max() < tags
    assert (np.diff(scan.time_ns) >= 0).all(), "a scan is oldest first"


class ConnectorConformance(ABC):
    """The tests. Subclasses set `kind`, implement `make` and override the fixture `device`."""

    kind: ClassVar[str]

    @abstractmethod
    def make(self, context: LinkContext) -> Connector:
        """A link of the kind under test, not yet open."""

    @pytest.fixture
    def device(self) -> Any:
        """A `Device`."""
        pytest.fail(f"{type(self).__name__} supplies no device: override this fixture")

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
        resume = next((item.resume for item in reversed(deliveries) if item.resume is not None), None)
        async with self.make(context_of(device.settings, resume)) as link:
            (again,) = await take(link, 1)
        newest = max(int(scan.time_ns.max()) for delivery in deliveries for scan in delivery.scans)
        assert again.scans or again.gaps
        for gap in again.gaps:
            assert gap.end_ns is None or gap.start_ns < gap.end_ns
            assert gap.start_ns <= newest

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

    async def test_cancellation_closes_the_connection(self, device: Device) -> None:
        first = asyncio.Event()

        async def consume() -> None:
            async with self.make(context_of(device.settings)) as link:
                async for delivery in link.deliveries():
                    delivery.accepted()
                    first.set()

        async with asyncio.timeout(DEADLINE_S):
            task = asyncio.ensure_future(consume())
            await first.wait()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await device.until_idle()

    async def test_unreachable_names_the_endpoint(self, device: Device) -> None:
        settings = device.settings
        await device.stop()
        with pytest.raises((LinkRefused, LinkTimeout)) as caught:
            async with asyncio.timeout(DEADLINE_S), self.make(context_of(settings)) as link:
                await take(link, 1)
        assert settings.where() in str(caught.value)
