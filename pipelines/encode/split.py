"""Cutting line protocol into lines and fields without reading it, to find the one a store refuses."""

from __future__ import annotations

from collections.abc import Iterator


def split_lines(body: bytes) -> list[bytes]:
    """Lines of a body, without their newline; a newline inside a quoted string does not end a line."""
    if b'"' not in body:
        return [one for one in body.split(b"\n") if one]
    return [one for one in _cut(body, b"\n"[0]) if one]


def split_fields(line: bytes) -> list[bytes]:
    """The same line once per field, each with one field; the line itself when it cannot be cut."""
    parts = list(_cut(line, b" "[0]))
    if len(parts) < 2:  # noqa: PLR2004 - series and fields
        return [line]
    tail = b"".join(b" " + part for part in parts[2:])
    return [parts[0] + b" " + field + tail for field in _cut(parts[1], b","[0])]


def field_name(line: bytes) -> str:
    """Name of the first field of a line."""
    parts = list(_cut(line, b" "[0]))
    name = next(_cut(parts[1], b"="[0]), b"") if len(parts) > 1 else b""
    return name.replace(b"\\", b"").decode(errors="replace")


def field_names(line: bytes) -> list[str]:
    """Names of all fields of a line."""
    return [field_name(piece) for piece in split_fields(line)]


def measurement(line: bytes) -> str:
    """Measurement of a line."""
    name = next(_cut(next(_cut(line, b" "[0])), b","[0]))
    return name.replace(b"\\", b"").decode(errors="replace")


def time_of(line: bytes) -> int | None:
    """Time of a line, as it stands there; None when it has none."""
    last = line[line.rfind(b" ") + 1 :].rstrip(b"\r")
    return int(last) if last.removeprefix(b"-").isdigit() and b" " in line else None


def _cut(text: bytes, at: int) -> Iterator[bytes]:
    start = 0
    quoted = escaped = False
    for index, byte in enumerate(text):
        if escaped:
            escaped = False
        elif byte == 0x5C:  # noqa: PLR2004 - backslash
            escaped = True
        elif byte == 0x22:  # noqa: PLR2004 - quotation mark
            quoted = not quoted
        elif byte == at and not quoted:
            yield text[start:index]
            start = index + 1
    yield text[start:]
