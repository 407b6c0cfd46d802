"""Rows of parts: numbered once, refused when their name cannot be a field's."""

from __future__ import annotations

from pipelines.parts import MOST_PER_TAG, Parts, part_settings
from pipelines.settings import Deadband, Range, TagSettings


def test_rows_follow_the_tags_and_stay() -> None:
    parts = Parts(3)
    assert [parts.row(1, "_0"), parts.row(0, "_speed"), parts.row(1, "_0")] == [3, 4, 3]
    assert parts.since(1) == [(0, "_speed")]
    assert len(parts) == 2


def test_a_name_that_is_taken_or_reserved_gets_no_row() -> None:
    parts = Parts(2, ["press/temp", "press/temp_0"])
    assert parts.row(0, "_0") is None
    assert parts.row(0, "_quality") is None
    assert parts.row(0, "_a b") is None
    assert parts.row(0, "_" + "x" * 124) is None
    assert parts.row(0, "_1") == 2


def test_a_tag_has_at_most_so_many_parts() -> None:
    parts = Parts(1)
    assert [parts.row(0, f"_{index}") for index in range(MOST_PER_TAG)] == list(range(1, MOST_PER_TAG + 1))
    assert parts.row(0, "_more") is None
    assert parts.row(0, "_7") == 8


def test_elements_are_measured_like_their_array_and_fields_are_not() -> None:
    tag = TagSettings(
        name="zone",
        machine="furnace",
        engineering_unit="℃",
        scale=0.1,
        offset=-4.0,
        range=Range(low=0, high=900),
        deadband=Deadband(type="absolute", value=1),
        stale_after_s=5,
    )
    element = part_settings(tag, "_2")
    assert (element.name, element.scale, element.range, element.stale_after_s) == ("zone_2", 0.1, tag.range, None)
    total = part_settings(tag, "_total")
    assert (total.scale, total.offset, total.range, total.engineering_unit) == (0.1, 0.0, None, "℃")
    field = part_settings(tag, "_mode")
    assert (field.scale, field.deadband, field.engineering_unit, field.machine) == (1.0, None, "", "furnace")
