"""Alarms of devices as points: each kept, each at its own time."""

from __future__ import annotations

import orjson

from pipelines.alarms import MOST_KEPT, MOST_REMEMBERED, MOST_TEXT, Alarms
from pipelines.place import Place
from pipelines.point import AlarmEvent

NOW = 1_790_000_000_000_000_000
PLACES = [Place("press", "acme", "s", "", "P1"), Place("furnace", "acme", "s", "", "F1")]


def alarms(state: bytes | None = None) -> Alarms:
    return Alarms(PLACES, 3600, state)


def test_a_point_per_event() -> None:
    event = AlarmEvent(1, "over temperature", NOW, {"active": True, "severity": 700, "message": 'zone "3", 910 ℃'})
    body, times, replaced = alarms().encode([event], NOW + 5)
    assert body.decode() == (
        "alarm,alarm=over\\ temperature,company=acme,machine=F1,site=s "
        f'active=true,severity=700i,message="zone \\"3\\", 910 ℃" {NOW}\n'
    )
    assert (times, replaced) == ([NOW], False)


def test_two_changes_in_the_same_instant_are_both_kept_also_across_a_restart() -> None:
    one = alarms()
    _, times, _ = one.encode([AlarmEvent(0, "door", NOW, {"active": on}) for on in (True, False)], NOW)
    _, again, _ = alarms(one.state()).encode([AlarmEvent(0, "door", NOW, {"active": True})], NOW)
    assert times + again == [NOW, NOW + 1, NOW + 2]


def test_the_same_event_taken_again_keeps_its_time() -> None:
    events = [AlarmEvent(0, "door", NOW, {"active": True}), AlarmEvent(0, "door", NOW, {"active": False})]
    before = alarms().state()
    assert alarms(before).encode(events, NOW)[1] == alarms(before).encode(events, NOW + 99)[1]


def test_a_time_of_the_future_or_none_is_the_agents_and_the_devices_is_kept() -> None:
    body, times, replaced = alarms().encode(
        [AlarmEvent(0, "a", NOW + 2 * 3600 * 10**9, {"active": True}), AlarmEvent(0, "b", 0, {"active": True})], NOW
    )
    assert times == [NOW, NOW]
    assert replaced
    assert f"source_time={NOW + 2 * 3600 * 10**9}i {NOW}" in body.decode()
    assert f"source_time=0i {NOW}" in body.decode()


def test_an_old_event_keeps_its_time() -> None:
    assert alarms().encode([AlarmEvent(0, "a", NOW - 10**15, {"active": True})], NOW)[1:] == ([NOW - 10**15], False)


def test_memory_is_bounded() -> None:
    one = alarms()
    one.encode([AlarmEvent(0, f"a{number}", NOW, {"active": True}) for number in range(2 * MOST_REMEMBERED)], NOW)
    assert len(one._last) == MOST_REMEMBERED
    kept = orjson.loads(one.state())
    assert list(kept) == [f"P1/a{number}" for number in range(2 * MOST_REMEMBERED - MOST_KEPT, 2 * MOST_REMEMBERED)]
    assert len(one.state()) < 16_384, "written with every event"


def test_a_text_no_store_takes_is_cut_and_a_time_no_store_takes_is_the_agents() -> None:
    event = AlarmEvent(0, "a", 10**20, {"message": "가" * 10**6})
    body, times, _ = alarms().encode([event], NOW)
    assert times == [NOW]
    assert f"source_time={2**63 - 1}i" in body.decode()
    assert ("가" * (MOST_TEXT - 1) + "…").encode() in body
    assert len(body) < 65_535
