"""The alarms of one agent while it runs: what people do with them, what `agent status` says, and the log on disk."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, NoReturn

import structlog

from agent.control.server import Routes
from agent.links import Links
from pipelines.clock import Clock
from pipelines.derive.alarm import Alarm
from pipelines.derive.alarm_load import chattering, flooded, lately, stale
from pipelines.derive.alarm_rule import AlarmRule
from pipelines.derive.alarm_settings import PRIORITIES
from pipelines.derive.chain import Entry
from pipelines.derive.chain_file import FOLDER, ChainFile
from pipelines.derive.lifecycle import UNACKNOWLEDGED, State
from pipelines.errors import JournalError, OrderRefused
from pipelines.flow import Flow
from pipelines.lines import Lines
from pipelines.orders import MOST_COMMENT

LIST: Final = "/alarms/list"
ACT: Final = "/alarms/"
"""In front of `acknowledge`, `shelve` and `unshelve`."""
_WRITE_S: Final = 0.5
_STANDS: Final = frozenset({State.UNACK, State.ACKED, State.LATCHED})
_BY: Final = re.compile(r"[^\x00-\x1f\x7f]{1,64}")
log = structlog.get_logger()


class Alarming:
    """What is done with alarms beside raising them.

    Args:
        links: have the rules and the chain.
        flow: takes the points.
        clock: the agent's.
        state_dir: the agent's state folder; the log of safety and CCP events is kept there.
    """

    def __init__(self, links: Links, flow: Flow, clock: Clock, state_dir: Path) -> None:
        self._links = links
        self._flow = flow
        self._clock = clock
        self._state_dir = state_dir
        self._file: ChainFile | None = None
        self._trouble = ""
        if (state_dir / FOLDER).exists():
            self._write(links.chain.unwritten)
            self._written()

    @property
    def routes(self) -> Routes:
        """What is taken over the control socket."""
        acts = {f"{ACT}{one}": partial(self.act, one) for one in ("acknowledge", "shelve", "unshelve")}
        return {LIST: self.all_of_them, **acts}

    async def all_of_them(self, _said: dict[str, Any]) -> dict[str, Any]:
        """Every alarm, the most pressing first."""
        order = list(PRIORITIES)
        found = sorted(self._alarms(), key=lambda one: (order.index(one.settings.priority), -one.raised_ns))
        return {"alarms": [_shown(one) for one in found]}

    async def act(self, what: str, said: dict[str, Any]) -> dict[str, Any]:
        """What a person does with `alarms` (`MACHINE/NAME`), or with `all` that wait; durable when it returns.

        Returns:
            `done`: names; `refused`: name to the reason, `why`: name to a word for it (`OrderRefused`); `at_ns`: when;
            `states` and `until_ns` of those that are meant, after it.

        Raises:
            OrderRefused: it does not say who, or of which alarms.
        """
        by, comment = str(said.get("by") or ""), str(said.get("comment") or "")
        if not _BY.fullmatch(by):
            raise OrderRefused("no_name", "say who does it: 1 to 64 characters")
        if len(comment) > MOST_COMMENT:
            raise OrderRefused("comment", f"a comment has at most {MOST_COMMENT} characters")
        done, refused, why = list[str](), dict[str, str](), dict[str, str]()
        now_ns, chosen = self._clock.now_ns(), self._chosen(said)
        for name, alarm in chosen.items():
            try:
                if what == "shelve":
                    alarm.shelve(now_ns, float(said.get("for_s") or 0), by, comment)
                else:
                    getattr(alarm, what)(now_ns, by, comment)
            except OrderRefused as error:
                refused[name], why[name] = error.reason, error.why
            else:
                done.append(name)
        self._links.tick()
        after = {
            "states": {name: str(one.state) for name, one in chosen.items()},
            "until_ns": {name: one.until_ns for name, one in chosen.items()},
        }
        await self._durable()
        log.info("alarms_acted_on", what=what, done=len(done), refused=len(refused))
        return {"done": done, "refused": refused, "why": why, "at_ns": now_ns, **after}

    async def run(self) -> NoReturn:
        """Write the log behind the records; ends by cancellation."""
        while True:
            entries = self._links.chain.unwritten
            if entries or (self._file and self._file.behind):
                await self._durable()  # an entry is in the file only when the same one is among the records
                await asyncio.to_thread(self._write, entries)
                self._written()
            await asyncio.sleep(_WRITE_S)

    def status(self) -> dict[str, Any]:
        """Counts by priority, what waits for people, and how much is asked of them."""
        alarms, now_ns = {_name(one): one for one in self._alarms()}, self._clock.now_ns()
        standing = {name: one for name, one in alarms.items() if one.state in _STANDS}
        waiting = {name: one for name, one in alarms.items() if one.state in UNACKNOWLEDGED}
        raised = sorted(time_ns for one in alarms.values() for time_ns in one.raises)
        return {
            "configured": len(alarms),
            "active": _by_priority(standing.values()),
            "unacknowledged": _by_priority(waiting.values()),
            "urgent": sorted(name for name, one in waiting.items() if one.settings.priority == "urgent"),
            "shelved": sum(one.state is State.SHELVED for one in alarms.values()),
            "last_10_minutes": lately(raised, now_ns),
            "flood": flooded(raised, now_ns),
            "chattering": chattering({name: _recent(one, now_ns) for name, one in alarms.items()}),
            "stale": stale({name: one.raised_ns for name, one in standing.items()}, now_ns),
            "log": self._log(),
        }

    def troubles(self) -> list[str]:
        """What is not well with the log, in words; empty when all is."""
        return [self._trouble] if self._trouble else []

    async def _durable(self) -> None:
        """Return once everything that was put so far is on disk for good, whatever comes meanwhile."""
        done, now_ns = asyncio.Event(), self._clock.now_ns()
        self._flow.put(Lines(b"", 0, (now_ns, now_ns), {}), done.set)
        await done.wait()

    def _log(self) -> dict[str, Any]:
        head = self._links.chain.head
        rotated = self._file.rotated if self._file else 0
        return {"entries": head.seq, "hash": head.hash if head.seq else "", "rotated": rotated}

    def _write(self, entries: Sequence[Entry]) -> None:
        """Bring the file to where the records are."""
        try:
            self._file = self._file or ChainFile(self._state_dir)
            self._file.append(entries)
            self._trouble = self._file.trouble
        except JournalError as error:
            if not self._trouble:
                log.error("event_log_failing", reason=str(error))  # noqa: TRY400 - it says all
            self._trouble = str(error)

    def _written(self) -> None:
        if self._file is not None:
            self._links.chain.written(self._file.head)

    def _alarms(self) -> Iterator[Alarm]:
        for rule in self._links.engine.rules:
            if isinstance(rule, AlarmRule) and rule.alarm:
                yield rule.alarm

    def _chosen(self, said: dict[str, Any]) -> dict[str, Alarm]:
        """The alarms that are meant.

        Raises:
            OrderRefused: one of them is not there, or none is named.
        """
        alarms = {_name(one): one for one in self._alarms()}
        if said.get("all"):
            return {name: one for name, one in alarms.items() if one.state in UNACKNOWLEDGED}
        wanted = [str(one) for one in said.get("alarms") or ()]
        if unknown := [name for name in wanted if name not in alarms]:
            raise OrderRefused("no_such", f"{unknown[0]}: no such alarm; `agent alarms list --all` shows them")
        if not wanted:
            raise OrderRefused("no_such", "name alarms as MACHINE/NAME; `agent alarms` lists them")
        return {name: alarms[name] for name in wanted}


def _name(alarm: Alarm) -> str:
    return f"{alarm.settings.machine}/{alarm.settings.name}"


def _shown(alarm: Alarm) -> dict[str, Any]:
    settings = alarm.settings
    return {
        "alarm": _name(alarm),
        "priority": settings.priority,
        "state": str(alarm.state),
        "active": alarm.active,
        "cause": alarm.cause,
        "raised_ns": alarm.raised_ns,
        "until_ns": alarm.until_ns,
        "safety": settings.safety,
        "label": {"ko": settings.label.ko, "en": settings.label.en},
        "action": {"ko": settings.action.ko, "en": settings.action.en},
    }


def _by_priority(alarms: Iterable[Alarm]) -> dict[str, int]:
    counts = dict.fromkeys(PRIORITIES, 0)
    for one in alarms:
        counts[one.settings.priority] += 1
    return counts


def _recent(alarm: Alarm, now_ns: int) -> list[int]:
    """When it came in the last ten minutes."""
    times = list(alarm.raises)
    return times[len(times) - lately(times, now_ns) :]
