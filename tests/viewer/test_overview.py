"""States, freshness and values: what is not known is never shown as if it were."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.point import BAD_NO_COMMUNICATION, UNCERTAIN
from viewer.catalog import Catalog
from viewer.kpi.freshness import Freshness, freshness_of
from viewer.overview import NS, Badge, MachineView, Summary, is_bad, overview
from viewer.stores.base import Latest, Place

NOW = 1_700_000_000 * NS


def site(tag: dict[str, Any] | None = None, machines: tuple[str, ...] = ("M",)) -> dict[str, Any]:
    tags = [{"name": "state", **(tag or {})}, {"name": "v"}]
    connections = [{"machine": name, "period_s": 1.0, "tags": tags} for name in machines]
    return {
        "company": "C",
        "site": "S",
        "machines": {name: {"state": {"tag": "state"}} for name in machines},
        "connections": connections,
    }


def reading(
    field: str, value: Any, age_s: float, status: int = 0, machine: str = "M", measurement: str = "press"
) -> Latest:
    time_ns = NOW - int(age_s * NS)
    return Latest(Place("C", "S", "", machine, measurement), field, value, time_ns, status, time_ns)


def said(code: Any, age_s: float, machine: str = "M") -> Latest:
    return reading("code", code, age_s, machine=machine, measurement="state")


def one(*latest: Latest, catalog: Catalog | None = None) -> MachineView:
    return overview(latest, catalog or Catalog.of([site()]), NOW)[0]


@pytest.mark.parametrize(
    ("age_s", "word"),
    [
        (0, Freshness.OK),
        (59, Freshness.OK),
        (60, Freshness.DELAYED),
        (61, Freshness.DELAYED),
        (599, Freshness.DELAYED),
        (600, Freshness.LOST),
        (86_399, Freshness.LOST),
        (86_400, Freshness.NONE),
        (None, Freshness.NONE),
    ],
)
def test_freshness_by_age(age_s: float | None, word: Freshness) -> None:
    assert freshness_of(None if age_s is None else NOW - int(age_s * NS), NOW) is word


def test_a_machine_never_seen_is_not_collected() -> None:
    view = one()
    assert (view.state, view.freshness, view.seen_ns) == (0, Freshness.NONE, None)
    assert [tag.value for tag in view.tags] == [None, None]


def test_a_fresh_state_is_shown() -> None:
    view = one(said(4, 1), reading("v", 1.0, 0))
    assert (view.state, view.states) == (4, Place("C", "S", "", "M", "state"))


def test_an_old_state_says_nothing() -> None:
    assert one(said(1, 90)).state == 1
    assert one(said(1, 90.1), reading("v", 1.0, 0)).state == 0


@pytest.mark.parametrize("code", [9, -1, "RUN", None])
def test_a_code_that_is_none_is_unknown(code: Any) -> None:
    assert one(said(code, 1)).state == 0


def test_a_raw_state_is_a_value_like_others() -> None:
    view = one(reading("state", 1, 1))
    assert (view.state, view.states, view.tags[0].value) == (0, None, 1)


def test_a_bad_reading_has_no_value_and_an_uncertain_one_has() -> None:
    view = one(reading("state", 1, 1, BAD_NO_COMMUNICATION), reading("v", 2.5, 1, UNCERTAIN))
    assert [(tag.value, tag.status) for tag in view.tags] == [(None, BAD_NO_COMMUNICATION), (2.5, UNCERTAIN)]


def heartbeat(age_s: float, agent: str = "A", line: str = "") -> Latest:
    time_ns = NOW - int(age_s * NS)
    return Latest(Place("C", "S", line, agent, "agent"), "queued", 0, time_ns, 0, time_ns)


def told_bad(field: str, value: Any, good_s: float, bad_s: float, machine: str = "M") -> Latest:
    """A tag whose last good reading is older than the bad one."""
    place = Place("C", "S", "", machine, "press")
    return Latest(place, field, value, NOW - int(good_s * NS), BAD_NO_COMMUNICATION, NOW - int(bad_s * NS))


ON_CHANGE = Catalog.of([site({"mode": "subscribe"}, ("M", "N"))])
"""Machines with a state on change and a polled `v`."""


def test_a_machine_whose_every_tag_is_bad_is_lost_at_once() -> None:
    view = one(told_bad("state", 1, 13, 12), told_bad("v", 1.0, 13, 12))
    assert (view.freshness, view.seen_ns, view.badge) == (Freshness.LOST, NOW - 13 * NS, Badge.LOST)
    assert one(told_bad("state", 1, 13, 12), reading("v", 1.0, 13)).freshness is Freshness.OK
    never_good = Latest(Place("C", "S", "", "M", "press"), "v", None, None, BAD_NO_COMMUNICATION, NOW)
    assert (one(never_good).freshness, one(never_good).seen_ns) == (Freshness.LOST, None)


def test_a_value_stored_with_a_bad_quality_is_no_sign_of_life() -> None:
    view = one(reading("v", 1.0, 1, BAD_NO_COMMUNICATION), reading("state", 1, 700))
    assert (view.freshness, view.seen_ns) == (Freshness.LOST, NOW - 700 * NS)


def test_an_uncertain_reading_is_a_sign_of_life() -> None:
    assert one(reading("v", 1.0, 1, UNCERTAIN)).freshness is Freshness.OK


def test_a_field_no_longer_configured_does_not_keep_a_machine_connected() -> None:
    assert one(told_bad("v", 1.0, 13, 12), reading("old_name", 1.0, 13)).freshness is Freshness.LOST


def test_what_is_on_change_is_fresh_while_its_agent_is_alive() -> None:
    old = reading("state", 2, 3000)
    assert one(old, catalog=ON_CHANGE).freshness is Freshness.LOST
    for age_s in (0, 11, 29.9):
        view = one(old, heartbeat(age_s), catalog=ON_CHANGE)
        assert (view.freshness, view.seen_ns) == (Freshness.OK, NOW - int(age_s * NS))
    assert one(old, heartbeat(30), catalog=ON_CHANGE).freshness is Freshness.LOST


def test_a_heartbeat_says_nothing_of_bad_of_polled_and_of_unknown_tags() -> None:
    bad = reading("state", 2, 3000, BAD_NO_COMMUNICATION)
    assert one(bad, heartbeat(1), catalog=ON_CHANGE).badge is Badge.LOST
    assert one(bad, reading("v", 1.0, 3000), heartbeat(1), catalog=ON_CHANGE).freshness is Freshness.LOST
    assert one(reading("state", 2, 3000), heartbeat(1)).badge is Badge.LOST
    assert one(reading("old_name", 2, 3000), heartbeat(1), catalog=ON_CHANGE).badge is Badge.LOST


def test_another_machine_is_no_sign_of_life() -> None:
    view = one(reading("state", 2, 3000), reading("v", 1.0, 1, machine="N"), catalog=ON_CHANGE)
    assert view.freshness is Freshness.LOST
    own = one(reading("state", 2, 3000), reading("v", 1.0, 1), catalog=ON_CHANGE)
    assert own.freshness is Freshness.OK


def test_a_live_agent_does_not_hide_a_dead_one() -> None:
    old = reading("state", 2, 3000)
    both = one(old, heartbeat(1), heartbeat(20, "B"), catalog=ON_CHANGE)
    assert (both.freshness, both.seen_ns) == (Freshness.OK, NOW - 20 * NS)
    assert one(old, heartbeat(1), heartbeat(31, "B"), catalog=ON_CHANGE).badge is Badge.LOST
    assert one(old, heartbeat(1), heartbeat(86_399, "B"), catalog=ON_CHANGE).badge is Badge.LOST
    assert one(old, heartbeat(1), heartbeat(86_400, "B"), catalog=ON_CHANGE).freshness is Freshness.OK
    moved = one(old, heartbeat(1, line="L2"), heartbeat(500, line="L1"), catalog=ON_CHANGE)
    assert moved.freshness is Freshness.OK


def test_an_agent_of_another_site_is_not_asked() -> None:
    elsewhere = Latest(Place("C", "T", "", "A", "agent"), "queued", 0, NOW, 0, NOW)
    assert one(reading("state", 2, 3000), elsewhere, catalog=ON_CHANGE).badge is Badge.LOST


@pytest.mark.parametrize(
    ("latest", "badge"),
    [
        ([], Badge.NONE),
        ([said(1, 1), reading("v", 1.0, 1)], 1),
        ([said(9, 1), reading("v", 1.0, 1)], Badge.UNKNOWN),
        ([said(1, 91), reading("v", 1.0, 1)], Badge.UNKNOWN),
        ([said(1, 1), reading("v", 1.0, 601)], Badge.LOST),
        ([said(1, 1)], Badge.NONE),
        ([said(0, 1), reading("v", 1.0, 1)], Badge.UNKNOWN),
    ],
)
def test_a_card_has_one_word_that_fits_its_freshness(latest: list[Latest], badge: int | Badge) -> None:
    assert one(*latest).badge == badge


def test_a_fresh_empty_store_has_no_machine_with_communication_lost() -> None:
    summary = Summary.of(overview([], Catalog.of([site(None, ("M", "N"))]), NOW))
    assert (summary.total, summary.freshness[Freshness.NONE], summary.freshness[Freshness.OK]) == (2, 2, 0)
    assert summary.badges == {Badge.NONE: 2}


def test_lost_machines_without_a_state_tag_are_counted() -> None:
    plain = {"company": "C", "site": "S", "connections": [{"machine": "M", "tags": [{"name": "kw"}]}]}
    views = overview([told_bad("kw", 1.0, 13, 12), told_bad("v", 1, 13, 12, "X")], Catalog.of([plain]), NOW)
    assert [view.state for view in views] == [None, None]
    assert Summary.of(views).badges == {Badge.LOST: 2}
    assert Summary.of(views).freshness[Freshness.OK] == 0


AGES = st.sampled_from([0.0, 9, 12, 31, 61, 599, 601, 90_000])
STATUSES = st.sampled_from([0, UNCERTAIN, BAD_NO_COMMUNICATION])
MIXES = st.lists(
    st.one_of(
        st.builds(reading, st.sampled_from(["state", "v"]), st.integers(0, 9), AGES, STATUSES, st.sampled_from("MNOP")),
        st.builds(said, st.integers(0, 9), AGES, st.sampled_from("MNOP")),
    ),
    max_size=12,
)


@given(MIXES, st.lists(st.builds(heartbeat, AGES, st.sampled_from("AB")), max_size=3), st.booleans())
def test_the_numbers_of_the_header_are_those_of_the_cards(
    latest: list[Latest], heartbeats: list[Latest], on_change: bool
) -> None:
    catalog = Catalog.of([site({"mode": "subscribe"} if on_change else None, ("M", "N", "O"))])
    views = overview([*latest, *heartbeats], catalog, NOW)
    summary = Summary.of(views)
    assert summary.total == len(views) == sum(summary.freshness.values()) == sum(summary.badges.values())
    assert summary.badges.get(Badge.LOST, 0) == summary.freshness[Freshness.LOST]
    assert summary.badges.get(Badge.NONE, 0) == summary.freshness[Freshness.NONE]
    assert not {view.info.name for view in views} & {"A", "B"}
    for view in views:
        told = [tag for tag in view.tags if tag.told_ns is not None]
        if told and all(is_bad(tag.status) for tag in told):
            assert view.freshness is Freshness.LOST
        assert (view.freshness is Freshness.NONE) or told


def test_what_only_the_store_knows_is_shown_by_its_name() -> None:
    latest = [
        reading("kw", 1.5, 1, machine="X"),
        reading("spm", 1, 1, measurement="gap"),
        reading("up", 1, 1, machine="A", measurement="agent"),
    ]
    views = overview(latest, Catalog.of([]), NOW)
    assert [(view.info.name, view.state, view.freshness) for view in views] == [("X", None, Freshness.OK)]


def test_a_machine_without_a_state_tag_has_no_state_and_one_with_a_silent_one_is_lost() -> None:
    plain = {"machines": {"M": {}}, "connections": [{"machine": "M", "tags": [{"name": "kw"}]}]}
    mapped = {"machines": {"M": {"state": {"tag": "mode"}}}}
    assert overview([], Catalog.of([plain]), NOW)[0].state is None
    assert overview([], Catalog.of([mapped]), NOW)[0].state == 0
