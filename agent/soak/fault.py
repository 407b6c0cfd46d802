"""What a fault of a soak run is: injected, held for a while, and always healed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from agent.soak.stage import Stage


class Fault(ABC):
    """One kind of fault. A dataclass in `agent.soak.faults.<name>`; its fields are the parameters of a plan's step.

    Attributes:
        name: what plans call it.
    """

    __slots__ = ()
    name: ClassVar[str]

    def unavailable(self) -> str:
        """Why this machine cannot inject it, such as `needs root`; empty when it can, as most can everywhere."""
        return ""

    def lacking(self, stage: Stage) -> str:  # noqa: ARG002 - for those that need something of it
        """What this run has not that it needs; empty when nothing is missing."""
        return ""

    @abstractmethod
    async def run(self, stage: Stage, seconds: float) -> None:
        """Inject, wait `seconds`, heal; heals also when cancelled.

        Raises:
            DependencyError: it could not be injected or healed.
        """
