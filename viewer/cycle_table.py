"""Records of cycles as people read them: values with their units, lot and product, verdict by the specification.

The same of pages and of files. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from viewer.catalog import MachineInfo, QualityInfo
from viewer.query.cycles import Column, Cycle
from viewer.query.lots import Said, said
from viewer.stores.base import Value
from viewer.words import Words, local, number_text


@dataclass(frozen=True, slots=True)
class Row:
    """A cycle.

    Attributes:
        cycle: its record.
        lot: None = nobody knows.
        product: the same.
        verdict: `in`, `low`, `high`, or `none` where the value is missing; empty = nothing judges this machine.
        values: of the columns that are shown; None = the record lacks it.
    """

    cycle: Cycle
    lot: Said | None
    product: Said | None
    verdict: str
    values: tuple[Value | None, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Cycles in the order in which they were given.

    Attributes:
        columns: values that are shown: all but lot and product, which have columns of their own; the value by which the
            process is judged is the first one.
        rows: the cycles.
        judged: the value by which the process is judged; None = by nothing.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    judged: QualityInfo | None

    @property
    def leading(self) -> int:
        """How many of the columns stand before lot and product: the value by which the process is judged."""
        return int(self.judged is not None and bool(self.columns) and self.columns[0].field == self.judged.field)

    @property
    def has_lots(self) -> bool:
        """Whether any lot is known."""
        return any(row.lot for row in self.rows)

    @property
    def has_products(self) -> bool:
        """Whether any product is known."""
        return any(row.product for row in self.rows)


def verdict(value: Value | None, quality: QualityInfo | None) -> str:
    """How a value lies to the specification: see `Row.verdict`."""
    if quality is None:
        return ""
    if value is None or isinstance(value, str):
        return "none"
    if quality.low is not None and value < quality.low:
        return "low"
    return "high" if quality.high is not None and value > quality.high else "in"


def table_of(
    machine: MachineInfo,
    columns: Sequence[Column],
    cycles: Sequence[Cycle],
    made: Sequence[tuple[Said | None, Said | None]],
) -> Table:
    """Cycles as a table.

    Args:
        machine: whose cycles they are.
        columns: of which the cycles have values.
        cycles: in any order.
        made: lot and product of each, as far as they stand beside the record; what the record says goes before.
    """
    sources = [one.source for one in columns]
    lot, product = (
        sources.index(ref) if ref is not None and ref in sources else None for ref in (machine.lot, machine.product)
    )
    judged = next(
        (at for at, one in enumerate(columns) if machine.quality and one.field == machine.quality.field), None
    )
    shown = sorted((at for at in range(len(columns)) if at not in {lot, product}), key=lambda at: at != judged)
    rows = [
        Row(
            cycle,
            _own(cycle, lot) or beside[0],
            _own(cycle, product) or beside[1],
            verdict(None if judged is None else cycle.values[judged], machine.quality),
            tuple(cycle.values[at] for at in shown),
        )
        for cycle, beside in zip(cycles, made, strict=True)
    ]
    return Table(tuple(columns[at] for at in shown), tuple(rows), machine.quality)


def _own(cycle: Cycle, at: int | None) -> Said | None:
    value = None if at is None else cycle.values[at]
    return None if value is None or value == "" else Said(said(value))


def value_text(words: Words, column: Column, value: Value | None) -> str:
    """A value as it is shown; most of what has no known digits is whole."""
    if value is None or isinstance(value, str):
        return words.value(value)
    if column.tag.decimals is None and float(value).is_integer():
        return number_text(int(value))
    return number_text(float(value), column.tag.decimals)


def spec_of(machine: MachineInfo, columns: Sequence[Column]) -> str:
    """The specification of the value by which a machine's process is judged, in signs; empty = nothing judges it."""
    if machine.quality is None:
        return ""
    unit = next((one.tag.unit for one in columns if one.field == machine.quality.field), "")
    low, high = (None if one is None else f"{one:g}" for one in (machine.quality.low, machine.quality.high))
    text = f"{low} – {high}" if low and high else f"≥ {low}" if low else f"≤ {high}"
    return f"{text} {unit}".strip()


def csv_rows(table: Table, words: Words) -> list[list[str]]:
    """A head and a row for each cycle, oldest first; numbers as they were stored, times in KST (ISO 8601)."""
    head = [words("cycles_csv_time"), "number", "counts", "duration_s", words("cycles_lot"), words("cycles_product")]
    head += [_head(words, one) for one in table.columns]
    head += [words("cycles_verdict")] if table.judged else []
    return [head, *(_csv_row(row, table, words) for row in table.rows)]


def _head(words: Words, column: Column) -> str:
    label = words.label(column.tag.label, column.field)
    name = label if label == column.field else f"{label} ({column.field})"
    return f"{name} [{column.tag.unit}]" if column.tag.unit else name


def _csv_row(row: Row, table: Table, words: Words) -> list[str]:
    cycle = row.cycle
    cells = [local(cycle.time_ns).isoformat(timespec="milliseconds"), _plain(cycle.number), _plain(cycle.counts)]
    cells += [_plain(cycle.duration_s), *(one.text if one else "" for one in (row.lot, row.product))]
    cells += [_plain(value) for value in row.values]
    return [*cells, words(f"cycles_verdict_{row.verdict}")] if table.judged else cells


def _plain(value: Value | None) -> str:
    return "" if value is None else str(value)
