"""The time of a row: which column holds it, how it is written, and as a number of SQL."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from agent.imports.settings import ImportSettings
from agent.imports.source import Source, quoted, text
from pipelines.errors import ConfigError

_SAMPLE: Final = 1000
_MOSTLY: Final = 0.9
_HALF: Final = 0.5
"""Share of a column's cells that must hold a time, where the heading says nothing, and where it says that they do."""
_HEADING: Final = re.compile(
    r"(log|reg|created|event)?[ _]?(time[ _]?stamp|date[ _]?time|time|date|dt|at)|ts"
    r"|.*(일시|시간|시각|일자|날짜|타임스탬프)",
    re.IGNORECASE,
)
_FORMATS: Final = (
    "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %p %I:%M:%S", "%Y-%m-%d %I:%M:%S %p", "%Y-%m-%d %p %I:%M",
    "%Y-%m-%d %I:%M %p", "%Y%m%d%H%M%S", "%Y%m%d %H%M%S", "%Y%m%d %H:%M:%S", "%Y%m%d%H%M",
)  # fmt: skip
"""How times are written once `plain` has made them plain."""
_EPOCHS: Final = {10: 10**9, 13: 10**6, 16: 10**3, 19: 1}
"""Digits of a number of seconds, ms, µs or ns since 1970 → ns of one."""
_MACROS: Final = r"""
CREATE MACRO plain(x) AS regexp_replace(regexp_replace(replace(replace(x, '오전', 'AM'), '오후', 'PM'),
    '(\d{1,2})시\s*(\d{1,2})분(\s*(\d{1,2}(\.\d+)?)초)?', '\1:\2:\4'),
    '^(\d{4})\s*[-./년]\s*(\d{1,2})\s*[-./월]\s*(\d{1,2})\s*[.일]?[\sT]*', '\1-\2-\3 ');
CREATE MACRO bare(x) AS regexp_replace(regexp_replace(rtrim(x, ':'), '(:\d{1,2})[.,]\d+', '\1'),
    '(:\d{1,2})\s*(?:Z|[+-]\d{2}(?::?\d{2})?)$', '\1');
CREATE MACRO fraction_ns(x) AS CAST(rpad(left(regexp_extract(x, ':\d{1,2}[.,](\d+)', 1), 9), 9, '0') AS BIGINT);
CREATE MACRO ahead_ns(o) AS CASE WHEN o IN ('', 'Z') THEN 0 ELSE CAST(o[1] || '1' AS BIGINT) * 60000000000
    * (60 * CAST(o[2:3] AS BIGINT) + CAST('0' || replace(o[4:], ':', '') AS BIGINT)) END;
CREATE MACRO moment_ns(x, formats) AS epoch_ns(try_strptime(bare(x), formats)) + fraction_ns(x)
    - ahead_ns(regexp_extract(x, ':\d{1,2}(?:[.,]\d+)?\s*(Z|[+-]\d{2}(?::?\d{2})?)$', 1));
"""
"""A time is taken as it is written, its offset from UTC off; without one, only what lies between rows counts."""


def find_time(source: Source, settings: ImportSettings) -> tuple[tuple[str, ...], str]:
    """Headings of what the time consists of, and SQL for it: ns since 1970, int64, NULL where it is none.

    Raises:
        ConfigError: no column holds times, or several do and nobody named one.
    """
    source.db.execute(_MACROS)
    if settings.times:
        return settings.times, _expression(source, settings.times, settings.time_format)
    shares = _shares(source, lambda one: _moment(quoted(one), _FORMATS))
    shares |= {one: 1.0 for one in source.headings if _HEADING.fullmatch(one) and _epoch(source, (one,))}
    whole = [one for one, share in shares.items() if share >= _MOSTLY]
    named = [one for one, share in shares.items() if share >= _HALF and _HEADING.fullmatch(one)]
    if found := named[:1] or (whole if len(whole) == 1 else []):
        return tuple(found), _expression(source, found, None)
    if whole:
        raise ConfigError(source.path, None, f"{' and '.join(whole)} hold times; say `time: HEADING` in --columns")
    days = _shares(source, lambda one: _moment(f"{quoted(one)} || ' 00:00'", _FORMATS))
    hours = _shares(source, lambda one: _moment(f"'2000-01-01 ' || {quoted(one)}", _FORMATS))
    day, hour = ([one for one, share in part.items() if share >= _MOSTLY] for part in (days, hours))
    if len(day) == len(hour) == 1:
        return (day[0], hour[0]), _expression(source, (day[0], hour[0]), None)
    few = ", ".join(source.headings[:12])
    raise ConfigError(source.path, None, f"no column holds times ({few}); say `time: HEADING` in --columns")


def _moment(written: str, formats: Sequence[str]) -> str:
    return f"moment_ns(plain(trim({written})), [{', '.join(map(text, formats))}])"


def _written(columns: Sequence[str]) -> str:
    return " || ' ' || ".join(quoted(one) for one in columns)


def _shares(source: Source, expression: Callable[[str], str]) -> dict[str, float]:
    """Of each column, the share of its first cells that hold a time."""
    counts = ", ".join(f"count({expression(one)}), count(nullif(trim({quoted(one)}), ''))" for one in source.headings)
    (row,) = source.rows(f"SELECT {counts} FROM (FROM {source.table} LIMIT {_SAMPLE})")
    return {one: row[2 * i] / row[2 * i + 1] if row[2 * i + 1] else 0.0 for i, one in enumerate(source.headings)}


def _epoch(source: Source, columns: Sequence[str]) -> int:
    """Nanoseconds of one, where the first cells are numbers of seconds, ms, µs or ns since 1970; else 0."""
    digits = f"CASE WHEN regexp_full_match(trim({_written(columns)}), '\\d+(\\.\\d+)?') THEN "
    digits += f"length(split_part(trim({_written(columns)}), '.', 1)) ELSE 0 END"
    cells = f"SELECT {digits} AS n FROM {source.table} WHERE trim({_written(columns)}) <> '' LIMIT {_SAMPLE}"
    found = source.rows(f"SELECT n, count(*) FROM ({cells}) GROUP BY n ORDER BY 2 DESC LIMIT 1")
    return _EPOCHS.get(found[0][0], 0) if found else 0


def _expression(source: Source, columns: Sequence[str], own: str | None) -> str:
    written = _written(columns)
    if own is not None:
        return f"epoch_ns(try_strptime(trim({written}), {text(own)}))"
    if unit_ns := _epoch(source, columns):
        return f"CAST(try_cast({written} AS DECIMAL(28, 9)) * {unit_ns} AS BIGINT)"
    counts = ", ".join(f"count({_moment(written, [one])})" for one in _FORMATS)
    (row,) = source.rows(f"SELECT {counts} FROM (FROM {source.table} LIMIT {_SAMPLE})")
    used = [one for one, count in zip(_FORMATS, row, strict=True) if count]
    if not used:
        what = " and ".join(columns)
        raise ConfigError(source.path, None, f"{what}: no time is read in it; say `time_format` in --columns")
    return _moment(written, used)
