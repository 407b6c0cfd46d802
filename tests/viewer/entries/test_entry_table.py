"""CSV files: what is taken and what is not, by line."""

from __future__ import annotations

import codecs

import pytest

from tests.viewer.entries.said import NOW_NS, SITE
from viewer.entries.check import checked
from viewer.entries.table import MOST_BYTES, MOST_ROWS, Table, read_table

KOREAN = "구분,설비,사유,시작,종료,입력자\n비가동 사유,PRS-01,금형 교체,2026-11-22 08:00,2026-11-22 08:30,홍길동\n"
ENGLISH = "kind;machine;reason;start;end;author\nstop;PRS-01;die;2026-11-22 08:00;2026-11-22 08:30;홍길동\n"


def table(text: str | bytes, **given: str) -> Table:
    content = text.encode() if isinstance(text, str) else text
    return read_table(content, lambda raw: checked(raw, SITE, NOW_NS), given)


def faults(found: Table) -> list[tuple[int, str, str]]:
    return [(line, fault.where, fault.what) for line, fault in found.refused]


@pytest.mark.parametrize(
    "content",
    [KOREAN.encode(), codecs.BOM_UTF8 + KOREAN.encode(), KOREAN.encode("cp949"), KOREAN.replace(",", "\t").encode()],
    ids=["utf-8", "utf-8-bom", "cp949", "tab"],
)
def test_the_same_entries_however_it_is_saved(content: bytes) -> None:
    (one,) = table(content).entries
    (other,) = table(ENGLISH).entries
    assert table(content).whole
    assert one == other


def test_what_is_wrong_is_told_by_line_and_a_cell_may_have_two_lines() -> None:
    text = 'kind,value,start,author,"note\nmore"\n\ndefect,1,2026-11-22 08:00,a,\ndefect,x,2026-11-22,a,\ndefect,1,,a\n'
    found = table(text.replace('"note\nmore"', "note"))
    assert len(found.entries) == 1
    assert not found.whole
    assert faults(found) == [(4, "value", "number"), (5, "start", "needed")]
    two = table('kind,value,start,author,note\ndefect,1,2026-11-22,a,"b\nc"\ndefect,x,2026-11-22,a,\n')
    assert faults(two) == [(2, "note", "control"), (4, "value", "number")]


def test_files_that_are_none() -> None:
    assert faults(table("kind,value,colour,value\n")) == [(1, "colour", "heading"), (1, "value", "twice")]
    assert faults(table("kind,value\n")) == [(1, "", "no_rows")]
    assert faults(table("")) == [(1, "", "no_rows")]
    assert faults(table(b"kind\n\xff\xff\xff")) == [(2, "", "encoding")]
    assert faults(table('kind,value\n"defect,1\n'))[0][2] == "csv"
    assert faults(table("kind\ndefect,1\n")) == [(2, "", "cells")]
    assert faults(table(b"a" * (MOST_BYTES + 1))) == [(0, "", "large")]
    assert faults(table("kind\n" + "x\n" * (MOST_ROWS + 1)))[0][2] == "many"


def test_the_same_file_is_the_same_entries_and_rows_alike_are_two() -> None:
    twice = ENGLISH + ENGLISH.partition("\n")[2]
    first, second = table(twice).entries
    assert first.id != second.id
    assert [one.id for one in table(twice).entries] == [first.id, second.id]
    assert table(ENGLISH).entries[0].id == first.id


def test_what_no_row_says_is_given() -> None:
    text = '설비,불량수량,일시\nPRS-01,"1,200",2026-11-22 10:00\n'
    (one,) = table(text, kind="불량", author="김").entries
    assert (one.kind, one.value, one.author) == ("defect", 1200.0, "김")
    assert table(text, kind="불량", author="이").entries[0].id == one.id, (
        "who hands a file in makes no other entry of it"
    )


def test_an_id_stands_for_one_entry() -> None:
    """A cell that was filled down: the second row would not be kept, and nobody is told that it was."""
    name = "0b6f6ef2-3a47-5c1e-8f52-7d1c1f6a9e45"
    row = f"불량,PRS-01,{{}},2026-11-20 09:00,김,{name}\n"
    heads = "구분,설비,불량수량,일시,입력자,번호\n"
    assert faults(table(heads + row.format(3) + row.format(4))) == [(3, "id", "taken")]
    assert table(heads + row.format(3) + row.format(3)).whole


def test_of_a_million_headings_a_hundred_are_told() -> None:
    assert len(table(",".join(map(str, range(100_000))) + "\n").refused) == 100
    assert faults(table("a,a,a\n")) == [(1, "a", "heading"), (1, "a", "twice")]
