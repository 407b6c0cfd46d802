"""The history as Parquet: rows in order of time, cells as what their columns are; and what was odd about the times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.duration import in_words
from agent.imports.cells import VALUES
from agent.imports.columns import Column
from agent.imports.source import Source, quoted, text
from pipelines.errors import ConfigError
from simulators.signals.tape import parquet

_GRIDS_MS: Final = (60_000, 30_000, 20_000, 10_000, 5000, 2000, 1000, 500, 250, 200, 100, 50)
"""Steps of a plant that may hold the times of a history."""
_STEP_NS: Final = 50_000_000
_ROWS: Final = 20_000
"""Rows of a group: what is in memory at once while it is written or played."""
_GAP: Final = 10
_GAP_NS: Final = 60 * 10**9
_FAR: Final = 10
_FAR_NS: Final = 24 * 3600 * 10**9
_ENDS: Final = 20
"""One row in so many may be far off at either end, and one of a short file."""
_FEWEST: Final = 10
"""Rows of the shortest file of which one may be far off."""
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class History:
    """What was written.

    Attributes:
        first_ns: time of the first row, ns since 1970, UTC where the file says so; the last likewise.
        usual_s: median of the time between two rows.
        grid_s: the longest step that holds every time, 0.05 to 60 s.
        notes: what was odd.
    """

    rows: int
    first_ns: int
    last_ns: int
    usual_s: float
    grid_s: float
    notes: tuple[str, ...]

    @property
    def length_s(self) -> float:
        """From the first row to where one could follow the last: when it begins again."""
        steps = -(-(self.last_ns - self.first_ns + round(self.usual_s * 1e9)) // round(self.grid_s * 1e9))
        return steps * self.grid_s


def write_history(
    source: Source, columns: Sequence[Column], time: str, where: str, scratch: Path, target: Path
) -> History:
    """Write the rows that have a time, in its order; of the same time as the file has them.

    Args:
        source: the file.
        columns: of it.
        time: SQL for the time of a row.
        where: condition of SQL for the rows that count.
        scratch: folder for the rows in the file's order.
        target: the Parquet file.

    Raises:
        ConfigError: the file cannot be read, no row has a time, or the disk is full.
    """
    unsorted = scratch / "unsorted.parquet"
    values = ", ".join(f"{VALUES[one.kind].format(quoted(one.heading))} AS {quoted(one.name)}" for one in columns)
    rows = f"SELECT {time} AS t_ns, row_number() OVER () AS file_row, {values} FROM {source.told} WHERE {where}"
    _copy(source, f"FROM ({rows}) WHERE t_ns IS NOT NULL", unsorted)
    read, far = _near(source, parquet(unsorted))
    notes = [source.unreadable(), far]
    before = f"SELECT t_ns, lag(t_ns) OVER () AS past, file_row AS n FROM {read}"
    ((count, back, first_back),) = source.rows(
        f"SELECT count(*), count(*) FILTER (t_ns < past), min(n) FILTER (t_ns < past) FROM ({before})"
    )
    if not count:
        raise ConfigError(source.path, None, "no row has a time")
    if back:
        notes.append(f"the time goes back ({back} times, first at row {first_back}): rows are played in order of time")
    if back or far:
        _copy(source, f"FROM {read} ORDER BY t_ns, file_row", target)
        unsorted.unlink()
    else:
        unsorted.rename(target)
    return _looked_at(source, target, notes)


def _near(source: Source, read: str) -> tuple[str, str]:
    """SQL for the rows without those of a time that is far off, such as 1970, and what to say of them.

    Far is further from nine in ten of the rows than ten times the time that these take, and than a day.
    """
    ((count, low, high),) = source.rows(f"SELECT count(*), min(t_ns), max(t_ns) FROM {read}")
    if count < _FEWEST or high - low <= _FAR_NS:
        return read, ""
    end = max(1, count // _ENDS)
    low, high = (
        source.rows(f"SELECT t_ns FROM {read} ORDER BY t_ns LIMIT 1 OFFSET {at}")[0][0] for at in (end, count - 1 - end)
    )
    reach = max(_FAR * (high - low), _FAR_NS)
    near = f"t_ns BETWEEN {low - reach} AND {high + reach}"
    ((off, *_),) = source.rows(f"SELECT count(*) FROM {read} WHERE NOT ({near})")
    if not off:
        return read, ""
    shown = source.rows(f"SELECT file_row FROM {read} WHERE NOT ({near}) ORDER BY file_row LIMIT {_SHOWN}")
    few = ", ".join(str(row) for (row,) in shown) + (", …" if off > _SHOWN else "")
    return f"(FROM {read} WHERE {near})", f"{off} rows have a time far from all others and are left out: row {few}"


def _copy(source: Source, query: str, target: Path) -> None:
    source.rows(f"COPY ({query}) TO {text(str(target))} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_ROWS})")


def _looked_at(source: Source, path: Path, notes: list[str]) -> History:
    past = "lag(t_ns) OVER ()"
    read = f"SELECT t_ns, {past} AS past, file_row AS n FROM {parquet(path)}"
    ((count, first_ns, last_ns, usual_ns, same, first_same),) = source.rows(
        "SELECT count(*), min(t_ns), max(t_ns), approx_quantile(t_ns - past, 0.5) FILTER (t_ns > past), "
        f"count(*) FILTER (t_ns = past), min(n) FILTER (t_ns = past) FROM ({read})"
    )
    usual_ns = usual_ns or _STEP_NS
    moment = f"(t_ns - {first_ns} + {_STEP_NS - 1}) // {_STEP_NS} = (past - {first_ns} + {_STEP_NS - 1}) // {_STEP_NS}"
    wide_ns = max(_GAP * usual_ns, _GAP_NS)
    grids = ", ".join(f"count(*) FILTER ((t_ns - {first_ns}) % {ms * 10**6} <> 0)" for ms in _GRIDS_MS)
    ((close, gaps, longest_ns, gap_row, *off),) = source.rows(
        f"SELECT count(*) FILTER (t_ns > past AND {moment}), count(*) FILTER (t_ns - past > {wide_ns}), "
        f"max(t_ns - past), arg_max(n, t_ns - past), {grids} FROM ({read})"
    )
    if same:
        notes.append(f"{same} rows have the time of the row before, first row {first_same}: the last of them is shown")
    if close:
        notes.append(f"{close} rows are less than {_STEP_NS // 10**6} ms behind another: the last of them is shown")
    if gaps:
        wide, longest = in_words(wide_ns / 1e9), f"{in_words(longest_ns / 1e9)} before row {gap_row}"
        notes.append(f"{gaps} times no row comes for over {wide}, the longest {longest}: values stand")
    grid_ms = next((ms for ms, wrong in zip(_GRIDS_MS, off, strict=True) if not wrong), _GRIDS_MS[-1])
    told = tuple(note for note in notes if note)
    return History(count, first_ns, last_ns, usual_ns / 1e9, grid_ms / 1000, told)
