"""Columns to InfluxDB line protocol, a whole column at a time.

Syntax: InfluxData, "Line protocol", sections "Elements" and "Special characters". Integers end in `i`, strings are
quoted, times are ns. Readings with equal time and machine share one line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

_VALUE, _QUALITY, _SOURCE = range(3)
KEY_ESCAPES: Final = str.maketrans({",": "\\,", "=": "\\=", " ": "\\ "})
_STRING_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"'})


@dataclass(frozen=True, slots=True)
class Series:
    """What one machine's lines start with.

    Attributes:
        measurement: the machine's class.
        tags: (key, value) pairs of the place; empty values are left out.
    """

    measurement: str
    tags: tuple[tuple[str, str], ...]

    def prefix(self) -> str:
        """`measurement,key=value,…`, keys in order, escaped."""
        pairs = [f",{key}={value.translate(KEY_ESCAPES)}" for key, value in sorted(self.tags) if value]
        return self.measurement.translate(KEY_ESCAPES) + "".join(pairs)


def column_texts(value: NDArray[Any]) -> list[bytes]:
    """Field values of one column as line protocol; float64 must be finite, uint64 is not allowed."""
    if value.dtype.kind == "O":
        return [b'"' + text.translate(_STRING_ESCAPES).encode() + b'"' for text in value.tolist()]
    body = orjson.dumps(np.ascontiguousarray(value), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1]
    if value.dtype.kind == "i":
        return (body.replace(b",", b"i,") + b"i").split(b",")
    return body.split(b",")


@dataclass(frozen=True, slots=True)
class Column:
    """Field values on their way into lines.

    Attributes:
        slot: which field, int64, shape (n,): from `LineEncoder.values`, `qualities` or `source_times`.
        time_ns: int64, shape (n,).
        text: n field values as line protocol.
    """

    slot: NDArray[np.int64]
    time_ns: NDArray[np.int64]
    text: list[bytes]


class LineEncoder:
    """Lines of one connection's tags.

    Args:
        fields: per tag the series its line belongs to and its field name.
    """

    def __init__(self, fields: Sequence[tuple[Series, str]]) -> None:
        self._n = len(fields)
        prefixes = [series.prefix() for series, _ in fields]
        machines = {prefix: number for number, prefix in enumerate(dict.fromkeys(prefixes))}
        names = [name.translate(KEY_ESCAPES) for _, name in fields]
        suffixes = ("", "_quality", "_source_time")
        heads = [f"{prefix} " for prefix in prefixes] * len(suffixes)
        keys = [f"{name}{suffix}=" for suffix in suffixes for name in names]
        starts = [(head + key).encode() for head, key in zip(heads, keys, strict=True)]
        self._pieces = np.array([*starts, *(f",{key}".encode() for key in keys)], dtype=object)
        self._asked: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._answer: list[bytes] = []
        self._machine = np.array([machines[prefix] for prefix in prefixes] * len(suffixes), dtype=np.int64)

    def values(self, tag: NDArray[np.int32], time_ns: NDArray[np.int64], value: NDArray[Any]) -> Column:
        """The readings themselves."""
        return Column(tag.astype(np.int64), time_ns, column_texts(value))

    def qualities(self, tag: NDArray[np.int32], time_ns: NDArray[np.int64], status: NDArray[np.uint32]) -> Column:
        """Their StatusCodes."""
        return Column(tag + np.int64(_QUALITY * self._n), time_ns, column_texts(status.astype(np.int64)))

    def source_times(self, tag: NDArray[np.int32], time_ns: NDArray[np.int64], source: NDArray[np.int64]) -> Column:
        """Source times that were replaced."""
        return Column(tag + np.int64(_SOURCE * self._n), time_ns, column_texts(source))

    def _prefixes(self, pieces: NDArray[np.int64]) -> list[bytes]:
        """What stands before each value; kept, since a poll asks for the same tags again and again."""
        if not np.array_equal(pieces, self._asked):
            self._asked = pieces
            self._answer = self._pieces[pieces].tolist()
        return self._answer

    def lines(self, columns: Sequence[Column]) -> bytes:
        """Line protocol of everything, grouped by machine and time, each line ended by a newline."""
        if len(columns) == 1:
            slot, time_ns, text = columns[0].slot, columns[0].time_ns, columns[0].text
        else:
            slot = np.concatenate([column.slot for column in columns])
            time_ns = np.concatenate([column.time_ns for column in columns])
            text = [one for column in columns for one in column.text]
        n = len(slot)
        if n == 0:
            return b""
        machine = self._machine[slot]
        if len(columns) > 1 or (machine[1:] != machine[:-1]).any():
            order = np.lexsort((machine, time_ns))
            slot, time_ns, machine = slot[order], time_ns[order], machine[order]
            text = list(itemgetter(*order.tolist())(text)) if n > 1 else text
        starts = np.empty(n, dtype=bool)
        starts[0] = True
        np.not_equal(time_ns[1:], time_ns[:-1], out=starts[1:])
        starts[1:] |= machine[1:] != machine[:-1]
        prefix = self._prefixes(slot + np.where(starts, 0, len(self._pieces) // 2))
        parts: list[bytes] = [b""] * (3 * n)
        parts[0::3] = prefix
        parts[1::3] = text
        whole = bool(starts.all())
        times = orjson.dumps(
            np.ascontiguousarray(time_ns) if whole else time_ns[starts], option=orjson.OPT_SERIALIZE_NUMPY
        )[1:-1]
        stamps = (b" " + times.replace(b",", b"\n, ") + b"\n").split(b",")
        if whole:
            parts[2::3] = stamps
        else:
            ends = np.empty(n, dtype=bool)
            ends[-1] = True
            ends[:-1] = starts[1:]
            for position, stamp in zip((np.flatnonzero(ends) * 3 + 2).tolist(), stamps, strict=True):
                parts[position] = stamp
        return b"".join(parts)


def field_text(value: object) -> str:
    """One field value as line protocol, for lines that are not on the hot path.

    Raises:
        TypeError: not a bool, int, finite float or str.
    """
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return f"{value}i"
        case float():
            return repr(value)
        case str():
            return '"' + value.translate(_STRING_ESCAPES) + '"'
        case _:
            msg = f"not a field value: {value!r}"
            raise TypeError(msg)


def line(series: Series, fields: Mapping[str, object], time_ns: int) -> bytes:
    """One line, for rare points such as gaps and the agent's own health."""
    pairs = ",".join(f"{name.translate(KEY_ESCAPES)}={field_text(value)}" for name, value in fields.items())
    return f"{series.prefix()} {pairs} {time_ns}\n".encode()
