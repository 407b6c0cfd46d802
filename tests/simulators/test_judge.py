"""The referee, each term computed by hand."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest

from simulators.evidence import READ, SUBSCRIBE, Item, items_of, modbus_key, opcua_key
from simulators.excuses import GapPoint, Outage
from simulators.judge import Counts, StoredPoints, TagOptions, Verdict, judge
from simulators.matching import ANOTHER_DEVICE, same

S = 1_000_000_000
SIGNALS = [
    {"id": 0, "device": "prs", "name": "ton", "unit": 1, "table": "holding", "address": 8, "datatype": "uint16"},
    {"id": 1, "device": "prs", "name": "shots", "unit": 1, "table": "holding", "address": 2, "datatype": "uint32"},
    {"id": 2, "device": "cnc", "name": "rpm", "node": "Monitoring/Spindle/ActualSpeed", "datatype": "Double"},
]
KEYS = {
    "ton": modbus_key("prs", 1, "holding", 8),
    "shots": modbus_key("prs", 1, "holding", 2),
    "rpm": opcua_key("cnc", "nsu=urn:x;s=Monitoring/Spindle/ActualSpeed"),
}


def poll(at_s: float, signal: int, value: Any, shape: tuple[int, int] = (0, 10), **more: Any) -> dict[str, Any]:
    """A poll that arrived at `at_s` and was answered 1 ms later."""
    t0 = round(at_s * S)
    fields = {"t0": t0, "t1": t0 + 1_000_000, "ids": [signal], "values": [value], "status": 0} | more
    return {"k": "poll", "device": "prs", "unit": 1, "fc": 3, "address": shape[0], "count": shape[1]} | fields


def change(at_ns: int, value: Any, status: int = 0) -> dict[str, Any]:
    return {"k": "change", "id": 2, "value": value, "time": at_ns, "status": status}


def item(event: str, at_ns: int, value: Any) -> dict[str, Any]:
    return {"k": "item", "event": event, "id": 2, "value": value, "time": at_ns, "status": 0}


def points(*rows: tuple[int, Any] | tuple[int, Any, int]) -> StoredPoints:
    value = np.array([row[1] for row in rows])
    quality = [row[2] if len(row) == 3 else 0 for row in rows]
    return StoredPoints(np.array([row[0] for row in rows], np.int64), value, np.array(quality, np.uint32))


def ruling(tag: str, truth: list[dict[str, Any]], stored: StoredPoints | None, **more: Any) -> Verdict:
    mode = SUBSCRIBE if tag == "rpm" else "poll"
    options = more.pop("options", TagOptions(mode=mode, slack_ns=S // 2 if mode == "poll" else 0))
    lines = [{"k": "header", "signals": SIGNALS}, *truth]
    held = {} if stored is None else {tag: stored}
    return judge([lines], {tag: KEYS[tag]}, {tag: options}, held, **more)


def mid(at_s: float) -> int:
    return round(at_s * S) + 500_000


POLLS = [poll(1, 0, 125.1), poll(2, 0, 125.2), poll(3, 0, 125.2), poll(4, 0, 125.4)]
KEPT = [(mid(1), 125.1), (mid(2), 125.2), (mid(3), 125.2), (mid(4), 125.4)]


def test_all_stored() -> None:
    verdict = ruling("ton", POLLS, points(*KEPT))
    assert verdict.total == Counts(produced=4, stored=4)
    assert verdict.clean
    assert verdict.examples == []
    assert verdict.left_ns["ton"].tolist() == [n * S + 1_000_000 for n in (1, 2, 3, 4)]


def test_left_times_follow_the_order_given() -> None:
    verdict = ruling("ton", POLLS, points(*reversed(KEPT)))
    assert verdict.left_ns["ton"].tolist() == [n * S + 1_000_000 for n in (4, 3, 2, 1)]


def test_a_lost_value_is_missing_even_beside_an_equal_one() -> None:
    verdict = ruling("ton", POLLS, points(*KEPT[:1], *KEPT[2:]))
    assert verdict.total == Counts(produced=4, stored=3, missing=1)
    assert "ton: missing: 125.2 status 0x00000000 of [2000000000, 2001000000]" in verdict.examples
    assert not verdict.clean


def test_nothing_stored_is_all_missing() -> None:
    assert ruling("ton", POLLS, None).total == Counts(produced=4, missing=4)


def test_a_doubled_value() -> None:
    verdict = ruling("ton", POLLS, points(*KEPT, (mid(2), 125.2)))
    assert verdict.total == Counts(produced=4, stored=4, duplicated=1)
    assert "duplicated" in verdict.examples[0]


def test_a_value_out_of_nowhere() -> None:
    assert ruling("ton", POLLS, points(*KEPT, (mid(9), 7.0))).total == Counts(produced=4, stored=4, duplicated=1)


def test_an_altered_value_in_the_last_bit() -> None:
    verdict = ruling("ton", [poll(1, 0, 0.3)], points((mid(1), 3 * 0.1)))
    assert verdict.total == Counts(produced=1, stored=1, altered=1)
    assert "0.3" in verdict.examples[0]
    assert "0.30000000000000004" in verdict.examples[0]


def test_an_altered_type() -> None:
    assert ruling("shots", [poll(1, 1, 7)], points((mid(1), 7))).clean
    assert ruling("shots", [poll(1, 1, 7)], points((mid(1), 7.0))).total.altered == 1
    assert ruling("shots", [poll(1, 1, 1)], points((mid(1), True))).total.altered == 1


def test_an_altered_status() -> None:
    bad = points((mid(1), 125.1, 0x8000_0000), *KEPT[1:])
    assert ruling("ton", POLLS, bad).total == Counts(produced=4, stored=4, altered=1)
    uncertain = points((mid(1), 125.1, 0x4000_0000), *KEPT[1:])
    assert ruling("ton", POLLS, uncertain).total.altered == 1


def test_a_restamped_poll() -> None:
    verdict = ruling("ton", [poll(1, 0, 1.5), poll(10, 0, 2.5)], points((mid(1), 1.5), (mid(13), 2.5)))
    assert verdict.total == Counts(produced=2, stored=2, altered=1)
    assert "altered time" in verdict.examples[0]


def test_slack_is_the_only_freedom_of_a_poll() -> None:
    tight = TagOptions(slack_ns=1000)
    end_ns = S + 1_000_000
    assert ruling("ton", [poll(1, 0, 1.5)], points((end_ns + 1000, 1.5)), options=tight).clean
    assert ruling("ton", [poll(1, 0, 1.5)], points((end_ns + 1001, 1.5)), options=tight).total.altered == 1
    assert ruling("ton", [poll(1, 0, 1.5)], points((S - 1000, 1.5)), options=tight).clean
    assert ruling("ton", [poll(1, 0, 1.5)], points((S - 1001, 1.5)), options=tight).total.altered == 1


def test_polls_out_of_order() -> None:
    swapped = points((mid(1), 125.2), (mid(2), 125.1), *KEPT[2:])
    assert ruling("ton", POLLS, swapped).total.altered == 2


def test_swapped_words() -> None:
    swapped = struct.unpack(">I", struct.pack(">HH", *reversed(struct.unpack(">HH", struct.pack(">I", 1_284_530)))))[0]
    verdict = ruling("shots", [poll(1, 1, 1_284_530)], points((mid(1), swapped)))
    assert verdict.total == Counts(produced=1, stored=1, altered=1)


WATCHED = [item("created", 5 * S, 10.0), change(6 * S, 20.0), change(6 * S + 1000, 30.0)]
SEEN = [(5 * S, 10.0), (6 * S, 20.0), (6 * S + 1000, 30.0)]


def test_subscription_exact() -> None:
    verdict = ruling("rpm", WATCHED, points(*SEEN))
    assert verdict.total == Counts(produced=3, stored=3)
    assert verdict.left_ns["rpm"].tolist() == [time for time, _ in SEEN]


def test_subscription_one_ns_later_is_declared_two_is_not() -> None:
    assert ruling("rpm", WATCHED, points(*SEEN[:2], (6 * S + 1001, 30.0))).clean
    verdict = ruling("rpm", WATCHED, points(*SEEN[:2], (6 * S + 1002, 30.0)))
    assert verdict.total == Counts(produced=3, stored=3, altered=1)


def test_subscription_restamped_lost_doubled_altered() -> None:
    assert ruling("rpm", WATCHED, points(*SEEN[:2], (7 * S, 30.0))).total == Counts(produced=3, stored=3, altered=1)
    assert ruling("rpm", WATCHED, points(*SEEN[:2])).total == Counts(produced=3, stored=2, missing=1)
    assert ruling("rpm", WATCHED, points(*SEEN, SEEN[1])).total == Counts(produced=3, stored=3, duplicated=1)
    assert ruling("rpm", WATCHED, points(*SEEN[:2], (6 * S + 1000, 31.0))).total.altered == 1
    bad = points(*SEEN[:2], (6 * S + 1000, 30.0, 0x8000_0000))
    assert ruling("rpm", WATCHED, bad).total.altered == 1


def test_changes_count_only_while_an_item_exists() -> None:
    truth = [
        change(3 * S, 1.0),
        item("created", 3 * S, 1.0),
        change(4 * S, 2.0),
        item("created", 4 * S, 2.0),  # a second subscription: its initial value is not another reading
        item("deleted", 4 * S, 2.0),
        change(5 * S, 3.0),
        item("deleted", 5 * S, 3.0),
        change(6 * S, 4.0),  # nobody watches
        item("created", 6 * S, 4.0),  # but this delivers it
        item("deleted", 6 * S, 4.0),
        change(7 * S, 5.0),
    ]
    kept = [(3 * S, 1.0), (4 * S, 2.0), (5 * S, 3.0), (6 * S, 4.0)]
    assert ruling("rpm", truth, points(*kept)).total == Counts(produced=4, stored=4)


def test_bad_status_carries_no_value() -> None:
    truth = [item("created", 1 * S, 1.0), change(2 * S, 9.0, 0x808C_0000)]
    assert ruling("rpm", truth, points((1 * S, 1.0), (2 * S, np.nan, 0x808C_0000))).clean


def test_an_overflowing_queue_marks_the_oldest_value_and_loses_the_one_before() -> None:
    truth = [*WATCHED, {"k": "overflow", "id": 2, "sub": 1, "lost": 6 * S, "marked": 6 * S + 1000}]
    kept = points(SEEN[0], (6 * S + 1000, 30.0, 0x480))
    assert ruling("rpm", truth, kept).total == Counts(produced=3, stored=2, missing=1)
    gap = GapPoint("rpm", "queue_overflow", 5 * S, 6 * S + 1000)
    outage = Outage(5 * S, 6 * S, "kill")
    explained = ruling("rpm", truth, kept, gaps=[gap], outages=[outage]).total
    assert explained == Counts(produced=3, stored=2, gap_explained=1)
    assert ruling("rpm", truth, points(SEEN[0], SEEN[2])).total.altered == 1


def test_read_mode_counts_a_reading_once() -> None:
    def read(at: int, time: int, value: float) -> dict[str, Any]:
        return {"k": "read", "device": "cnc", "t0": at, "t1": at, "ids": [2]} | {
            "values": [value],
            "times": [time],
            "status": [0],
        }

    truth = [read(2 * S, S, 1.0), read(3 * S, S, 1.0), read(4 * S, 3 * S, 2.0)]
    verdict = ruling("rpm", truth, points((S, 1.0), (3 * S, 2.0)), options=TagOptions(mode=READ))
    assert verdict.total == Counts(produced=2, stored=2)
    assert verdict.left_ns["rpm"].tolist() == [2 * S, 4 * S]


def test_deadband_reference() -> None:
    served = [10.0, 10.4, 10.5, 10.9, 11.0, 10.6, 10.4]  # 0.5: 10.0, 10.5, 11.0, 10.4 are stored
    truth = [poll(n, 0, value) for n, value in enumerate(served, 1)]
    options = TagOptions(slack_ns=S // 2, deadband=0.5)
    kept = [(mid(1), 10.0), (mid(3), 10.5), (mid(5), 11.0), (mid(7), 10.4)]
    assert ruling("ton", truth, points(*kept), options=options).total == Counts(produced=7, suppressed=3, stored=4)
    lost = ruling("ton", truth, points(*kept[:1], *kept[2:]), options=options).total
    assert lost == Counts(produced=7, suppressed=3, stored=3, missing=1)
    eager = points(*kept, (mid(2), 10.4))
    verdict = ruling("ton", truth, eager, options=options)
    assert verdict.total.unsuppressed == 2  # 10.4, and 10.5 which is now too near
    assert verdict.clean


def test_out_of_range_is_stored_as_bad() -> None:
    options = TagOptions(slack_ns=S // 2, range=(0.0, 300.0))
    truth = [poll(1, 0, 125.0), poll(2, 0, 3100.0)]
    good = points((mid(1), 125.0), (mid(2), np.nan, 0x803C_0000))
    assert ruling("ton", truth, good, options=options).clean
    assert ruling("ton", truth, points((mid(1), 125.0), (mid(2), 3100.0)), options=options).total.altered == 1


def test_gap_points_explain_only_near_an_outage() -> None:
    kept = points(KEPT[0], KEPT[3])
    outage = Outage(round(1.5 * S), round(3.5 * S), "comm_loss")
    gap = GapPoint("ton", "no_communication", mid(1), mid(4))
    explained = ruling("ton", POLLS, kept, gaps=[gap], outages=[outage]).total
    assert explained == Counts(produced=4, stored=2, gap_explained=2)
    unexplained = Counts(produced=4, stored=2, missing=2)
    assert ruling("ton", POLLS, kept, gaps=[gap]).total == unexplained  # nothing was injected
    assert ruling("ton", POLLS, kept, outages=[outage]).total == unexplained  # no gap point
    for wrong in (
        GapPoint("ton", "", mid(1), mid(4)),
        GapPoint("shots", "no_communication", mid(1), mid(4)),
        GapPoint("ton", "no_communication", round(0.4 * S), mid(4)),
        GapPoint("ton", "no_communication", mid(1), round(4.6 * S)),
        GapPoint("ton", "no_communication", round(3.2 * S), round(3.4 * S)),
    ):
        assert ruling("ton", POLLS, kept, gaps=[wrong], outages=[outage]).total == unexplained


def test_polls_just_before_a_kill_are_explained_changes_are_not() -> None:
    left = 4 * S + 1_000_000
    for late_ns, explained in ((1, 1), (500_000_000, 1), (500_000_001, 0)):
        kill = Outage(left + late_ns, left + 9 * S, "kill")
        counts = ruling("ton", POLLS, points(*KEPT[:3]), outages=[kill]).total
        assert (counts.gap_explained, counts.missing) == (explained, 1 - explained)
    kill = Outage(6 * S + 2000, 9 * S, "kill")
    assert ruling("rpm", WATCHED, points(*SEEN[:2]), outages=[kill]).total.missing == 1


def test_the_agents_word_on_its_link_is_no_duplicate() -> None:
    verdict = ruling("ton", POLLS, points(*KEPT, (mid(2) + 200_000_000, np.nan, 0x8031_0000)))
    assert verdict.total == Counts(produced=4, stored=4, link_status=1)
    instead = ruling("ton", POLLS, points(*KEPT[:3], (mid(4), np.nan, 0x8031_0000)))
    assert instead.total == Counts(produced=4, stored=3, missing=1, link_status=1)


def test_a_refused_request_may_be_stored_as_bad() -> None:
    refused = poll(2, 0, 0, status=2, ids=[], values=[])
    truth = [POLLS[0], refused, POLLS[2]]
    assert ruling("ton", truth, points(KEPT[0], KEPT[2])).total == Counts(produced=2, stored=2)
    told = points(KEPT[0], (mid(2), np.nan, 0x8089_0000), KEPT[2])
    assert ruling("ton", truth, told).total == Counts(produced=2, stored=2)


def own(*requests: tuple[int, int, int], **more: Any) -> TagOptions:
    return TagOptions(slack_ns=S // 20, requests=requests, **more)


def test_bridged_registers_produce_nothing() -> None:
    mine = [poll(n, 0, float(n), (8, 1)) for n in (1, 11, 21)]
    bridging = [poll(n + 0.002, 0, float(n), (0, 21)) for n in range(1, 30)]
    kept = points(*[(mid(n), float(n)) for n in (1, 11, 21)])
    options = own((3, 8, 1))
    assert ruling("ton", mine + bridging, kept, options=options).total == Counts(produced=3, stored=3)
    lost = points(*[(mid(n), float(n)) for n in (1, 21)])
    assert ruling("ton", mine + bridging, lost, options=options).total == Counts(produced=3, stored=2, missing=1)
    assert ruling("ton", mine + bridging, kept).total == Counts(produced=32, stored=3, missing=29)


def test_losses_of_one_of_two_alternating_requests() -> None:
    truth = [poll(n, 0, float(n), (8, 1) if n % 2 else (0, 21)) for n in range(100)]
    stored = points(*[(mid(n), float(n)) for n in range(100) if n % 2 == 0 or n < 20])
    options = TagOptions(slack_ns=S // 20)
    assert ruling("ton", truth, stored, options=options).total == Counts(produced=100, stored=60, missing=40)
    mine = points(*[(mid(n), float(n)) for n in range(1, 20, 2)])
    assert ruling("ton", truth, mine, options=own((3, 8, 1))).total == Counts(produced=50, stored=10, missing=40)


def test_parts_of_a_request_count_after_it_was_refused() -> None:
    refused = poll(5, 0, 0, (0, 21), status=2, ids=[], values=[])
    part = [poll(n, 0, float(n), (8, 3)) for n in (1, 6, 7)]  # the first one is somebody else's
    options = own((3, 0, 21), (3, 8, 3))
    kept = [(mid(6), 6.0), (mid(7), 7.0)]
    assert ruling("ton", [*part[:1], refused, *part[1:]], points(*kept), options=options).total == Counts(2, 0, 2)
    lost = ruling("ton", [*part[:1], refused, *part[1:]], points(kept[0]), options=options).total
    assert lost == Counts(produced=2, stored=1, missing=1)


def test_half_a_second_is_no_slack() -> None:
    options = TagOptions(slack_ns=S // 20, period_ns=S)
    wrong = points(*[(round((n + 0.49) * S), value) for n, (_, value) in enumerate(KEPT, 1)])
    assert ruling("ton", POLLS, points(*KEPT), options=options).clean
    assert ruling("ton", POLLS, wrong, options=options).total == Counts(produced=4, stored=4, altered=4)


def test_a_stall_of_the_plant_widens_polls_near_it_by_twice_its_length() -> None:
    options = TagOptions(slack_ns=S // 20, period_ns=S)
    stall = {"k": "stall", "start_ns": round(1.9 * S), "end_ns": round(1.99 * S)}  # 90 ms, so 50 + 180 ms around 2 s
    late = [KEPT[0], (2_001_000_000 + 230_000_000, 125.2), *KEPT[2:]]
    assert ruling("ton", [stall, *POLLS], points(*late), options=options).clean
    assert ruling("ton", POLLS, points(*late), options=options).total.altered == 1
    later = [KEPT[0], (2_001_000_000 + 230_000_001, 125.2), *KEPT[2:]]
    assert ruling("ton", [stall, *POLLS], points(*later), options=options).total.altered == 1
    far = points(*KEPT[:3], (4_001_000_000 + 50_000_001, 125.4))
    assert ruling("ton", [stall, *POLLS], far, options=options).total.altered == 1
    long = stall | {"start_ns": S, "end_ns": 2 * S}  # never more than half a period
    at_most = [KEPT[0], KEPT[1], (3_001_000_000 + 500_000_001, 125.2), KEPT[3]]
    assert ruling("ton", [long, *POLLS], points(*at_most), options=options).total.altered == 1


def test_a_tag_that_nobody_reads_is_wrong() -> None:
    verdict = ruling("ton", [], None)
    assert verdict.total == Counts()
    assert verdict.wrong == ["ton: never read, the plant saw nothing"]
    assert not verdict.clean
    assert ruling("rpm", [], None).wrong == ["rpm: never subscribed, the plant saw nothing"]
    bridged = ruling("ton", POLLS, None, options=own((3, 8, 1)))
    assert bridged.wrong == ["ton: never read, the plant saw nothing"]


def test_polls_come_at_their_period() -> None:
    options = TagOptions(slack_ns=S // 20, period_ns=S)

    def wrong(seconds: list[int], **more: Any) -> list[str]:
        truth = [poll(n, 0, float(n)) for n in seconds]
        stored = points(*[(mid(n), float(n)) for n in seconds])
        return ruling("ton", truth, stored, options=options, end_ns=100 * S, **more).wrong

    assert wrong(list(range(101))) == []
    assert wrong(list(range(79))) == []  # 79 and the one of grace are 80 % of 100
    assert wrong(list(range(78))) == ["ton: polled 78 times in 100.0 s, expected about 100"]
    assert wrong(list(range(0, 100, 2))) == ["ton: polled 50 times in 100.0 s, expected about 100"]
    assert wrong(list(range(0, 100, 2)), overruns={"prs": 37}) == []  # 51 of 63
    assert wrong(list(range(0, 100, 2)), overruns={"prs": 36}) == ["ton: polled 50 times in 100.0 s, expected about 64"]
    there = [*range(30), *range(75, 100)]  # 30 s are an outage, 5 s more it takes to come back
    assert wrong(there, outages=[Outage(30 * S, 70 * S, "comm_loss")]) == []
    assert wrong(there, outages=[Outage(30 * S, 40 * S, "comm_loss")]) == [
        "ton: polled 55 times in 80.0 s, expected about 80"
    ]


def test_items_after_the_end_are_optional() -> None:
    end_ns = 3 * S + 1_000_000
    assert ruling("ton", POLLS, points(*KEPT[:3]), end_ns=end_ns).total == Counts(produced=3, stored=3)
    assert ruling("ton", POLLS, points(*KEPT), end_ns=end_ns).total == Counts(produced=3, stored=3)
    assert ruling("ton", POLLS, points(*KEPT[:2]), end_ns=end_ns).total.missing == 1


def test_several_truths_of_one_tag() -> None:
    first = [{"k": "header", "signals": SIGNALS}, *POLLS[:2]]
    second = [{"k": "header", "signals": SIGNALS}, *POLLS[2:]]
    options = {"ton": TagOptions(slack_ns=S // 2)}
    verdict = judge([first, second], {"ton": KEYS["ton"]}, options, {"ton": points(*KEPT)})
    assert verdict.total == Counts(produced=4, stored=4)


def test_a_key_that_no_truth_knows_is_named() -> None:
    with pytest.raises(ValueError, match="no truth knows x"):
        judge([[{"k": "header", "signals": SIGNALS}]], {"x": ("prs", 1, "coil", 5)}, {"x": TagOptions()}, {})
    with pytest.raises(ValueError, match="begins with its header"):
        judge([[change(1, 1.0)]], {"ton": KEYS["ton"]}, {"ton": TagOptions()}, {})


def test_at_most_twenty_examples() -> None:
    truth = [poll(n, 0, float(n)) for n in range(50)]
    assert len(ruling("ton", truth, None).examples) == 20


def test_a_tag_that_is_a_bit_of_a_word() -> None:
    words = [poll(1, 0, 66), poll(2, 0, 64)]
    options = TagOptions(slack_ns=S // 2, bit=1)
    assert ruling("ton", words, points((mid(1), True), (mid(2), False)), options=options).clean
    assert ruling("ton", words, points((mid(1), True), (mid(2), True)), options=options).total.altered == 1


def test_a_raw_value_that_means_no_number_has_the_code_the_client_chooses() -> None:
    options = TagOptions(slack_ns=S // 2, range=(0, 1200), sentinels=True)
    bad = points((mid(1), 0.0, 0x808C0000))
    assert ruling("ton", [poll(1, 0, 3100.0)], bad, options=options).clean
    assert ruling("ton", [poll(1, 0, 3100.0)], points((mid(1), 3100.0)), options=options).total.altered == 1
    assert ruling("ton", [poll(1, 0, 840.5)], bad, options=options).total.altered == 1


def test_a_tag_whose_device_says_how_many_decimals_it_has_is_a_fraction() -> None:
    options = TagOptions(slack_ns=S // 2, divided=True)
    assert ruling("ton", [poll(1, 0, 1550)], points((mid(1), 1550.0)), options=options).clean
    assert ruling("ton", [poll(1, 0, 1550)], points((mid(1), 1551.0)), options=options).total.altered == 1


def test_words_in_the_wrong_order_may_be_refused_as_another_device() -> None:
    polls = [Item(at, at, 2.4e-19, 0, at, swapped=swapped) for at, swapped in ((1, True), (2, False))]
    assert [same(one, 0.0, ANOTHER_DEVICE) for one in polls] == [True, False]
    assert [same(one, 2.4e-19, 0) for one in polls] == [True, True]
    header = {"k": "header", "signals": [{"id": 0, "device": "d", "datatype": "float32"} | WHERE]}
    poll = {"k": "poll", "device": "d", "fc": 4, "address": 0, "count": 2, "ids": [0], "values": [1.0], "status": 0}
    fault = {"k": "fault", "fault": "word_order", "device": "d", "start_ns": 0, "end_ns": 5 * 10**9}
    lines = [header, fault, *(poll | {"unit": 1, "t0": at * 10**9, "t1": at * 10**9} for at in (1, 6, 8))]
    items = items_of([lines], {"tag": ("d", 1, "input", 0)}, {"tag": "poll"})["tag"]
    assert [one.swapped for one in items] == [True, True, False]


WHERE = {"unit": 1, "table": "input", "address": 0}


def test_an_outage_of_one_device_excuses_nothing_of_another() -> None:
    kept = points(KEPT[0], KEPT[3])
    gap = GapPoint("ton", "no_communication", mid(1), mid(4))
    for device, explained in (("prs", 2), ("", 2), ("cnc", 0)):
        outage = Outage(round(1.5 * S), round(3.5 * S), "comm_loss", device)
        counts = ruling("ton", POLLS, kept, gaps=[gap], outages=[outage]).total
        assert (counts.gap_explained, counts.missing) == (explained, 2 - explained)


def test_the_pace_of_a_device_is_that_of_its_own_outages() -> None:
    options = TagOptions(slack_ns=S // 20, period_ns=S)
    there = [*range(30), *range(75, 100)]
    truth = [poll(n, 0, float(n)) for n in there]
    stored = points(*[(mid(n), float(n)) for n in there])
    for device, wrong in (("prs", 0), ("cnc", 1)):
        outage = Outage(30 * S, 70 * S, "comm_loss", device)
        verdict = ruling("ton", truth, stored, options=options, end_ns=100 * S, outages=[outage])
        assert len(verdict.wrong) == wrong


def test_a_refusal_in_an_outage_does_not_end_the_check_of_the_pace() -> None:
    options = TagOptions(slack_ns=S // 20, period_ns=S)
    refused = poll(10.5, 0, 0, status=4, ids=[], values=[])

    def wrong(*more: int, outages: tuple[Outage, ...] = (Outage(10 * S, 11 * S, "exception", "prs"),)) -> list[str]:
        there = [*range(10), *more]
        truth = sorted([refused, *(poll(n, 0, float(n)) for n in there)], key=lambda line: int(line["t0"]))
        stored = points(*[(mid(n), float(n)) for n in there])
        return ruling("ton", truth, stored, options=options, end_ns=60 * S, outages=outages).wrong

    assert wrong() == ["ton: polled 11 times in 38.0 s, expected about 38"]
    assert wrong(*range(11, 60)) == wrong(*range(30, 60)) == []  # a client may wait 10 periods, or as long again
    assert wrong(outages=()) == []  # refused for good: asked at a pace of its own


def test_a_change_that_its_device_forgot_is_explained_no_other_one() -> None:
    outage = Outage(6 * S + 2000, 9 * S, "restart", "cnc")
    lost = ruling("rpm", WATCHED, points(*SEEN[:1]), outages=[outage]).total
    assert lost == Counts(produced=3, stored=1, missing=2)
    forgot = {"k": "forgot", "id": 2, "times": [6 * S + 1000]}
    lost = ruling("rpm", [*WATCHED, forgot], points(*SEEN[:1]), outages=[outage]).total
    assert lost == Counts(produced=3, stored=1, gap_explained=1, missing=1)
    assert ruling("rpm", [*WATCHED, forgot], points(*SEEN), outages=[outage]).total == Counts(produced=3, stored=3)


def test_a_read_after_the_clock_was_right_again_bears_its_source_time() -> None:
    skew = {"k": "fault", "fault": "clock_skew", "device": "cnc", "by_s": 7200.0, "start_ns": 10 * S, "end_ns": 20 * S}
    ahead = 7200 * S

    def read(at: int, time: int) -> dict[str, Any]:
        fields = {"ids": [2], "values": [1.0], "times": [time], "status": [0]}
        return {"k": "read", "device": "cnc", "t0": at, "t1": at + 1000} | fields

    def clean(at: int, time: int) -> bool:
        received = points((at + 2000, 1.0, 0x4000_0000))
        truth = [skew, skew | {"ended": True}, read(at, time)]
        return ruling("rpm", truth, received, options=TagOptions(mode=READ)).clean

    assert clean(21 * S, 20 * S)  # in doubt for a moment
    assert clean(60 * S, 15 * S + ahead)  # it did not change since
    assert not clean(60 * S, 59 * S)


def test_a_run_without_a_tag_that_can_be_judged_is_wrong() -> None:
    verdict = judge([[{"k": "header", "signals": SIGNALS}]], {}, {}, {})
    assert verdict.wrong == ["nothing was judged: there is no tag whose values a truth holds"]
