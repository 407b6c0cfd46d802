"""A table of companies as CSV, as spreadsheets write it: UTF-8 or CP949, heads in Korean or by the names of fields."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

from viewer.book.facts import NAMES, Facts, Fault, checked
from viewer.csv_text import unguarded

MOST_ROWS: Final = 5000
HEADS: Final = {
    "company": "기업명", "registration": "사업자등록번호", "ksic": "업종코드", "town": "시군", "size": "규모",
    "programme": "사업유형", "year": "사업연도", "project": "과제번호", "level": "도입수준", "aim": "목표수준",
    "supplier": "공급기업", "coordinator": "코디네이터", "until": "수집기한", "cluster": "클러스터",
}  # fmt: skip
"""Field to its head in Korean."""


@dataclass(frozen=True, slots=True)
class RowFault:
    """What of a row cannot be.

    Attributes:
        row: as a spreadsheet counts it, the heads are row 1; 0 = the whole file.
        fault: what.
    """

    row: int
    fault: Fault


def read(
    data: bytes, known: Mapping[str, Facts], allowed: Collection[str] | None
) -> tuple[list[Facts], list[RowFault]]:
    """Facts of a file.

    Args:
        data: the file.
        known: what is known already: a column that is not there changes nothing.
        allowed: companies that may be changed; None = every one.

    Returns:
        The facts and what is wrong; with any fault nothing is to be kept.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp949", "replace")
    rows = csv.reader(io.StringIO(text))
    try:
        heads = [_field(one) for one in next(rows, [])]
        table = list(islice(rows, MOST_ROWS + 1))  # a file of empty lines takes 70 times its size
    except csv.Error:
        return [], [RowFault(0, Fault("company", "file"))]
    if "company" not in heads or len(heads) != len(set(heads)) or set(heads) - {"company", *NAMES}:
        return [], [RowFault(0, Fault("company", "heads"))]
    if len(table) > MOST_ROWS:
        return [], [RowFault(0, Fault("company", "many"))]
    found: dict[str, Facts] = {}
    faults: list[RowFault] = []
    for number, row in enumerate(table, start=2):
        if not any(cell.strip() for cell in row):
            continue
        said = dict(zip(heads, map(unguarded, row), strict=False))
        company = " ".join(said.pop("company", "").split())
        if not company or company in found or (allowed is not None and company not in allowed):
            faults.append(RowFault(number, Fault("company", "twice" if company in found else "company")))
            continue
        found[company], wrong = checked(company, said, known.get(company))
        faults += [RowFault(number, one) for one in wrong]
    return list(found.values()), faults


def _field(head: str) -> str:
    plain = "".join(head.split()).replace("·", "")
    return next((field for field, korean in HEADS.items() if plain in {field, korean}), plain)
