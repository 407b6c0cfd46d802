"""A CSV file as UTF-8, its delimiter and its headings; read a piece at a time, whatever its size."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
from collections.abc import Iterator
from pathlib import Path
from statistics import mode
from typing import Final

from pipelines.errors import ConfigError

_PIECE: Final = 1 << 20
_HEAD: Final = 1 << 16
_LOOKED_AT: Final = 50
"""Rows that show which of them holds the headings."""
_DELIMITERS: Final = ",;\t|"
_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def as_utf8(path: Path, encoding: str | None, copy: Path) -> tuple[Path, str]:
    """The file itself where it is UTF-8 with one kind of line end, else a copy that is; and the encoding it has.

    All of it is looked at before any of it is believed. DuckDB drops rows without a word where line ends differ, as
    within and behind a cell of two lines.

    Args:
        path: the file.
        encoding: what it is said to have, or None.
        copy: where to write.

    Raises:
        ConfigError: it cannot be read, or has not that encoding, or none that is known.
    """
    try:
        found = encoding or _marked(path)
        if found in {"", "utf-8"}:
            try:
                ends = Pieces(path, "utf-8").ends()
            except ConfigError:
                if found:
                    raise
                found = "cp949"
            else:
                found = "utf-8"
                if not isinstance(ends, tuple):
                    return path, found
        with copy.open("w", encoding="utf-8", newline="\n") as out:
            for text in Pieces(path, found):
                out.write(text)
    except OSError as error:
        raise ConfigError(path, None, f"cannot read: {error.strerror}") from error
    return copy, found


def _marked(path: Path) -> str:
    with path.open("rb") as file:
        return "utf-16" if file.read(2) in _UTF16 else ""


class Pieces:
    r"""The text of a file, a piece at a time, every line end as `\n`."""

    def __init__(self, path: Path, encoding: str) -> None:
        self._path = path
        self._encoding = encoding
        plain = codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else encoding)()
        self._decoder = io.IncrementalNewlineDecoder(plain, translate=True)

    def ends(self) -> str | tuple[str, ...] | None:
        """The kind of line end that the file has, a tuple of several, or None."""
        for _ in self:
            pass
        return self._decoder.newlines

    def __iter__(self) -> Iterator[str]:
        """The pieces, once.

        Raises:
            ConfigError: the file is not of that encoding; names the line.
        """
        line = 1
        with self._path.open("rb") as file:
            while True:
                piece = file.read(_PIECE)
                try:
                    text = self._decoder.decode(piece, final=not piece)
                except UnicodeDecodeError as error:
                    line += error.object.count(b"\n", 0, error.start)
                    words = f"is not {self._encoding}; name the encoding in --columns"
                    raise ConfigError(self._path, line, words) from error
                line += text.count("\n")
                yield text
                if not piece:
                    return


def heading_line(path: Path) -> tuple[str, list[str], int]:
    """The delimiter of a UTF-8 file, its headings, and the number of lines above them.

    A row that fills at most half as many cells as most rows have is a title, as MES and Excel put one above them.

    Raises:
        ConfigError: the file is empty.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD).decode("utf-8-sig", errors="ignore")
    if not head.strip():
        raise ConfigError(path, None, "the file is empty")
    for line in head.split("\n", _LOOKED_AT)[:_LOOKED_AT]:
        delimiter = max(_DELIMITERS, key=line.count)
        rows = _rows(head, delimiter)
        width = mode(len(row) for row, _ in rows)
        if delimiter in line and width > 1:
            break
    headings, above = next((one for one in rows if 2 * sum(map(bool, one[0])) > width), rows[0])
    return delimiter, headings, above


def _rows(head: str, delimiter: str) -> list[tuple[list[str], int]]:
    """The first rows that are not empty, and the number of lines above each, a cell of two lines counted as one."""
    reader = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)
    rows = enumerate(itertools.islice(reader, _LOOKED_AT))
    return [([" ".join(one.split()) for one in row], above) for above, row in rows if row] or [([""], 0)]
