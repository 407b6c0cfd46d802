"""What is taken and what is not, whichever way it came in."""

from __future__ import annotations

from typing import Any

import pytest

from tests.viewer.entries.said import DEFECT, NOW_NS, SITE, STOP, entry
from viewer.entries.check import checked
from viewer.entries.faults import _TEXTS, EntryRefused
from viewer.entries.kinds import FIELDS, KINDS, label_of
from viewer.entries.model import Entry, fresh_id
from viewer.entries.times import moment_ns, written

WORST: list[tuple[dict[str, Any], set[tuple[str, str]]]] = [
    ({**DEFECT, "kind": "weather"}, {("kind", "unknown")}),
    ({**DEFECT, "value": ""}, {("value", "needed")}),
    ({**DEFECT, "value": "three"}, {("value", "number")}),
    ({**DEFECT, "value": True}, {("value", "number")}),
    ({**DEFECT, "value": "-1"}, {("value", "low")}),
    ({**DEFECT, "value": "1e13"}, {("value", "high")}),
    ({**DEFECT, "value": "nan"}, {("value", "number")}),
    ({**DEFECT, "of": "2"}, {("value", "part")}),
    ({**DEFECT, "start": "yesterday"}, {("start", "moment")}),
    ({**DEFECT, "start": "2026-11-22 12:11"}, {("start", "future")}),
    ({**DEFECT, "start": "1999-11-22 12:11"}, {("start", "early")}),
    ({**DEFECT, "start": 1.5}, {("start", "moment")}),
    ({**DEFECT, "machine": "PRS-09"}, {("machine", "unknown")}),
    ({**DEFECT, "machine": "a b"}, {("machine", "name")}),
    ({**DEFECT, "line": "가공라인"}, {("machine", "elsewhere")}),
    ({**DEFECT, "machine": "", "line": "없는라인"}, {("line", "unknown")}),
    ({**DEFECT, "customer": "A"}, {("customer", "not_for_kind")}),
    ({**DEFECT, "colour": "red"}, {("colour", "no_field")}),
    ({**DEFECT, "note": "a\nb"}, {("note", "control")}),
    ({**DEFECT, "note": "a" * 201}, {("note", "long")}),
    ({**DEFECT, "lot": ["a"]}, {("lot", "text")}),
    ({**DEFECT, "author": " "}, {("author", "needed")}),
    ({**DEFECT, "id": "7"}, {("id", "uuid")}),
    ({**DEFECT, "withdrawn": "true"}, {("replaces", "needed")}),
    ({**DEFECT, "withdrawn": "perhaps"}, {("withdrawn", "flag")}),
    ({**STOP, "machine": ""}, {("machine", "needed")}),
    ({**STOP, "reason": "lunch"}, {("reason", "unknown")}),
    ({**STOP, "end": "2026-11-22 09:00"}, {("end", "order")}),
    ({**STOP, "start": "2026-10-01"}, {("end", "span")}),
    ({"kind": "order", "order": "A-1", "author": "a"}, {("", "no_moment")}),
    ({"kind": "order", "order": "A-1", "author": "a", "due": "2028-01-01"}, {("due", "far")}),
    (
        {"kind": "crew", "value": 3, "start": "2027-01-01", "end": "2027-01-02", "author": "a"},
        {("start", "far"), ("end", "far")},
    ),
    ({"kind": "order", "order": "A-1", "author": "a", "shipped": "2026-11-23"}, {("shipped", "future")}),
    ({"kind": "inspection", "value": 0, "of": 0, "start": "2026-11-22", "author": "a"}, {("of", "nothing")}),
]


@pytest.mark.parametrize(("raw", "faults"), WORST, ids=[next(iter(f))[1] for _, f in WORST])
def test_what_is_wrong_is_named(raw: dict[str, Any], faults: set[tuple[str, str]]) -> None:
    with pytest.raises(EntryRefused) as refused:
        checked({"id": fresh_id(), **raw}, SITE, NOW_NS)
    assert {(one.where, one.what) for one in refused.value.faults} == faults
    for one in refused.value.faults:
        assert one.line("ko") != one.line("en")
        assert "{" not in one.line("ko") + one.line("en")


def test_every_text_of_a_fault_has_a_case() -> None:
    of_files = {"large", "many", "encoding", "csv", "no_rows", "cells", "heading", "twice", "object"}
    of_chains = {"own", "other_kind", "taken"}
    assert {what for _, faults in WORST for _, what in faults} | of_files | of_chains == _TEXTS.keys()


