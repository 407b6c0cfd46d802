"""Collectors that are fed, one after the other in one state folder, and what they were seen to accept and to send."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from agent.soak.disk import LoopDisk
from pipelines.journal.journal import Journal, JournalSettings
from tests.faults.delivery.feeder import Options, dump
from tests.faults.delivery.numbers import in_order, rows_in

START_S: Final = 5.0
"""Longest time to open what lies in the folder; the interpreter and its imports are not counted."""
_DEADLINE_S: Final = 30.0
_PAUSE_S: Final = 0.005
_STEP: Final = 100_000
"""Rows kept for each feeder: what one took and lost is never given again."""


class Feeder:
    """One running collector.

    Attributes:
        process: of the collector, or of the tracer that started it.
        opened: what it found at its start, once it is open.
        opened_s: what it took to make a collector on what lay in the folder.
        statuses: what it said of itself since, oldest first.
        windows_ms: from taken to accepted, of each delivery.
        ended: what it said at its orderly end.
    """

    def __init__(self, words: Sequence[str], accepted: set[int], log: Path) -> None:
        self.opened: dict[str, Any] = {}
        self.opened_s = 0.0
        self.statuses: list[dict[str, Any]] = []
        self.windows_ms: list[float] = []
        self._acks: list[tuple[int, int, int]] = []
        self.ended: dict[str, Any] = {}
        self._accepted = accepted
        self._log = log
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                words,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                env={**os.environ, "PYTHONFAULTHANDLER": "1"},
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            kind, _, text = line.partition(b" ")
            said = json.loads(text)
            if kind == b"A":
                self._accepted.update(range(said["first"], said["first"] + said["rows"]))
                self._acks.append((said["accepted_ns"], said["first"], said["rows"]))
                self.windows_ms.append((said["accepted_ns"] - said["taken_ns"]) / 1e6)
            elif kind == b"S":
                self.statuses.append(said)
            elif kind == b"O":
                self.opened_s = said["opened_s"]
                self.opened = said
            else:
                self.ended = said

    @property
    def status(self) -> dict[str, Any]:
        """What it said last."""
        return self.statuses[-1] if self.statuses else self.opened

    def until(self, met: Callable[[], object], deadline_s: float = _DEADLINE_S) -> float:
        """Wait for something this collector brings about; seconds that took."""
        started_s = time.monotonic()
        while not met():
            assert self.process.poll() is None, f"it ended with {self.process.returncode}: {self.said}"
            assert time.monotonic() - started_s < deadline_s, f"not in {deadline_s} s: {self.status} {self.said}"
            time.sleep(_PAUSE_S)
        return time.monotonic() - started_s

    def pause(self, seconds: float) -> None:
        """Let it run until a moment that means nothing to it."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return
        raise AssertionError(f"it ended with {code}: {self.said}")

    def kill(self) -> None:
        """SIGKILL, to what traces it as well, and everything it had said until then."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.gone()

    def cut(self, disk: LoopDisk) -> None:
        """The power goes, the collector with it, and comes back.

        What it says once the power is off, nobody would have heard: a sync under way in a file system that is being
        shut down can return as if it had worked.
        """
        off_ns = time.monotonic_ns()
        disk.power_cut()
        self.kill()
        disk.restore()
        for accepted_ns, first, rows in self._acks:
            if accepted_ns >= off_ns:
                self._accepted.difference_update(range(first, first + rows))

    def gone(self, deadline_s: float = _DEADLINE_S) -> None:
        """Wait for its end, and take everything it had said until then."""
        self.process.wait(deadline_s)
        self._reader.join(deadline_s)
        assert not self._reader.is_alive()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def end(self) -> dict[str, Any]:
        """An orderly end; what it said at last."""
        self.process.terminate()
        try:
            self.process.wait(_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)  # says where each thread stands
            self.process.wait(_DEADLINE_S)
            raise AssertionError(f"it does not end: {self.said}") from None
        self.gone()
        assert self.process.returncode == 0, self.said
        return self.ended

    @property
    def said(self) -> str:
        """The end of its log."""
        return self._log.read_text()[-3000:]


class Feeding:
    """What was accepted in one state folder, over all collectors that worked there.

    Attributes:
        state_dir: of the collectors.
        accepted: rows that were accepted.
        starts_s: what each took to open what it found.
    """

    def __init__(self, state_dir: Path, work: Path) -> None:
        self.state_dir = state_dir
        self.work = work
        self.accepted: set[int] = set()
        self.starts_s: list[float] = []
        self._next = 0
        self._before: set[int] = set()
        self._journal: dict[str, Any] = {}
        self._running: Feeder | None = None

    def start(self, before: Sequence[str] = (), *, until_open: bool = True, **options: Any) -> Feeder:
        """Start a collector; `before` goes in front of its command line."""
        wanted = Options(str(self.state_dir), first=self._next, dump=str(self.dumped), **options)
        self.dumped.unlink(missing_ok=True)
        self._next += max(_STEP, wanted.rows * wanted.most)
        self._before = set(self.accepted)
        self._journal = wanted.journal
        self._running = feeder = Feeder([*before, *wanted.words()], self.accepted, self.work / "collector.log")
        if until_open:
            feeder.until(lambda: feeder.opened)
            self.starts_s.append(feeder.opened_s)
        return feeder

    @property
    def dumped(self) -> Path:
        """What the last collector found in the journal."""
        return self.work / "dump"

    def look(self) -> None:
        """What the next collector will find, without starting one."""
        settings = JournalSettings.model_validate({"min_free_bytes": 0, **self._journal})
        journal = Journal(self.state_dir / "journal", settings)
        journal.open()
        dump(journal, self.dumped)
        journal.close()
        self._before = set(self.accepted)

    def recovered(self) -> list[int]:
        """Rows found in the journal at the last start or look: none foreign, none altered, in order."""
        return in_order(rows_in(self.dumped.read_bytes()))

    def lost(self) -> list[int]:
        """Rows that were accepted before the last start or look, and that it did not find in the journal."""
        return sorted(self._before - set(self.recovered()))

    def close(self) -> None:
        """End what still runs."""
        if self._running is not None:
            self._running.kill()


@contextmanager
def feeding(state_dir: Path, work: Path) -> Iterator[Feeding]:
    """A folder in which collectors are fed; the last of them ends with the block."""
    fed = Feeding(state_dir, work)
    try:
        yield fed
    finally:
        fed.close()


class Witness:
    """Takes every record at the broker, and confirms it as a store would.

    Attributes:
        copies: how often each record came.
        bodies: the payload of each record.
        confirming: whether records are answered.
        refusing: why each record is refused instead of confirmed; empty = it is not.
    """

    def __init__(self, port: int) -> None:
        self.copies: Counter[str] = Counter()
        self.bodies: dict[str, bytes] = {}
        self.confirming = True
        self.refusing = ""
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_message = self._take
        self._client.on_connect = lambda *_: self._client.subscribe("sf/+/+/+/data", 1)
        self._ready = threading.Event()
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._ready.wait(10)

    def _take(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        record = dict(message.properties.UserProperty)["record"]  # type: ignore[union-attr]
        assert self.bodies.setdefault(record, message.payload) == message.payload
        self.copies[record] += 1
        prefix = message.topic.removesuffix("data")
        if self.confirming and self.refusing:
            refusal = {"record": record, "reason": self.refusing}
            self._client.publish(prefix + "rejected", json.dumps(refusal), 1)
        elif self.confirming:
            self._client.publish(prefix + "stored", record, 1)

    @property
    def bytes_again(self) -> int:
        """Payload bytes of every copy but the first."""
        return sum((copies - 1) * len(self.bodies[record]) for record, copies in list(self.copies.items()))

    def rows(self) -> set[int]:
        """Rows in what came; none foreign or altered, none in two records."""
        rows = [row for body in list(self.bodies.values()) for row in rows_in(body)]
        assert len(rows) == len(set(rows)), "a row stands in two records"
        return set(rows)

    def close(self) -> None:
        """Leave the broker."""
        self._client.disconnect()
        self._client.loop_stop()


@contextmanager
def witness(port: int) -> Iterator[Witness]:
    """A witness at the broker of that port."""
    one = Witness(port)
    try:
        yield one
    finally:
        one.close()
