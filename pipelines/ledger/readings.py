"""Readings out of lines, as the ledger counts them: what a machine's tags said, in the order of the records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipelines.encode.split import split_lines
from pipelines.errors import RecordRejected
from pipelines.ledger.mix import U64, mixed
from pipelines.ledger.tally import SeriesKey
from pipelines.place import OWN_MEASUREMENTS
from pipelines.sinks.lineprotocol import Column, parse

_BODY_BYTES: Final = 1 << 20
Points = tuple[NDArray[np.uint32], NDArray[np.int64], U64]
"""Series, time and mix of readings, each of shape (n,)."""
Number = Callable[[SeriesKey], int]
NOTHING: Final[Points] = (np.empty(0, np.uint32), np.empty(0, np.int64), np.empty(0, np.uint64))


def is_counted(measurement: str, field: str) -> bool:
    """Whether a field holds readings of a machine's tag."""
    return measurement not in OWN_MEASUREMENTS and not field.endswith(("_quality", "_source_time"))


def joined(parts: Iterable[Points]) -> Points:
    """One after the other."""
    columns = list(zip(*parts, strict=True))
    if not columns:
        return NOTHING
    return np.concatenate(columns[0]), np.concatenate(columns[1]), np.concatenate(columns[2])


def points_of(payloads: Iterable[bytes], number: Number) -> Points:
    """Every reading of some records.

    Args:
        payloads: line protocol.
        number: what to call a series.
    """
    parts: list[Points] = []
    body: list[bytes] = []
    size = 0
    for payload in payloads:
        body.append(payload)
        size += len(payload)
        if size >= _BODY_BYTES:
            parts.append(_of_body(body, number))
            body, size = [], 0
    return joined([*parts, _of_body(body, number)])


def _of_body(payloads: Sequence[bytes], number: Number) -> Points:
    columns = _columns(payloads)
    order: list[NDArray[Any]] = []
    parts: list[Points] = []
    for column in columns:
        if is_counted(column.measurement, column.field):
            key = SeriesKey(column.measurement, column.tags, column.field, column.kind)
            series = np.full(len(column.time_ns), number(key), dtype=np.uint32)
            parts.append((series, column.time_ns, mixed(column.time_ns, column.value)))
            order.append(column.line)
    if not parts:
        return NOTHING
    series, time_ns, mix = joined(parts)
    at = np.argsort(np.concatenate(order), kind="stable")
    return series[at], time_ns[at], mix[at]


def _columns(payloads: Sequence[bytes], before: int = 0) -> list[Column]:
    """By columns as far as the lines agree on their types, else record by record, else line by line."""
    body = b"".join(payloads)
    try:
        return [replace(column, line=column.line + np.int32(before)) for column in parse(body)]
    except RecordRejected:
        pieces = list(payloads) if len(payloads) > 1 else [line + b"\n" for line in split_lines(body)]
    if len(pieces) < 2:  # noqa: PLR2004 - cannot be cut further
        return []
    found: list[Column] = []
    for piece in pieces:
        found += _columns([piece], before)
        before += piece.count(b"\n")
    return found
