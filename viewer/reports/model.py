"""A report as data. Nothing in it knows whether it becomes a page, a workbook or a PDF."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipelines.calendar import Span
from viewer.kpi.words import Text
from viewer.reports.cell import Cell, Number


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        head: its heading.
        width: its part of the page, against the others of the table.
        align: numbers stand right, words left, short marks in the middle.
    """

    head: Text
    width: float = 1.0
    align: Literal["left", "right", "center"] = "left"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under headings, which are repeated on each page.

    Attributes:
        title: above it.
        columns: its columns.
        rows: as many cells each as there are columns.
        empty: what is said where there are no rows, and why.
        notes: formulas and remarks below it; a `Words` refers to one by its number, from 1 on.

    Raises:
        ValueError: a row has another number of cells.
    """

    title: Text
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: Text
    notes: tuple[Text, ...] = ()

    def __post_init__(self) -> None:
        if wrong := [row for row in self.rows if len(row) != len(self.columns)]:
            msg = f"{len(wrong[0])} cells in a table of {len(self.columns)} columns"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Facts:
    """Names with what they are, one a line."""

    title: Text
    rows: tuple[tuple[Text, Cell], ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A remark; a warning is set apart."""

    text: Text
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Bars:
    """A picture of bars.

    Attributes:
        title: above it.
        unit: of the values.
        bars: name and value of each; None = 미수집, which is drawn as such and not as 0.
    """

    title: Text
    unit: Text
    bars: tuple[tuple[Text, Number | None], ...]


@dataclass(frozen=True, slots=True)
class Signatures:
    """Room to sign."""

    roles: tuple[Text, ...]


Block = Table | Facts | Paragraph | Bars | Signatures


@dataclass(frozen=True, slots=True)
class Section:
    """A sheet of the workbook, a chapter of the page.

    Attributes:
        sheet: name of the sheet: at most 31 letters, without brackets, colons, stars, question marks and slashes.
        title: heading.
        blocks: what is in it.
    """

    sheet: str
    title: Text
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report.

    Attributes:
        title: what it is.
        company: whose.
        period: from when to before when, ns since 1970 UTC.
        generated_ns: when it was made, ns since 1970 UTC; the only thing by which two of the same data differ.
        sections: in order.
    """

    title: Text
    company: str
    period: Span
    generated_ns: int
    sections: tuple[Section, ...]
