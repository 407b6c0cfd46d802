"""Changes that a foreign PLC wrote into its own log, and which of them the store does not have."""

from __future__ import annotations

from tests.e2e.foreign_parts import Child, Plc, Store


def counted(running: Child, points: int) -> None:
    """Wait until so many more points are stored than now."""
    first = running.points()["stored"]
    running.until(lambda: running.points()["stored"] >= first + points)


def unexplained(plc: Plc, store: Store, measurement: str, counter: str) -> list[int]:
    """Changes that are lost and lie in no gap that is told."""
    truth = plc.written(counter)
    gaps = [(int(row["time"]), int(row["end"])) for row in store.gaps() if row["machine"] == measurement and row["end"]]
    missing = lost(plc, store, measurement, counter)
    return [value for value in missing if not any(start <= truth[value] <= end for start, end in gaps)]


def lost(plc: Plc, store: Store, measurement: str, counter: str) -> list[int]:
    """Changes of a counter between the first and the last one stored that are not stored as the PLC wrote them."""
    truth = plc.written(counter)
    stored = dict(store.rows(measurement)[counter])
    values = [*stored.values()]
    return [value for value in range(values[0], values[-1] + 1) if stored.get(truth[value]) != value]
