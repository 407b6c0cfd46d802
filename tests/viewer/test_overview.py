"""States, freshness and values: what is not known is never shown as if it were."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.point import BAD_NO_COMMUNICATION, UNCERTAIN
from viewer.catalog import Catalog
from viewer.overview import NS, Freshness, MachineView, freshness_of, overview
from viewer.stores.base import Latest, Place

NOW = 1_700_000_000 * NS


def site(tag: dict[str, Any] | None = None, machines: tuple[str, ...] = ("M",)) -> dict[str, Any]:
    tags = [{"name": "state", **(tag or {})}, {"name": "v"}]
    connections = [{"machine": name, "period_s": 1.0, "tags": tags} for name in machines]
    return {"company": "C", "site": "S", "machines": {name: {} for name in machines}, "connections": connections}


def reading(
    field: str, value: Any, age_s: float, status: int = 0, machine: str = "M", measurement: str = "press"
) -> Latest:
    time_ns = NOW - int(age_s * NS)
    return Latest(Place("C", "S", "", machine, measurement), field, value, time_ns, status, time_ns)


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
    assert one(reading("state", 4, 1)).state == 4


def test_an_old_state_says_nothing() -> None:
    assert one(reading("state", 1, 10)).state == 1
    assert one(reading("state", 1, 10.1)).state == 0
    slow = Catalog.of([site({"period_s": 30})])
    assert one(reading("state", 1, 89), catalog=slow).state == 1
    assert one(reading("state", 1, 91), catalog=slow).state == 0


def test_a_polled_state_is_old_although_other_tags_come() -> None:
    assert one(reading("state", 1, 11), reading("v", 1.0, 0)).state == 0


def test_a_bad_state_is_communication_lost() -> None:
    view = one(reading("state", 1, 1, BAD_NO_COMMUNICATION))
    assert (view.state, view.tags[0].value, view.tags[0].status) == (0, None, BAD_NO_COMMUNICATION)


def test_an_uncertain_value_is_shown() -> None:
    view = one(reading("state", 1, 1, UNCERTAIN))
    assert (view.state, view.tags[0].value) == (1, 1)


def test_a_state_stored_on_change_holds_while_its_agent_is_heard() -> None:
    catalog = Catalog.of([site({"mode": "subscribe"}, ("M", "N")), site(None, ("O",))])
    old = reading("state", 2, 3000)
    assert one(old, catalog=catalog).state == 0
    assert one(old, catalog=catalog).freshness is Freshness.LOST
    same_agent = one(old, reading("v", 1.0, 1, machine="N"), catalog=catalog)
    assert (same_agent.state, same_agent.freshness) == (2, Freshness.OK)
    assert one(old, reading("v", 1.0, 1, machine="O"), catalog=catalog).state == 0
    heartbeat = reading("uptime_s", 5.0, 1, machine="A", measurement="agent")
    assert one(old, heartbeat, catalog=catalog).state == 2
    lost = reading("state", 2, 3000, BAD_NO_COMMUNICATION)
    assert one(lost, heartbeat, catalog=catalog).state == 0
    assert one(lost, heartbeat, catalog=catalog).freshness is Freshness.LOST


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
