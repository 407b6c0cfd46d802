"""What the cells of each column are, counted in one pass over the file; and their values as SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agent.imports.source import Source, quoted

_MACROS: Final = r"""
CREATE MACRO filled(x) AS nullif(trim(x), '');
CREATE MACRO meant(x) AS CASE WHEN lower(filled(x)) IN ('nan', 'null', 'none', 'na', 'n/a', '#n/a', '-', '--')
    THEN NULL ELSE filled(x) END;
CREATE MACRO finite(d) AS CASE WHEN isfinite(d) THEN d END;
CREATE MACRO number(x) AS finite(CASE WHEN NOT contains(x, ',') AND NOT contains(x, '_') THEN try_cast(x AS DOUBLE)
    WHEN regexp_full_match(filled(x), '[+-]?\d{1,3}(,\d{3})+(\.\d*)?') THEN try_cast(replace(x, ',', '') AS DOUBLE)
    END);
CREATE MACRO truth(x) AS CASE WHEN lower(filled(x)) IN ('true', 'y', '1') THEN true
    WHEN lower(filled(x)) IN ('false', 'n', '0') THEN false END;
"""
_COUNTS: Final = (
    "count(meant({0}))",
    "count(number({0}))",
    "count(CASE WHEN lower(filled({0})) IN ('true', 'false') THEN 1 END)",
    "count(CASE WHEN lower(filled({0})) IN ('y', 'n') THEN 1 END)",
    "count(CASE WHEN filled({0})[1] = '0' AND filled({0})[2] BETWEEN '0' AND '9' THEN 1 END)",
    "count(CASE WHEN contains({0}, '.') OR contains(lower({0}), 'e') THEN 1 END)",
    "coalesce(min(number({0})), 0.0)",
    "coalesce(max(number({0})), 0.0)",
    "coalesce(max(strlen(filled({0}))), 0)",
    "coalesce(max(CASE WHEN contains({0}, '.') THEN strlen(split_part(trim({0}), '.', 2)) END), 0)",
    "coalesce(min(filled({0})) = max(filled({0})), true)",
    "coalesce(any_value(CASE WHEN number({0}) IS NULL THEN meant({0}) END), '')",
)
"""In the order of `Cells`."""
VALUES: Final = {
    "text": "filled({})",
    "bool": "truth({})",
    "number": "number({})",
    "integer": "CAST(number({}) AS INTEGER)",
}
"""Type of a column → its value in a row; NULL = there is none."""


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of one column.

    Attributes:
        filled: cells that hold something; those below are among them.
        bools: true or false.
        answers: Y or N.
        coded: digits that begin with 0, as a part's number does.
        broken: with a point or an exponent.
        low: lowest number, 0 without any.
        longest: bytes of the longest text.
        decimals: most digits behind the point.
        constant: all that are filled are the same.
        odd: one that is no number.
    """

    filled: int
    numbers: int
    bools: int
    answers: int
    coded: int
    broken: int
    low: float
    high: float
    longest: int
    decimals: int
    constant: bool
    odd: str


def cells_of(source: Source, headings: Sequence[str], time: str, where: str) -> tuple[dict[str, Cells], int, int]:
    """The cells of each column, the number of rows, and of those with a time.

    Args:
        source: the file.
        headings: of the columns.
        time: SQL for the time of a row.
        where: condition of SQL for the rows that count.

    Raises:
        ConfigError: the file cannot be read.
    """
    source.db.execute(_MACROS)
    counts = ["count(*)", f"count({time})", *(count.format(quoted(one)) for one in headings for count in _COUNTS)]
    (row,) = source.rows(f"SELECT {', '.join(counts)} FROM {source.table} WHERE {where}")
    cells, width = row[2:], len(_COUNTS)
    return {one: Cells(*cells[i * width : (i + 1) * width]) for i, one in enumerate(headings)}, row[0], row[1]
