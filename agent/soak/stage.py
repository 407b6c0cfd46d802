"""What a fault can reach: the children of the run, their folders, and everything that lies between them."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from agent.simulate.children import Child
from agent.soak.disk import LoopDisk
from agent.soak.store_proxy import StoreProxy
from pipelines.errors import DependencyError

COLLECTOR: Final = "collector"


class Link(Protocol):
    """A TCP relay between two parts; its switches work at once, on open connections too.

    Attributes:
        latency_s: wait before a piece goes on, in both directions.
        bytes_per_s: bandwidth of each direction of a connection; 0 = no limit.
        slice_bytes: largest piece that goes on at once; 0 = as it came.
        black_hole: everything is swallowed and nothing closed.
        target: where new connections go.
    """

    latency_s: float
    bytes_per_s: int
    slice_bytes: int
    black_hole: bool
    target: tuple[str, int]

    def reset(self) -> None:
        """RST on every connection, to both sides."""
        ...


class Server(Protocol):
    """A server that faults end and start again at its place."""

    @property
    def pid(self) -> int:
        """Of the running process; 0 while there is none."""
        ...

    async def start(self) -> None:
        """Start it on its ports, and wait until it answers."""
        ...

    async def end(self, *, kill: bool = False) -> None:
        """End it with SIGTERM, or with SIGKILL, and wait until it is gone."""
        ...


class Broker(Server, Protocol):
    """The broker; it listens once more with TLS, with a good certificate and with one of another authority."""

    @property
    def tls_port(self) -> int:
        """Of the listener whose certificate the parts trust; 0 = without TLS."""
        ...

    @property
    def untrusted_port(self) -> int:
        """Of the listener with another authority's certificate; 0 = without TLS."""
        ...


@dataclass(slots=True)
class Stage:
    """Where the faults act.

    Attributes:
        work: folder of the run: logs, truth, configuration.
        state_dir: the collector's state folder; inside `disk.folder` when there is a disk.
        disk: the file system of the state folder; None = the machine's own, faults of the disk cannot run.
        children: by name: `collector`, `serve` or `bridge-1` …, `view`.
        broker: the broker's process.
        store: the database's process; None = the store is embedded in `serve`.
        store_link: relay between the bridges and the database; None = the store is embedded in `serve`.
        links: relays by name: `collector-broker`, `bridge-broker`, `plant` (one per device).
        random: chance, seeded by the plan.
        clock_file: what libfaketime reads for the collector: an offset such as `+3600`; None = its clock is not faked.
        interfaces: the host's ends of the veth pairs through which the collector reaches `plant` and `broker`.
    """

    work: Path
    state_dir: Path
    children: Mapping[str, Child]
    random: random.Random
    disk: LoopDisk | None = None
    broker: Broker | None = None
    store: Server | None = None
    store_link: StoreProxy | None = None
    links: dict[str, list[Link]] = field(default_factory=dict)
    clock_file: Path | None = None
    interfaces: dict[str, str] = field(default_factory=dict)

    @property
    def collector(self) -> Child:
        """`agent run`."""
        return self.children[COLLECTOR]

    def one_of(self, part: str) -> str:
        """The name of a child: `part` itself, or one of its instances (`bridge` → `bridge-2`), by chance.

        Raises:
            DependencyError: no part is called so.
        """
        if part in self.children:
            return part
        instances = sorted(name for name in self.children if name.startswith(f"{part}-"))
        if not instances:
            raise DependencyError("soak", f"no part {part!r}; there are {', '.join(sorted(self.children))}")
        return self.random.choice(instances)

    def relays(self, name: str) -> Sequence[Link]:
        """The relays of a name.

        Raises:
            DependencyError: there is none.
        """
        if not self.links.get(name):
            raise DependencyError("soak", f"no link {name!r}; there are {', '.join(sorted(self.links))}")
        return self.links[name]

    @asynccontextmanager
    async def down(self, name: str) -> AsyncIterator[Child]:
        """SIGKILL a child and keep it from starting again while the block runs; nothing waits for it to be back.

        Raises:
            KeyError: no child is called so.
        """
        child = self.children[name]
        async with child.held_down():
            yield child
