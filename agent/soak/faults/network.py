"""What a network does: a link that is down, slow, swallows everything, or is reset."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from agent.soak.fault import Fault
from agent.soak.namespace import switch, unavailable
from agent.soak.stage import Stage


@dataclass(frozen=True, slots=True)
class NetworkDown(Fault):
    """The collector's interface is down: nothing arrives, nobody is told, TCP tries again.

    What TCP would carry through to a device once the interface is up, long after the collector gave it up, is not
    passed on: connections to devices are forgotten, as a firewall forgets them.

    Attributes:
        link: what is behind it: `plant` or `broker`.
    """

    name: ClassVar[str] = "network_down"
    link: str = "broker"

    def unavailable(self) -> str:
        """Why there can be no network namespace here; empty when there can."""
        return unavailable()

    def lacking(self, stage: Stage) -> str:
        """What this run has not; empty when nothing is missing."""
        return "" if self.link in stage.interfaces else f"no interface lies before {self.link!r}"

    async def run(self, stage: Stage, seconds: float) -> None:
        """Down for `seconds`."""
        interface = stage.interfaces[self.link]
        try:
            await asyncio.to_thread(switch, interface, up=False)
            await asyncio.sleep(seconds)
        finally:
            for one in stage.relays("plant") if self.link == "plant" else ():
                one.reset()
            switch(interface, up=True)


@dataclass(frozen=True, slots=True)
class Slow(Fault):
    """A link with little bandwidth, latency, or that hands on a few bytes at a time.

    Attributes:
        link: `collector-broker`, `bridge-broker` or `plant`.
        latency_s: in each direction, seconds.
        bytes_per_s: of each direction of a connection; 0 = no limit.
        slice_bytes: largest piece that goes on at once; 0 = as it came.
    """

    name: ClassVar[str] = "slow"
    link: str = "collector-broker"
    latency_s: float = 0.2
    bytes_per_s: int = 0
    slice_bytes: int = 0

    async def run(self, stage: Stage, seconds: float) -> None:
        """Slow for `seconds`."""
        links = stage.relays(self.link)
        for one in links:
            one.latency_s, one.bytes_per_s, one.slice_bytes = self.latency_s, self.bytes_per_s, self.slice_bytes
        try:
            await asyncio.sleep(seconds)
        finally:
            for one in links:
                one.latency_s, one.bytes_per_s, one.slice_bytes = 0.0, 0, 0


@dataclass(frozen=True, slots=True)
class BlackHole(Fault):
    """A link that takes everything and gives nothing on; connections end with a reset when it is over.

    Attributes:
        link: `collector-broker`, `bridge-broker` or `plant`.
    """

    name: ClassVar[str] = "black_hole"
    link: str = "collector-broker"

    async def run(self, stage: Stage, seconds: float) -> None:
        """A black hole for `seconds`."""
        links = stage.relays(self.link)
        for one in links:
            one.black_hole = True
        try:
            await asyncio.sleep(seconds)
        finally:
            for one in links:
                one.reset()  # what was swallowed is missing in these streams
                one.black_hole = False


@dataclass(frozen=True, slots=True)
class Reset(Fault):
    """Every connection of a link is reset, once or for as long as it is held.

    Attributes:
        link: `collector-broker`, `bridge-broker` or `plant`.
    """

    name: ClassVar[str] = "reset"
    link: str = "collector-broker"

    async def run(self, stage: Stage, seconds: float) -> None:
        """Reset now, and every half second until `seconds` have passed."""
        links = stage.relays(self.link)
        loop = asyncio.get_running_loop()
        until_s = loop.time() + seconds
        while True:
            for one in links:
                one.reset()
            if loop.time() >= until_s:
                return
            await asyncio.sleep(0.5)
