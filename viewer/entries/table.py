"""Entries in a CSV file, as Excel writes them: what of it is taken, and what is not, by line. Pure.

UTF-8 with or without its mark, or CP949; comma, semicolon or tab; headings in Korean or English.
"""

from __future__ import annotations

import csv
import io
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Final

from viewer.entries.check import content_of
from viewer.entries.faults import EntryRefused, Fault
from viewer.entries.kinds import FIELDS, KINDS
from viewer.entries.model import Entry, named

MOST_BYTES: Final = 2 << 20
MOST_ROWS: Final = 5000
_MOST_FAULTS: Final = 100
"""Of headings: two MiB can hold a million."""
_DELIMITERS: Final = ",;\t"
_OF_ROWS: Final = uuid.UUID("0b6f6ef2-3a47-5c1e-8f52-7d1c1f6a9e44")
_ALSO: Final = {
    "일시": "start",
    "시각": "start",
    "time": "start",
    "시작일시": "start",
    "종료일시": "end",
    "수량": "value",
    "인원": "value",
    "불량": "value",
    "불량수량": "value",
    "quantity": "value",
    "생산수량": "of",
    "검사수량": "of",
    "납품건수": "of",
    "근로자": "of",
    "total": "of",
    "불량유형": "reason",
    "비가동사유": "reason",
    "품목": "product",
    "제품": "product",
    "로트번호": "lot",
    "수주번호": "order",
    "작업지시번호": "order",
    "고객": "customer",
    "수주확정일": "confirmed",
    "납기일": "due",
    "출하일": "shipped",
    "작성자": "author",
    "메모": "note",
    "comment": "note",
}
"""What headings are called besides."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the file.

    Attributes:
        line: its number, from 1; of a row that takes several lines the first.
        said: its cells by field.
        entry: what it says; None = it is not taken.
        faults: why not.
    """

    line: int
    said: Mapping[str, str]
    entry: Entry | None = None
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A file.

    Attributes:
        rows: its rows that are not empty, below the headings.
        faults: what is wrong with the file as a whole, with the line.
    """

    rows: tuple[Row, ...] = ()
    faults: tuple[tuple[int, Fault], ...] = ()

    @property
    def entries(self) -> list[Entry]:
        """What is taken."""
        return [row.entry for row in self.rows if row.entry is not None]

    @property
    def refused(self) -> list[tuple[int, Fault]]:
        """Everything that is wrong, by line."""
        return [*self.faults, *((row.line, fault) for row in self.rows for fault in row.faults)]

    @property
    def whole(self) -> bool:
        """Whether every row is taken, and there is one."""
        return bool(self.rows) and not self.refused


def read_table(
    content: bytes, check: Callable[[Mapping[str, Any]], Entry], given: Mapping[str, str] | None = None
) -> Table:
    """What a file says.

    Args:
        content: of the file.
        check: an entry of fields as text; raises `EntryRefused`.
        given: fields of rows that do not say them, such as `kind` and `author`.
    """
    if len(content) > MOST_BYTES:
        return Table(faults=((0, Fault("", "large", {"mib": MOST_BYTES >> 20})),))
    try:
        text = _decoded(content)
    except UnicodeDecodeError as error:
        return Table(faults=((content.count(b"\n", 0, error.start) + 1, Fault("", "encoding")),))
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    rows: list[Row] = []
    seen: Counter[str] = Counter()
    named_by: dict[str, Entry] = {}
    try:
        headings = [_field(one) for one in next(lines, [])]
        if faults := _of_headings(headings):
            return Table(faults=tuple((1, one) for one in faults))
        line = lines.line_num + 1
        for cells in lines:
            if any(one.strip() for one in cells):
                said = dict(given or {}) | {
                    field: cell.strip() for field, cell in zip(headings, cells, strict=False) if field and cell.strip()
                }
                rows.append(_row(line, said, len(cells) > len(headings), check, seen, named_by))
            if len(rows) > MOST_ROWS:
                return Table(faults=((line, Fault("", "many", {"rows": MOST_ROWS})),))
            line = lines.line_num + 1
    except csv.Error as error:
        return Table(tuple(rows), ((lines.line_num, Fault("", "csv", {"reason": str(error)})),))
    return Table(tuple(rows), () if rows else ((1, Fault("", "no_rows")),))


def _row(
    line: int,
    said: dict[str, str],
    long: bool,
    check: Callable[[Mapping[str, Any]], Entry],
    seen: Counter[str],
    named_by: dict[str, Entry],
) -> Row:
    said["kind"] = _kind(said.get("kind", ""))
    if long:
        return Row(line, said, None, (Fault("", "cells"),))
    try:
        if "id" in said:
            entry = check(said)
            if content_of(named_by.setdefault(entry.id, entry)) != content_of(entry):
                return Row(line, said, None, (Fault("id", "taken"),))
            return Row(line, said, entry)
        entry = named(check({**said, "id": str(_OF_ROWS)}), _OF_ROWS)
    except EntryRefused as error:
        return Row(line, said, None, error.faults)
    seen[entry.id] += 1  # the same file twice is the same entries; two rows alike are two
    return Row(line, said, named(entry, _OF_ROWS, seen[entry.id]))


def _decoded(content: bytes) -> str:
    """UTF-8, else CP949, as Excel saves "CSV" in Korea.

    Raises:
        UnicodeDecodeError: neither.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp949")


def _delimiter(text: str) -> str:
    first = text.partition("\n")[0]
    return max(_DELIMITERS, key=first.count)


def _plain(heading: str) -> str:
    return "".join(heading.split()).lower()


def _names() -> dict[str, str]:
    names = {**_ALSO}
    for field, text in FIELDS.items():
        names |= {_plain(text.ko): field, _plain(text.en): field, field: field}
    for kind in KINDS.values():
        for field, own in (("value", kind.value), ("of", kind.of), ("reason", kind.reason)):
            names |= {} if own is None else {_plain(own.ko): field, _plain(own.en): field}
    return names


_FIELD_OF: Final = _names()
_KIND_OF: Final = {_plain(text): one.name for one in KINDS.values() for text in (*one.label, one.name)}


def _field(heading: str) -> str:
    """The field of a heading; a heading that is empty or begins with `#` is for people, and has none."""
    plain = _plain(heading)
    return "" if not plain or plain.startswith("#") else _FIELD_OF.get(plain, heading.strip())


def _kind(text: str) -> str:
    return _KIND_OF.get(_plain(text), text)


def _of_headings(headings: list[str]) -> list[Fault]:
    named = [one for one in headings if one]
    counts = Counter(named)
    wrong = ((one, "heading") for one in counts if one not in FIELDS)
    twice = ((one, "twice") for one, count in counts.items() if count > 1)
    faults = [Fault(*one) for one in islice(chain(wrong, twice), _MOST_FAULTS)]
    return faults if named else [Fault("", "no_rows")]
