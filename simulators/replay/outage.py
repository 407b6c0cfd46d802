"""What a recorded loss is in the truth log: a fault that keeps values from being read, as if it were injected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from simulators.panel import Panel
from simulators.truth import TruthLog

_SHUT: Final = "close"
_OPEN_NS: Final = 3_600_000_000_000
"""Planned end of what has not ended yet."""


@dataclass
class Outages:
    """Of one device.

    Attributes:
        panel: of the device.
        now_ns: plant time.
        began_ns: what is under way, by its kind: when it began.
    """

    panel: Panel
    truth: TruthLog
    now_ns: Callable[[], int]
    began_ns: dict[str, int] = field(default_factory=dict)

    @property
    def shut(self) -> bool:
        """Whether the port is shut."""
        return _SHUT in self.began_ns

    def link(self, event: str) -> None:
        """Shut the port where the recorder was refused, open it where it got through."""
        if event == "refused" and not self.shut:
            self.panel.closed += 1
            self.begin(_SHUT)
        elif event == "open" and self.shut:
            self.panel.closed -= 1
            self.end(_SHUT)

    def begin(self, how: str) -> None:
        """From now on no client gets anything."""
        if how not in self.began_ns:
            self.began_ns[how] = self.now_ns()
            self._tell(how, self.began_ns[how], self.began_ns[how] + _OPEN_NS)

    def end(self, how: str) -> None:
        """It does again."""
        if how in self.began_ns:
            self._tell(how, self.began_ns.pop(how), self.now_ns(), ended=True)

    def end_all(self) -> None:
        """Nothing keeps anybody from reading."""
        self.link("open")
        for how in tuple(self.began_ns):
            self.end(how)

    def _tell(self, how: str, start_ns: int, end_ns: int, **more: bool) -> None:
        what = {"fault": "comm_loss", "device": self.panel.device.name, "how": how, "cuts": True}
        self.truth.write("fault", **what, start_ns=start_ns, end_ns=end_ns, **more)