def test_an_id_that_is_kept_with_something_else_is_refused() -> None:
    """A form that was sent, altered and sent again is one entry; the altered one was not saved, and that is said."""
    kept = entry()
    again = {**DEFECT, "id": kept.id}
    known = {kept.id: Entry.model_construct(**kept.model_dump(exclude_defaults=True))}.get
    assert checked(again, SITE, NOW_NS, known) == kept, "a second tap"
    assert checked({**again, "author": "이"}, SITE, NOW_NS, known).id == kept.id
    for more in ({"value": "4"}, {"note": "x"}, {"machine": "PRS-02"}, {"start": "2026-11-22 10:01"}):
        with pytest.raises(EntryRefused) as refused:
            checked({**again, **more}, SITE, NOW_NS, known)
        assert [(one.where, one.what) for one in refused.value.faults] == [("id", "taken")]


def test_everything_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(EntryRefused) as refused:
        checked({"id": fresh_id(), "kind": "stop", "machine": "X", "reason": "Y", "author": "a"}, SITE, NOW_NS)
    assert {one.where for one in refused.value.faults} == {"machine", "reason", "start"}


def test_the_line_of_a_machine_is_known() -> None:
    assert entry().line == "프레스라인"
    assert entry(machine="", line="가공라인").machine is None


def test_a_reason_may_be_written_as_people_see_it() -> None:
    assert [entry(STOP, reason=one).reason for one in ("die", "금형 교체", "Die change")] == ["die"] * 3
    assert entry(reason="찍힘").reason == "찍힘", "the site lists no types of defects"


def test_a_site_without_file_takes_any_machine() -> None:
    from viewer.entries.site import EntrySite  # noqa: PLC0415 - only here

    assert checked({"id": fresh_id(), **DEFECT, "machine": "M1"}, EntrySite("a", "b"), NOW_NS).machine == "M1"


def test_numbers_and_texts_are_taken_as_json_and_as_tables_have_them() -> None:
    both = [entry(value=1200, lot=240117), entry(value="1,200", lot=" 240117 ")]
    assert [(one.value, one.lot) for one in both] == [(1200.0, "240117")] * 2


def test_a_correction_is_of_another_entry_of_the_same_kind() -> None:
    before = entry()
    known = {before.id: before}.get
    after = checked({"id": fresh_id(), **DEFECT, "replaces": before.id}, SITE, NOW_NS, known)
    assert after.replaces == before.id
    for raw, what in (
        ({"id": fresh_id(), **STOP, "replaces": before.id}, "other_kind"),
        ({**DEFECT, "id": before.id, "replaces": before.id}, "own"),
    ):
        with pytest.raises(EntryRefused) as refused:
            checked(raw, SITE, NOW_NS, known)
        assert [one.what for one in refused.value.faults] == [what]


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2026-11-22 08:30", "2026-11-21T23:30:00"),
        ("2026.11.22 8:30:15", "2026-11-21T23:30:15"),
        ("2026/1/2", "2026-01-01T15:00:00"),
        ("2026. 1. 2. 08:30", "2026-01-01T23:30:00"),
        ("2026년 1월 2일 8:30", "2026-01-01T23:30:00"),
        ("2026-11-22T08:30:00.250+00:00", "2026-11-22T08:30:00.250"),
        ("2026-11-22T08:30Z", "2026-11-22T08:30:00"),
    ],
)
def test_moments(text: str, iso: str) -> None:
    assert moment_ns(text) == moment_ns(f"{iso}+00:00")
    assert moment_ns(written(moment_ns(text))) == moment_ns(text) // 10**9 * 10**9


@pytest.mark.parametrize("text", ["", "8:30", "2026-13-01", "2026-11-22 25:00", "22.11.2026", "1763800000"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match=r"moment|must be|Invalid|hour|month"):
        moment_ns(text)


def test_every_field_of_every_kind_is_one_and_has_a_name() -> None:
    assert FIELDS.keys() == Entry.model_fields.keys()
    for kind in KINDS.values():
        for field in kind.fields:
            assert field in Entry.model_fields
            assert label_of(kind, field).ko
        assert ("value" in kind.fields) == (kind.value is not None)
        assert ("of" in kind.fields) == (kind.of is not None)
        assert ("reason" in kind.fields) == (kind.reason is not None)
