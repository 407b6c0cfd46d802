"""What a form sends: `application/x-www-form-urlencoded` and `multipart/form-data` (RFC 7578), within bounds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl

from pipelines.errors import PayloadRefused

MAX_FIELDS: Final = 1000
_BOUNDARY: Final = re.compile(r"multipart/form-data\s*;.*?boundary=\"?([0-9A-Za-z'()+_,\-./:=?]{1,70})", re.IGNORECASE)
_NAME: Final = re.compile(rb'[;\s]name="([^"]*)"', re.IGNORECASE)
_FILE: Final = re.compile(rb'[;\s]filename="', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Form:
    """Fields of a form.

    Attributes:
        fields: name to every value, in their order.
        files: name to the bytes of a file.
    """

    fields: Mapping[str, list[str]] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)

    def get(self, name: str) -> str:
        """The first value of a field; empty when there is none."""
        return self.fields.get(name, [""])[0]


def parse_form(content_type: str, body: bytes) -> Form:
    """The form in a body; a body without one has no fields.

    Raises:
        PayloadRefused: it is not what it says.
    """
    kind = content_type.partition(";")[0].strip().lower()
    try:
        if kind == "application/x-www-form-urlencoded":
            return _form([(name, value) for name, value in _pairs(body)], {})
        if kind == "multipart/form-data":
            return _parts(content_type, body)
    except (UnicodeDecodeError, ValueError) as error:
        raise PayloadRefused(f"a form that cannot be read: {error}") from error
    return Form()


def _pairs(body: bytes) -> list[tuple[str, str]]:
    return parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)


def _parts(content_type: str, body: bytes) -> Form:
    found = _BOUNDARY.match(content_type)
    if found is None:
        raise ValueError("no boundary")
    head, *parts = (b"\r\n" + body).split(b"\r\n--" + found[1].encode())
    if not parts or not parts[-1].startswith(b"--") or len(parts) > MAX_FIELDS:
        raise ValueError("cut short, or too many parts")
    del head
    fields: list[tuple[str, str]] = []
    files: dict[str, bytes] = {}
    for part in parts[:-1]:
        headers, _, content = part.partition(b"\r\n\r\n")
        name = _NAME.search(headers)
        if name is None:
            raise ValueError("a part without a name")
        if _FILE.search(headers):
            files[name[1].decode()] = content
        else:
            fields.append((name[1].decode(), content.decode()))
    return _form(fields, files)


def _form(pairs: list[tuple[str, str]], files: Mapping[str, bytes]) -> Form:
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return Form(fields, files)
