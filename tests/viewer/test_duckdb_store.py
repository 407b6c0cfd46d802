"""What the embedded store's reader does by itself: the newest of long silent series, and few questions at once."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

from pipelines.sinks.duckdb import DuckDbSink
from viewer.stores.base import Place
from viewer.stores.duckdb import DuckDbStore

DAY = 86_400 * 10**9
T0 = 20_000 * DAY
PLACE = Place("c", "A", "", "M", "m")


def body(field: str, value: int, time_ns: int) -> bytes:
    return f"m,company=c,site=A,machine=M {field}={value}i {time_ns}".encode()


def test_a_series_that_is_silent_for_days_has_its_newest_after_a_restart(tmp_path: Path) -> None:
    """It is not among the points of the last day, where the newest of others is."""
    path = tmp_path / "a.duckdb"
    sink = DuckDbSink(path)
    for field, value, at in (("silent", 1, T0), ("silent", 2, T0 + 1), ("told", 3, T0), ("told", 4, T0 + 9 * DAY)):
        asyncio.run(sink.write("c", body(field, value, at)))
    asyncio.run(sink.close())
    again = DuckDbSink(path)
    reader = DuckDbStore(again.cursor)
    assert {one.field: (one.value, one.time_ns) for one in reader.latest()} == {
        "silent": (2, T0 + 1),
        "told": (4, T0 + 9 * DAY),
    }
    asyncio.run(again.write("c", body("silent", 5, T0 + 1)))  # replaced, since its newest time is known
    assert reader.points(PLACE, "silent").value.tolist() == [1, 5]
    asyncio.run(again.close())


class Counted:
    """A cursor that says how many questions are being answered."""

    active, most = 0, 0
    lock = threading.Lock()

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def execute(self, query: str, parameters: Any = ()) -> Self:
        if "SELECT time_ns" in query:
            with self.lock:
                Counted.active += 1
                Counted.most = max(Counted.most, Counted.active)
        self._cursor.execute(query, parameters)
        return self

    def fetchall(self) -> Any:
        return self._cursor.fetchall()

    def fetchnumpy(self) -> Any:
        found = self._cursor.fetchnumpy()
        with self.lock:
            Counted.active -= 1
        return found

    def close(self) -> None:
        self._cursor.close()


def test_two_questions_are_answered_at_once(tmp_path: Path) -> None:
    sink = DuckDbSink(tmp_path / "a.duckdb")
    asyncio.run(sink.write("c", b"\n".join(body("v", n, T0 + n) for n in range(2000))))
    reader = DuckDbStore(lambda: Counted(sink.cursor()))  # type: ignore[arg-type,return-value]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: len(reader.points(PLACE, "v").value), range(40)))
    assert found == [2000] * 40
    assert (1 <= Counted.most <= 2, Counted.active) == (True, 0)
    asyncio.run(sink.close())
