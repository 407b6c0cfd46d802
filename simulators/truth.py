r"""The truth log: JSON lines, appended in the order in which things happened, on disk within 100 ms.

Every line has `k` (kind) and `n` (its own sequence number, from 0, without holes). Times are plant time, ns since 1970
UTC. `ids` are the integer ids of the header's table. Kinds:

- ``header`` {lines, seed, rate, origin_ns, started_ns, signals: [{id, device, type, name, …}]}; a Modbus signal has
  {unit, table, address, datatype, decimals, words}, an OPC UA signal {node, datatype}; the value in engineering units
  is the one here times {scale} plus {offset}, which a recording does not know. In a replay a Modbus signal may
  have {registers}, how many it takes; an OPC UA signal with `judged` false has values that cannot stand here.
- ``poll`` {device, unit, fc, address, count, t0, t1, ids, values, status}: a Modbus request that arrived at t0 and
  whose response left at t1; `ids` = signals wholly covered, `values` = engineering values as served (raw /
  10^decimals; {status: code} where registers of a replay mean no value), `status` 0, or the exception code with empty
  ids.
- ``read`` {device, t0, t1, ids, values, times, status: […]}: an OPC UA Read of values.
- ``change`` {id, value, time, status}: an OPC UA value changed; `time` = source time, strictly increasing per id.
- ``item`` {event: created|deleted, id, sub, item, queue, value, time, status}: a monitored item came (with the
  initial value it delivers) or went.
- ``overflow`` {id, sub, lost, marked}: a full queue of a subscription dropped the value of source time `lost`; the
  value of source time `marked` carries the overflow bit (status | 0x480).
- ``forgot`` {id, times}: the device ends, and with it values of these source times that it had not sent yet, or of
  which no client said that it has them.
- ``write`` {device, fc | service, unit?, address?}: somebody tried to write or call.
- ``fault`` {fault, device, start_ns, end_ns}: an injected fault began, with its planned end; again at its real end
  with `ended: true`.
- ``stall`` {start_ns, end_ns}: the plant got no turn between the two; what happened then was seen only at the end.
- ``freeze`` {time}: from here on no signal changes. ``stop`` {time}: the last line of a clean stop.

Values are JSON: bool, int, float (shortest text that reads back bit for bit) or string.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final

import orjson

SYNC_S: Final = 0.05
"""Real seconds between two syncs; below 100 ms with a sync that takes its time."""
BEAT_S: Final = 0.01
"""Real seconds between two looks at the plant's own lateness."""
STALL_S: Final = 0.005
"""Real seconds of lateness from which on a stall is written down."""
_BUFFER: Final = 1 << 20


class TruthLog:
    """Appends lines to one file; `sync` puts them on disk."""

    def __init__(self, path: Path) -> None:
        self._file: IO[bytes] = path.open("wb", buffering=_BUFFER)
        self._n = 0
        self._dirty = False

    def write(self, kind: str, **fields: Any) -> None:
        """Append one line.

        Raises:
            TypeError: a field is not JSON.
        """
        self._file.write(orjson.dumps({"k": kind, "n": self._n, **fields}, option=orjson.OPT_APPEND_NEWLINE))
        self._n += 1
        self._dirty = True

    def sync(self) -> None:
        """Flush and fdatasync; returns when every line so far is on disk."""
        self._file.flush()
        os.fdatasync(self._file.fileno())

    async def keep_synced(self) -> None:
        """Sync at least every 100 ms until cancelled; the disk is waited for in a thread."""
        while True:
            await asyncio.sleep(SYNC_S)
            if self._dirty:
                self._dirty = False
                self._file.flush()
                await asyncio.to_thread(os.fdatasync, self._file.fileno())

    async def keep_stalls(self, now_ns: Callable[[], int], rate: float) -> None:
        """Write down when the plant got no turn, until cancelled.

        Args:
            now_ns: plant time.
            rate: plant seconds per real second.
        """
        while True:
            due_ns = now_ns() + round(BEAT_S * rate * 1e9)
            await asyncio.sleep(BEAT_S)
            end_ns = now_ns()
            if end_ns - due_ns > STALL_S * rate * 1e9:
                self.write("stall", start_ns=due_ns, end_ns=end_ns)

    def close(self) -> None:
        """Sync and close."""
        self.sync()
        self._file.close()


def read_truth(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a truth file, in order; an unfinished last line is left out.

    Raises:
        ValueError: the sequence has a hole, or a line other than the last is not JSON.
    """
    expected = 0
    with path.open("rb") as file:
        for text in file:
            if not text.endswith(b"\n"):
                return
            line: dict[str, Any] = orjson.loads(text)
            if line["n"] != expected:
                raise ValueError(f"{path}: line {expected} carries sequence number {line['n']}")
            expected += 1
            yield line
