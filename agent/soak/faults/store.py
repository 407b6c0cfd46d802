"""What a database does: errors, slow answers, resets, lines it refuses, and its death."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from agent.soak.fault import Fault
from agent.soak.influxd import unavailable
from agent.soak.stage import Stage
from agent.soak.store_proxy import Trouble
from pipelines.errors import DependencyError

_LOOK_S: Final = 0.1
_MEETS_S: Final = 30.0
"""A field that is seldom written, on a machine that does much else, is waited for so much longer."""
_EMBEDDED: Final = "the store of this run is embedded; the fault needs `store: influx`"


class _OfInflux(Fault):
    """A fault of a database; a run with one has a relay in front of it."""

    __slots__ = ()

    def unavailable(self) -> str:
        """Why there is no influxd here; empty when there is one."""
        return unavailable()

    def lacking(self, stage: Stage) -> str:
        """What this run has not; empty when nothing is missing."""
        return "" if stage.store_link else _EMBEDDED


@dataclass(frozen=True, slots=True)
class StoreErrors(_OfInflux):
    """The store answers with an error, late, or not at all.

    Attributes:
        status: 413, 429, 500 or 503; 0 = it answers.
        retry_after_s: asked for with 429 and 503, whole seconds; 0 = nothing is asked for.
        wait_s: before it answers, seconds.
        reset: the connection is reset `before` the store sees a request, or `after` it stored it: nobody can know.
        largest_bytes: 413 is only said of bodies above this.
    """

    name: ClassVar[str] = "store_errors"
    status: Literal[0, 413, 429, 500, 503] = 503
    retry_after_s: int = 0
    wait_s: float = 0.0
    reset: Literal["", "before", "after"] = ""
    largest_bytes: int = 0

    async def run(self, stage: Stage, seconds: float) -> None:
        """Bad for `seconds`.

        Raises:
            DependencyError: no write met it.
        """
        trouble = Trouble(self.status, self.retry_after_s, self.wait_s, self.reset, b"", self.largest_bytes)
        await _bad(stage, trouble, seconds)


@dataclass(frozen=True, slots=True)
class StoreRefuses(_OfInflux):
    """The store refuses every line with a field, as after a conflict of types; it must be those alone that it lacks.

    Attributes:
        field: name of a tag.
    """

    name: ClassVar[str] = "store_refuses"
    field: str = ""

    async def run(self, stage: Stage, seconds: float) -> None:
        """Refused for `seconds`.

        Raises:
            DependencyError: no write met it.
        """
        await _bad(stage, Trouble(refuses=f"{self.field}=".encode()), seconds)


@dataclass(frozen=True, slots=True)
class StoreKill(_OfInflux):
    """The database is killed with SIGKILL."""

    name: ClassVar[str] = "store_kill"

    async def run(self, stage: Stage, seconds: float) -> None:
        """Away for `seconds`."""
        assert stage.store is not None
        try:
            await stage.store.end(kill=True)
            await asyncio.sleep(seconds)
        finally:
            await stage.store.start()


async def _bad(stage: Stage, trouble: Trouble, seconds: float) -> None:
    """Bad for a while, and until a write met it.

    Raises:
        DependencyError: none did, so that nothing was tried.
    """
    link = stage.store_link
    assert link is not None
    before, link.trouble = link.harmed, trouble
    try:
        await asyncio.sleep(seconds)
        with suppress(TimeoutError):
            async with asyncio.timeout(_MEETS_S):
                while link.harmed == before:  # noqa: ASYNC110 - a counter tells nobody that it moved
                    await asyncio.sleep(_LOOK_S)
    finally:
        link.trouble = None
    if link.harmed == before:
        within_s = seconds + _MEETS_S
        raise DependencyError("store", f"no write met it within {within_s:g} s; let it last longer or ask for less")
