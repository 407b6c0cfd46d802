"""Data items to tags, observations to columns, conditions to alarms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from connectors.mtconnect.conditions import MOST_ACTIVE, Conditions
from connectors.mtconnect.decode import Devices, Observation, Streams, document
from connectors.mtconnect.plan import Bound, Kind, plan, url
from connectors.mtconnect.values import Columns, Memory
from pipelines.parts import MOST_PER_TAG, Parts
from pipelines.point import (
    BAD_CONFIGURATION_ERROR,
    BAD_DATA_ENCODING_UNSUPPORTED,
    BAD_NO_COMMUNICATION,
    BAD_NODE_ID_UNKNOWN,
    BAD_TYPE_MISMATCH,
    TagFacts,
)

from .device import connection
from .documents import CURRENT_1_3, PROBE_1_3, SAMPLE_2_2


def items(body: bytes = PROBE_1_3) -> Any:
    found = document(body)
    assert isinstance(found, Devices)
    return found.items


def observations(body: bytes) -> tuple[Observation, ...]:
    found = document(body)
    assert isinstance(found, Streams)
    return found.observations


def read(kind: Kind, *seen: Observation, parts: Parts | None = None) -> list[tuple[int, Any, int]]:
    """(row, value, status) of one tag, in the order of time within each type."""
    columns = Columns(Parts(1) if parts is None else parts, Memory())
    for one in seen:
        columns.take(Bound(0, kind), one)
    rows = []
    for scan in columns.scans():
        assert (np.diff(scan.time_ns) >= 0).all()
        rows += zip(scan.tag.tolist(), scan.value.tolist(), scan.status.tolist(), strict=True)
    return rows


def seen(text: str, element: str = "X", **more: Any) -> Observation:
    return Observation("i", more.pop("category", "EVENT"), element, more.pop("time_ns", 1), 1, text, more)


# ── plan ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_tags_are_found_by_id_and_by_unique_name() -> None:
    found = plan(connection("http://a:1", "c2", "Sovr", "x4", "block", "pc", "fovr", "Ppos"), items())
    assert {key: one[0].kind for key, one in found.tags.items()} == {
        "c2": Kind.FLOAT, "c3": Kind.FLOAT, "x4": Kind.LEVEL, "cn2": Kind.TEXT, "pc": Kind.INT, "fovr": Kind.FLOAT,
        "Ppos": Kind.SPACE,
    }  # fmt: skip
    assert not found.refused
    assert found.facts[0] == TagFacts("rpm", None, None, "SPINDLE_SPEED ACTUAL", "SAMPLE")


def test_unknown_ambiguous_and_unreadable_spare_the_others() -> None:
    twice = PROBE_1_3.replace(b'name="tool_id"', b'name="block"')
    series = twice.replace(b'id="c3"', b'id="c3" representation="TIME_SERIES"')
    found = plan(connection("http://a:1", "nowhere", "block", "c3", "c2"), items(series))
    assert found.refused == {0: BAD_NODE_ID_UNKNOWN, 1: BAD_CONFIGURATION_ERROR, 2: BAD_DATA_ENCODING_UNSUPPORTED}
    assert list(found.tags) == ["c2"]


def test_events_name_conditions_and_nothing_else() -> None:
    settings = connection("http://a:1", events=[{}, {"data_item": "Xload"}, {"data_item": "block"}])
    found = plan(settings, items())
    assert found.alarms == {"x4": ((0, "Xload"), (1, "Xload")), "clc": ((0, "clc"),)}
    assert found.unknown == ("block",)


def test_addresses() -> None:
    plain = connection("http://a:1/")
    assert url(plain, "sample", from_=7, count=3) == "http://a:1/sample?from=7&count=3"
    assert url(connection("https://a:1/x", device="기계"), "probe") == "https://a:1/x/%EA%B8%B0%EA%B3%84/probe"
    assert plain.moved("b", 2).endpoint == "http://b:2"


# ── values ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "text", "value", "status"),
    [
        (Kind.FLOAT, "1.5", 1.5, 0),
        (Kind.FLOAT, "-2", -2.0, 0),
        (Kind.FLOAT, ".5E-3", 0.0005, 0),
        (Kind.FLOAT, "1_0", 0.0, BAD_TYPE_MISMATCH),
        (Kind.FLOAT, "", 0.0, BAD_TYPE_MISMATCH),
        (Kind.FLOAT, "1,5", 0.0, BAD_TYPE_MISMATCH),
        (Kind.FLOAT, "UNAVAILABLE", 0.0, BAD_NO_COMMUNICATION),
        (Kind.INT, "17", 17, 0),
        (Kind.INT, "17.0", 17, 0),
        (Kind.INT, "17.5", 0, BAD_TYPE_MISMATCH),
        (Kind.INT, "99999999999999999999", 0, BAD_TYPE_MISMATCH),
        (Kind.TEXT, "", "", 0),
        (Kind.TEXT, "가공", "가공", 0),
        (Kind.TEXT, "unavailable", "", BAD_NO_COMMUNICATION),
        (Kind.LEVEL, "UNAVAILABLE", "", BAD_NO_COMMUNICATION),
    ],
)
def test_text_to_value(kind: Kind, text: str, value: Any, status: int) -> None:
    assert read(kind, seen(text)) == [(0, value, status)]


def test_a_position_has_three_parts() -> None:
    parts = Parts(1)
    rows = read(Kind.SPACE, seen("1.5 -2 3"), seen("2 -2 3", time_ns=2), parts=parts)
    assert rows == [(0, "[3]", 0), (1, 1.5, 0), (2, -2.0, 0), (3, 3.0, 0), (1, 2.0, 0), (2, -2.0, 0), (3, 3.0, 0)]
    assert parts.since(0) == [(0, "_x"), (0, "_y"), (0, "_z")]
    assert {row[2] for row in read(Kind.SPACE, seen("UNAVAILABLE"))} == {BAD_NO_COMMUNICATION}
    assert {row[2] for row in read(Kind.SPACE, seen("1 2")) if row[0]} == {BAD_TYPE_MISMATCH}


def test_entries_of_a_set_are_parts_and_go_when_removed() -> None:
    parts = Parts(1)
    two = [one for one in observations(SAMPLE_2_2) if one.item == "vars"]
    rows = read(Kind.SET, *two, parts=parts)
    names = [suffix for _, suffix in parts.since(0)]
    assert names == ["_a_b", "_name", "_c"]
    assert sorted(rows, key=str) == sorted(
        [(0, "{2}", 0), (1, 1.5, 0), (2, "O1", 0), (1, 0.0, BAD_NODE_ID_UNKNOWN), (3, 2.0, 0)], key=str
    )
    gone = seen("UNAVAILABLE", time_ns=two[1].time_ns + 1)
    rows = read(Kind.SET, *two, gone, parts=parts)
    assert [row[2] for row in rows if row[0] in {2, 3}].count(BAD_NO_COMMUNICATION) == 2


def test_cells_of_a_table() -> None:
    parts = Parts(1)
    (table,) = [one for one in observations(SAMPLE_2_2) if one.item == "offsets"]
    assert read(Kind.SET, table, parts=parts) == [(0, "{2}", 0), (1, 1.0, 0), (2, -2.0, 0)]
    assert parts.since(0) == [(0, "_G54_X"), (0, "_G54_Y")]


def test_entries_beyond_the_parts_of_a_tag_are_not_remembered() -> None:
    memory, parts = Memory(), Parts(1)
    columns = Columns(parts, memory)
    entries: dict[str, str | None] = {f"k{number}": "1" for number in range(5000)}
    columns.take(Bound(0, Kind.SET), Observation("i", "EVENT", "X", 1, 1, "", {}, entries))
    assert len(memory.entries[0]) == len(parts) == MOST_PER_TAG


def test_a_text_no_store_takes_is_bad() -> None:
    assert read(Kind.TEXT, seen("가" * 21_845)) == [(0, "가" * 21_845, 0)]
    assert read(Kind.TEXT, seen("가" * 21_846)) == [(0, "", 0x8008_0000)]


# ── conditions ──────────────────────────────────────────────────────────────────────────────────────────────────────


def condition(element: str, code: str = "", text: str = "") -> Observation:
    return seen(text, element, category="CONDITION", **({"nativeCode": code} if code else {}))


def test_several_faults_of_one_condition() -> None:
    state, sources = Conditions(), [(0, "system")]
    level, events = state.take(condition("Warning", "A", "oil low"), sources)
    assert level == "Warning"
    assert events[0].alarm == "system.A"
    assert events[0].fields == {
        "event": "Warning", "active": True, "severity": 500, "message": "oil low", "native_code": "A",
    }  # fmt: skip
    assert state.take(condition("Fault", "B"), sources)[0] == "Fault"
    level, events = state.take(condition("Normal", "B"), sources)
    assert (level, [(one.alarm, one.fields["active"]) for one in events]) == ("Warning", [("system.B", False)])
    level, events = state.take(condition("Normal"), sources)
    assert level == "Normal"
    assert {(one.alarm, one.fields["active"]) for one in events} == {("system.A", False), ("system", False)}
    assert not state.active


def test_unavailable_says_nothing_of_active() -> None:
    state = Conditions({"i": {"A": "Fault"}})
    level, (event,) = state.take(condition("Unavailable"), [(0, "system")])
    assert level == "UNAVAILABLE"
    assert event.fields == {"event": "Unavailable"}


def test_codes_that_never_end_do_not_fill_the_memory() -> None:
    state = Conditions()
    for number in range(10_000):
        state.take(condition("Fault", f"{number} " * 100), [(0, "s")])
    assert len(state.active["i"]) == MOST_ACTIVE
    assert max(map(len, state.active["i"])) == 128


def test_a_snapshot_ends_what_it_does_not_hold() -> None:
    state = Conditions({"i": {"A": "Fault", "B": "Warning"}})
    level, events = state.snapshot([condition("Warning", "B"), condition("Warning", "C")], [(0, "s")])
    assert level == "Warning"
    assert [(one.alarm, one.fields["active"]) for one in events] == [("s.A", False), ("s.B", True), ("s.C", True)]
    assert state.active == {"i": {"B": "Warning", "C": "Warning"}}


def test_condition_ids_come_before_native_codes() -> None:
    state = Conditions()
    levels = [state.take(one, [])[0] for one in observations(SAMPLE_2_2) if one.item == "sys"]
    assert levels == ["Fault", "Fault", "Fault"]
    assert state.active == {"sys": {"c-2": "Fault"}}


def test_the_example_of_the_standard() -> None:
    state = Conditions()
    for one in observations(CURRENT_1_3):
        if one.item == "clc":
            state.take(one, [])
    assert state.active == {"clc": {"PLC-5": "Fault", "PLC-9": "Warning"}}
