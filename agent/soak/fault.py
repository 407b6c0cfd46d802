"""What a fault of a soak run is: injected, held for a while, and always healed."""

from __future__ import annotations

from typing import Protocol

from agent.soak.stage import Stage


class Fault(Protocol):
    """One kind of fault. A dataclass in `agent.soak.faults.<name>`; its fields are the parameters of a plan's step."""

    @property
    def name(self) -> str:
        """What plans call it."""
        ...

    def unavailable(self) -> str:
        """Why this machine cannot inject it, such as `needs root`; empty when it can."""
        ...

    async def run(self, stage: Stage, seconds: float) -> None:
        """Inject, wait `seconds`, heal; heals also when cancelled.

        Raises:
            DependencyError: it could not be injected or healed.
        """
        ...
