"""A CSV file as UTF-8, its delimiter and its headings; read a piece at a time, whatever its size."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pipelines.errors import ConfigError

_PIECE: Final = 1 << 20
_HEAD: Final = 1 << 16
_DELIMITERS: Final = ",;\t|"
_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def as_utf8(path: Path, encoding: str | None, copy: Path) -> tuple[Path, str]:
    """The file itself where it is UTF-8, else a copy that is; and the encoding it has.

    Args:
        path: the file.
        encoding: what it is said to have, or None.
        copy: where to write.

    Raises:
        ConfigError: it cannot be read, or has not that encoding, or none that is known.
    """
    try:
        found = encoding or _encoding(path)
        if found == "utf-8":
            for _ in _pieces(path, found):  # all of it is looked at before any of it is believed
                pass
            return path, found
        with copy.open("w", encoding="utf-8", newline="") as out:
            for text in _pieces(path, found):
                out.write(text)
    except OSError as error:
        raise ConfigError(path, None, f"cannot read: {error.strerror}") from error
    return copy, found


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        if file.read(2) in _UTF16:
            return "utf-16"
    try:
        for _ in _pieces(path, "utf-8"):
            pass
    except ConfigError:
        return "cp949"
    return "utf-8"


def _pieces(path: Path, encoding: str) -> Iterator[str]:
    """The text of a file.

    Raises:
        ConfigError: it is not of that encoding; names the line.
    """
    decoder = codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else encoding)()
    line = 1
    with path.open("rb") as file:
        while True:
            piece = file.read(_PIECE)
            try:
                text = decoder.decode(piece, final=not piece)
            except UnicodeDecodeError as error:
                line += error.object.count(b"\n", 0, error.start)
                raise ConfigError(path, line, f"is not {encoding}; name the encoding in --columns") from error
            line += text.count("\n")
            yield text
            if not piece:
                return


def heading_line(path: Path) -> tuple[str, list[str]]:
    """The delimiter of a UTF-8 file and the headings in its first line.

    Raises:
        ConfigError: the file is empty.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD).decode("utf-8-sig", errors="ignore")
    first = next((line for line in head.splitlines() if line.strip()), "")
    if not first:
        raise ConfigError(path, None, "the file is empty")
    delimiter = max(_DELIMITERS, key=first.count)
    return delimiter, [one.strip() for one in next(csv.reader([first], delimiter=delimiter))]
