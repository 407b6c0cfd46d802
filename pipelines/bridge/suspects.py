"""Which lines a store means when it says why it refuses a body: a guess from its words, for a request to prove.

InfluxDB 1.x and 2.x: `partial write: field type conflict: input field "f" on measurement "m" is type string, already
exists as type float dropped=1` and `partial write: points beyond retention policy dropped=2`. The rest of such a body
may be stored or not, several shards may have refused points and one of them speaks: nothing here is believed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from pipelines.bridge.sift import dropped
from pipelines.encode.split import field_name, measurement, split_fields, time_of

_CONFLICT: Final = re.compile(r'input field "(.*)" on measurement "(.*)" is type (\w+), already exists as type \w+')
_EXPIRED: Final = "beyond retention policy"


def is_expired(reason: str) -> bool:
    """Whether a store refuses points because they are older than what it keeps."""
    return _EXPIRED in reason


def suspects(lines: Sequence[bytes], reason: str) -> tuple[list[bytes], list[bytes]] | None:
    """(lines that are none, lines that are); None when the reason does not say. Neither is empty.

    A line with a field under suspicion is cut in two: that field, and the others.
    """
    split = None
    if is_expired(reason):
        split = _oldest(lines, dropped(reason))
    elif found := _CONFLICT.search(reason):
        split = _with_field(lines, found[1], found[2], found[3])
    return split if split and all(split) else None


def _oldest(lines: Sequence[bytes], count: int) -> tuple[list[bytes], list[bytes]] | None:
    times = [time_of(line) for line in lines]
    if not count or None in times:
        return None
    limit = sorted(time for time in times if time is not None)[min(count, len(times)) - 1]
    old = [line for line, time in zip(lines, times, strict=True) if time is not None and time <= limit]
    return [line for line, time in zip(lines, times, strict=True) if time is not None and time > limit], old


def _with_field(lines: Sequence[bytes], field: str, table: str, kind: str) -> tuple[list[bytes], list[bytes]]:
    rest, bad = [], []
    hint = field.encode()
    for line in lines:
        if hint not in line or measurement(line) != table:
            rest.append(line)
            continue
        pieces = split_fields(line)
        culprits = [piece for piece in pieces if field_name(piece) == field and _kind(piece) == kind]
        if culprits:
            bad += culprits
            rest += [piece for piece in pieces if piece not in culprits]
        else:
            rest.append(line)
    return rest, bad


def _kind(piece: bytes) -> str:
    """InfluxDB's name for the type of a line's last field value."""
    value = piece.rsplit(b" ", 1)[0] if time_of(piece) is not None else piece
    last = value[-1:]
    if last == b'"':
        return "string"
    if last == b"i":
        return "integer"
    if last == b"u":
        return "unsigned"
    return "float" if last.isdigit() or last == b"." else "boolean"
