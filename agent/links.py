"""The connections of one agent: each is read in a task of its own, and which they are may change while it runs."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from agent.derived import rules_of
from agent.reading import Reading
from agent.shares import shares_of
from agent.site import Site
from agent.timekeeping import Timekeeper
from connectors.registry import AnyConnection, load
from pipelines.derive.alarm_rule import removed_rules
from pipelines.derive.chain import Chain
from pipelines.derive.engine import Engine
from pipelines.errors import ConfigError
from pipelines.flow import Flow

_FREE: Final = {"machines", "connections", "mqtt", "calendar", "alarms", "exposure", "kpis", "entry"}
"""Top-level keys that may change while the agent runs; identity and disk are settled at the start."""
_FIRST_CYCLE_S: Final = 20.0
"""Longest wait for the first attempt of every connection; one that takes longer counts as tried."""
_FIRST_TICK_S: Final = 3.0
"""Real time that devices have for a first answer before rules hear of the time: on a clock of 60 times the speed a
safety alarm would take them for silent after 0.08 s. With `FAULT_S` and a tick it is below 10 s."""
_TICK_S: Final = 1.0
_LEAST_TICK_S: Final = 0.02
"""Of real time, however fast the clock of a simulation is."""


@dataclass(frozen=True, slots=True)
class Change:
    """What another configuration changes.

    Attributes:
        kept: connections that go on as they are.
        opened_anew: connections that are read otherwise than before.
        added: connections that were not there.
        removed: connections that are there no more.
        broker: whether the way to the broker is opened anew: `mqtt` changed.
    """

    kept: tuple[str, ...]
    opened_anew: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    broker: bool


def compare(now: Site, wanted: Site) -> Change:
    """What `wanted` changes; a connection is another one also when its machines are.

    Raises:
        ConfigError: it changes what is settled at the start.
    """
    settled = [
        f"{key}: {name}{_text(old)} → {_text(new)}"
        for key in type(now).model_fields
        if key not in _FREE
        for name, old, new in _differences(getattr(now, key), getattr(wanted, key))
    ]
    if settled:
        raise ConfigError(
            None, None, f"a restart is needed for {'; '.join(settled)}: systemctl restart, or take it back"
        )
    before = {one.name: _what_is_read(now, one) for one in now.connections}
    after = {one.name: _what_is_read(wanted, one) for one in wanted.connections}
    both = [name for name in after if name in before]
    return Change(
        kept=tuple(name for name in both if before[name] == after[name]),
        opened_anew=tuple(name for name in both if before[name] != after[name]),
        added=tuple(name for name in after if name not in before),
        removed=tuple(name for name in before if name not in after),
        broker=now.mqtt != wanted.mqtt,
    )


class Links:
    """Readings and their tasks.

    Args:
        site: what to read.
        flow: where deliveries go.
        keeper: of the agent's clock.
        state_dir: the agent's state folder.

    Attributes:
        readings: in the order of the configuration.
        engine: derives points from what all of them read.
        chain: of safety and CCP events.
        shares: makes what destinations get, by name.
    """

    def __init__(self, site: Site, flow: Flow, keeper: Timekeeper, state_dir: Path) -> None:
        self._flow = flow
        self._keeper = keeper
        self._state_dir = state_dir
        self._group: asyncio.TaskGroup | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ticking = False
        self.engine = Engine(flow.journal.resume, keeper.shift_ns)
        self.chain = Chain()
        self._follow(site)
        load(one.type for one in site.connections)
        self.readings = [self._reading(site, one, "agent_down") for one in site.connections]

    def start(self, group: asyncio.TaskGroup) -> None:
        """Read all of them in `group`."""
        self._group = group
        for one in self.readings:
            self._begin(one, group)

    def stop(self) -> None:
        """End all tasks; none begins any more."""
        self._group = None
        for task in self._tasks.values():
            task.cancel()

    async def tried(self) -> None:
        """Return when each connection was tried once, whether its device was there or not."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_CYCLE_S):
                for one in self.readings:
                    await one.tried.wait()

    async def change(self, change: Change, wanted: Site) -> None:
        """End what is removed or read otherwise, wait until its readings are durable, and read what is wanted."""
        load(one.type for one in wanted.connections)
        ending = [self._tasks.pop(name) for name in (*change.removed, *change.opened_anew) if name in self._tasks]
        for task in ending:
            task.cancel()
        if ending:
            await asyncio.wait(ending)
        await self._flow.flush()
        if self._group is None:
            return
        self._follow(wanted)
        kept = {one.name: one for one in self.readings if one.name in change.kept}
        self.readings = [kept.get(one.name) or self._reading(wanted, one, "reconfigured") for one in wanted.connections]
        for reading in self.readings:
            if reading.name not in kept:
                self._begin(reading, self._group)
            else:
                reading.source.follow_rules()

    async def derive(self) -> NoReturn:
        """Tell the rules of the time about once a second, for what ends without a reading; ends by cancellation."""
        await asyncio.sleep(_FIRST_TICK_S)
        while True:
            self.pulse()
            await asyncio.sleep(max(_LEAST_TICK_S, _TICK_S / self._keeper.clock.rate))

    def pulse(self) -> None:
        """A tick, unless what came of the last one waits for the disk: they must not fill the memory meanwhile."""
        if not self._ticking:
            self.tick()

    def tick(self) -> None:
        """Tell the rules of the time, and take what comes of it."""
        if (derived := self.engine.tick(self._keeper.clock.now_ns())) is not None:
            self._ticking = True
            self._flow.put(derived, self._ticked)

    def _ticked(self) -> None:
        self._ticking = False

    def _follow(self, site: Site) -> None:
        self.shares = dict(zip(site.share, shares_of(site, self._flow.journal.epoch), strict=True))
        rules = rules_of(site, self.chain)
        rules += removed_rules(self.engine.kept, rules, self.chain)
        self.engine.follow(rules, site.machine_places(), list(self.shares.values()))

    def _reading(self, site: Site, connection: AnyConnection, absence: str) -> Reading:
        return Reading(site, connection, self._flow, self._keeper, self._state_dir, self.engine, absence)

    def _begin(self, reading: Reading, group: asyncio.TaskGroup) -> None:
        self._tasks[reading.name] = group.create_task(reading.run(), name=reading.name)


def _what_is_read(site: Site, connection: AnyConnection) -> object:
    return connection, site.places(connection), site.event_places(connection)


def _differences(old: object, new: object) -> list[tuple[str, object, object]]:
    """Where two values of one top-level key differ: the keys below it, if it is a group."""
    if old == new:
        return []
    fields = getattr(type(old), "model_fields", None)
    if fields is None or type(old) is not type(new):
        return [("", old, new)]
    return [
        (f"{name} ", before, after)
        for name in fields
        if (before := getattr(old, name)) != (after := getattr(new, name))
    ]


def _text(value: object) -> str:
    return "none" if value is None else str(value)
