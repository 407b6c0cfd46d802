"""A recording as it runs: hands each line to its device when its time has come, again from the front if wanted."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

from simulators.replay.contents import Contents, began_ns
from simulators.replay.recording import Recording

LEAD_S: Final = 0.1
"""The tape runs ahead of its time by this, real seconds: a client that polls as the recorder did then finds what the
recorder found, although it is never there at the same microsecond."""

_AFTER: Final = 10
"""So many times the lead lie between the last line and the end."""


class Heard(Protocol):
    """A device that is told what the recording says of it."""

    def take(self, line: dict[str, Any], shift_ns: int) -> None:
        """Take a line whose time has come; times of now are those of the line and `shift_ns`."""


class Tape:
    """The recording against the plant's clock. It begins to run when the first client is there.

    Args:
        recording: the file.
        contents: of it.
        rate: plant seconds per real second.
        loop: begin again at the end.
        stopped: whether time stands still for good.

    Attributes:
        devices: by position of the connection; nobody is told of others.
        over: whether its end is a second ago, for good.
        again_ns: when it began again, plant time; None = it runs for the first time.
    """

    def __init__(
        self, recording: Recording, contents: Contents, rate: float, *, loop: bool, stopped: Callable[[], bool]
    ) -> None:
        self.devices: dict[int, Heard] = {}
        self.over = False
        self.again_ns: int | None = None
        self._recording = recording
        self._contents = contents
        self._lead_ns = round(LEAD_S * rate * 1e9)
        self._loop = loop
        self._stopped = stopped
        self._shift_ns: int | None = None
        self._lines: Iterator[dict[str, Any]] = iter(())
        self._ahead: list[tuple[int, int, dict[str, Any]]] = []
        self._count = 0
        self._read_ns = 0

    def shift_ns(self, now_ns: int) -> int:
        """What is added to recorded times, or would be if the tape began now."""
        return now_ns - self._contents.started_ns if self._shift_ns is None else self._shift_ns

    def begin(self, now_ns: int) -> None:
        """A client is there; only the first one matters."""
        if self._shift_ns is None:
            self._shift_ns = self.shift_ns(now_ns)
            self._rewind()

    def advance(self, now_ns: int) -> None:
        """Hand out everything whose time has come."""
        while self._shift_ns is not None and not self._stopped():
            due_ns = now_ns + self._lead_ns - self._shift_ns
            self._fill(due_ns + self._contents.ahead_ns)
            if self._ahead and self._ahead[0][0] <= due_ns:
                _, _, line = heapq.heappop(self._ahead)
                if line["c"] in self.devices:
                    self.devices[line["c"]].take(line, self._shift_ns)
            elif not self._loop:
                self.over = not self._ahead and due_ns > self._contents.ended_ns + _AFTER * self._lead_ns
                return
            elif not self._ahead and due_ns > self._contents.ended_ns:
                self._shift_ns += max(self._contents.ended_ns - self._contents.started_ns, self._lead_ns)
                self.again_ns = self._contents.started_ns + self._shift_ns
                self._rewind()
            else:
                return

    def _rewind(self) -> None:
        self._lines = (line for line in self._recording.lines() if "c" in line and "t" in line)
        self._read_ns = 0

    def _fill(self, until_ns: int) -> None:
        """Read on until nothing that follows can have begun by then: lines stand in the order of their ends."""
        while self._read_ns <= until_ns and (line := next(self._lines, None)) is not None:
            self._read_ns = max(self._read_ns, line["t"])
            self._count += 1
            heapq.heappush(self._ahead, (began_ns(line), self._count, line))
