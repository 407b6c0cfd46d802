"""Which record is sent next, against hand-made outages."""

from itertools import pairwise
from pathlib import Path

import pytest

from pipelines.delivery.outbox import PACKET_TOO_LARGE, Outbox
from pipelines.journal.journal import Journal, JournalSettings, Stored
from pipelines.stats import FlowStats
from pipelines.topics import RecordId

SETTINGS = JournalSettings(max_bytes=1 << 20, segment_bytes=64 << 10, min_free_bytes=0)


class Bench:
    def __init__(self, folder: Path, drain_points_per_s: int = 0) -> None:
        self.journal = Journal(folder, SETTINGS)
        self.journal.open()
        self.stats = FlowStats()
        self.durable = True
        self.outbox = Outbox(self.journal, self.stats, lambda _: self.durable, drain_points_per_s)

    def add(self, number: int) -> Stored:
        stored = self.journal.append(b"%d" % number, 1, (number, number), {})
        self.outbox.add(stored)
        return stored

    def sent(self, now_s: float = 1.0, *, heard: bool = False) -> list[tuple[bytes, bool]]:
        """What goes now; the broker answers for it at once, or does not."""
        out = []
        while (flight := self.outbox.next(now_s)) is not None:
            out.append((flight.stored.payload(), flight.historical))
            if heard:
                self.outbox.heard(flight.stored.id, 0, "Success", now_s)
        return out


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_nothing_is_sent_without_a_broker(bench: Bench) -> None:
    bench.add(1)
    assert bench.sent() == []


def test_backlog_goes_in_order_and_is_marked(bench: Bench) -> None:
    for number in (1, 2, 3):
        bench.add(number)
    bench.outbox.connected()
    bench.add(4)
    assert bench.sent() == [(b"4", False), (b"1", True), (b"2", True), (b"3", True)]


def test_confirmed_is_released_and_counted(bench: Bench) -> None:
    bench.outbox.connected()
    stored = bench.add(1)
    bench.sent()
    assert bench.outbox.confirm(stored.id, 2.0)
    assert bench.stats.stored == 1
    assert bench.journal.points_queued == 0
    assert bench.outbox.idle
    assert not bench.outbox.confirm(stored.id, 3.0)


def test_release_waits_for_the_commit(bench: Bench) -> None:
    bench.outbox.connected()
    bench.durable = False
    stored = bench.add(1)
    bench.sent()
    bench.outbox.confirm(stored.id, 2.0)
    assert bench.stats.stored == 0
    assert not bench.outbox.idle
    bench.durable = True
    bench.outbox.settle()
    assert bench.stats.stored == 1


def test_unconfirmed_is_sent_again_on_reconnect(bench: Bench) -> None:
    bench.outbox.connected()
    bench.add(1)
    assert bench.sent() == [(b"1", False)]
    bench.outbox.disconnected()
    bench.outbox.connected()
    assert bench.sent() == [(b"1", True)]
    assert bench.sent() == []


def test_silence_sends_everything_again_and_a_slow_store_is_not_stormed(bench: Bench) -> None:
    bench.outbox.connected()
    first, _ = bench.add(1), bench.add(2)
    bench.sent(1.0, heard=True)
    bench.outbox.check(25.0)
    assert bench.sent(25.0) == []
    bench.outbox.confirm(first.id, 26.0)
    bench.outbox.check(50.0)
    assert bench.sent(50.0) == []
    bench.outbox.check(131.0)
    assert bench.sent(131.0) == [(b"2", True)]


def test_overtaken_record_is_sent_again_alone(bench: Bench) -> None:
    bench.outbox.connected()
    bench.add(1)
    bench.sent(1.0, heard=True)
    later = bench.add(2)
    bench.sent(2.0, heard=True)
    bench.outbox.confirm(later.id, 2.1)
    bench.outbox.check(3.0)
    assert bench.sent(3.0) == []
    bench.outbox.check(10.0)
    assert bench.sent(10.0) == [(b"1", False)]


def test_an_outage_of_the_store_does_not_delay_what_a_bridge_handed_back(bench: Bench) -> None:
    """Twenty records are confirmed after 20 s; of the many others each took a tenth of a second."""
    outbox, now_s = bench.outbox, 1.0
    outbox.connected()
    number = 0
    for took_s, count in ((0.1, 300), (20.0, 20)):
        for _ in range(count):
            number += 1
            stored = bench.add(number)
            bench.sent(now_s, heard=True)
            now_s += took_s
            outbox.confirm(stored.id, now_s)
    bench.add(1000)
    bench.sent(now_s, heard=True)
    later = bench.add(1001)
    bench.sent(now_s + 1, heard=True)
    outbox.confirm(later.id, now_s + 1.1)
    outbox.check(now_s + 14.0)  # another bridge may hold it until it asks the store again
    assert bench.sent(now_s + 14.0) == []
    outbox.check(now_s + 16.0)
    assert bench.sent(now_s + 16.0) == [(b"1000", False)]


def test_no_subscriber_keeps_the_record_and_probes_with_one(bench: Bench) -> None:
    bench.outbox.connected()
    first, second = bench.add(1), bench.add(2)
    bench.sent(1.0)
    bench.outbox.heard(first.id, 0x10, "No matching subscribers", 1.0)
    bench.outbox.heard(second.id, 0x10, "No matching subscribers", 1.0)
    assert bench.outbox.deaf == "No matching subscribers"
    bench.add(3)
    assert bench.sent(1.1) == []
    asked_s = [1.0, *(step / 100 for step in range(100, 900) if bench.outbox.next(step / 100) is not None)]
    waits_s = [two - one for one, two in pairwise(asked_s)]
    assert waits_s == pytest.approx([0.2, 0.4, 0.8, 1.6, 2.0, 2.0], abs=0.02)
    flight = bench.outbox.next(12.0)
    assert flight is not None
    bench.outbox.heard(flight.stored.id, 0, "Success", 1.0)
    assert bench.outbox.deaf == ""
    assert len(bench.sent(12.2)) == 2


def test_refused_points_are_counted_apart(bench: Bench) -> None:
    bench.outbox.connected()
    stored = bench.journal.append(b"x", 5, (1, 1), {})
    bench.outbox.add(stored)
    bench.sent()
    bench.outbox.confirm(stored.id, 2.0, refused_points=2)
    assert (bench.stats.stored, bench.stats.quarantined) == (3, 2)


def test_backlog_of_an_earlier_process_is_sent(bench: Bench, tmp_path: Path) -> None:
    bench.add(1)
    bench.journal.close()
    again = Bench(tmp_path)
    again.outbox.connected()
    assert again.sent() == [(b"1", True)]


def test_what_is_still_on_a_slow_wire_is_not_sent_again(bench: Bench) -> None:
    bench.outbox.connected()
    first, _ = bench.add(1), bench.add(2)
    bench.sent(1.0)
    bench.outbox.check(1000.0)
    assert bench.sent(1000.0) == []
    bench.outbox.heard(first.id, 0, "Success", 1000.0)
    bench.outbox.check(1031.0)
    assert bench.sent(1031.0) == [(b"1", True)]


def big(folder: Path, records: int) -> tuple[Journal, Outbox]:
    """A journal of records of 1 MiB that wait."""
    journal = Journal(folder, JournalSettings(max_bytes=64 << 20, min_free_bytes=0))
    journal.open()
    outbox = Outbox(journal, FlowStats(), lambda _: True)
    for number in range(records):
        outbox.add(journal.append(bytes([number]) * (1 << 20), 1, (1, 1), {}))
    outbox.connected()
    return journal, outbox


def test_the_backlog_grows_to_half_of_the_window_and_the_rest_is_kept_for_live(tmp_path: Path) -> None:
    journal, outbox = big(tmp_path, 40)
    now_s, on_way = 1.0, []
    for _ in range(8):
        while (flight := outbox.next(now_s)) is not None:
            on_way.append(flight.stored.id)
        outbox.confirm(on_way.pop(0), now_s + 0.1)
        now_s += 0.1
    assert outbox.next(now_s) is not None
    assert outbox.next(now_s) is None
    assert len(on_way) + 1 == 4
    live = journal.append(b"live", 1, (1, 1), {})
    outbox.add(live)
    flight = outbox.next(now_s)
    assert flight is not None
    assert (flight.stored.id, flight.historical) == (live.id, False)
    journal.close()


def test_the_backlog_gives_way_where_confirmations_are_slow(tmp_path: Path) -> None:
    journal, outbox = big(tmp_path, 60)
    now_s = 1.0
    for took_s, most in ((0.1, 4), (5.0, 1)):
        for _ in range(8):
            on_way = []
            while (flight := outbox.next(now_s)) is not None:
                on_way.append(flight.stored.id)
            now_s += took_s
            for record in on_way:
                outbox.confirm(record, now_s)
        assert len(on_way) == most
    journal.close()


def test_what_is_never_confirmed_holds_little_of_a_small_cap(bench: Bench) -> None:
    """Segments with something on its way are not dropped: most of the cap has to be free of them."""
    for number in range(300):
        stored = bench.journal.append(bytes(2_000), 1, (number, number), {})
        bench.outbox.add(stored)
        bench.sent(1.0, heard=True)
        if number % 60 == 0:
            bench.outbox.disconnected()
            bench.outbox.connected()
        held = sum(flight.stored.size for flight in bench.outbox._flights.values())
        assert held <= SETTINGS.max_bytes // 4 + 2 * stored.size
    assert bench.outbox.in_flight < 150


def test_small_records_are_bounded_by_their_number(bench: Bench) -> None:
    for number in range(1_000):
        bench.add(number)
    bench.outbox.connected()
    assert len(bench.sent(1.0)) == 256
    for number in range(1_000, 2_000):
        bench.add(number)
    assert len(bench.sent(1.0)) == 256
    assert bench.outbox.in_flight == 512
    for record in list(bench.outbox._flights):
        bench.outbox.confirm(record, 1.1)
    assert bench.sent(1.2)[0] == (b"256", True)


def test_the_drain_rate_is_limited(tmp_path: Path) -> None:
    bench = Bench(tmp_path, drain_points_per_s=10)
    for number in range(100):
        bench.add(number)
    bench.outbox.connected()
    assert len(bench.sent(1.0)) == 10
    assert [len(bench.sent(1.0 + step / 2)) for step in range(1, 11)] == [5] * 10
    bench.add(100)
    assert bench.sent(6.0) == [(b"100", False)]


def test_what_was_on_its_way_is_sent_again_in_the_order_of_the_journal(bench: Bench) -> None:
    for number in range(1, 4):
        bench.add(number)
    bench.outbox.connected()
    first = bench.outbox.next(1.0)
    assert first is not None
    bench.add(4)
    live = bench.outbox.next(1.0)
    assert live is not None
    assert (first.stored.payload(), live.stored.payload()) == (b"1", b"4")
    bench.outbox.disconnected()
    bench.add(5)
    bench.outbox.connected()
    assert bench.sent() == [(b"%d" % number, True) for number in range(1, 6)]


def test_the_oldest_point_that_waits_is_told(bench: Bench) -> None:
    assert bench.outbox.oldest_ns is None
    first, second = bench.add(1), bench.add(2)
    assert bench.outbox.oldest_ns == 1
    bench.outbox.connected()
    bench.sent()
    bench.outbox.confirm(first.id, 2.0)
    assert bench.outbox.oldest_ns == 2
    bench.outbox.confirm(second.id, 2.0)
    assert bench.outbox.oldest_ns is None


def test_too_large_makes_nobody_deaf_and_is_not_sent_again_at_once(bench: Bench) -> None:
    bench.outbox.connected()
    first, _ = bench.add(1), bench.add(2)
    assert len(bench.sent()) == 2
    bench.outbox.heard(first.id, PACKET_TOO_LARGE, "Packet too large", 1.0)
    assert bench.outbox.deaf == ""
    assert bench.sent(4.0) == []
    assert bench.outbox.get(first.id) is first


def test_who_ends_sessions_is_found_among_others(bench: Bench) -> None:
    outbox = bench.outbox
    outbox.connected()
    records = [bench.add(number) for number in range(1, 6)]
    sessions = 0
    while not outbox.suspicion.ending:
        sessions += 1
        assert sessions < 10
        outbox.connected()
        outbox.suspicion.works = True
        gone = False
        while not gone and (flights := _next_all(bench)):
            gone = records[2].id in flights  # the broker hangs up before it answers for what came with it
            for record in [] if gone else flights:
                outbox.heard(record, 0, "Success", 1.0)
                outbox.confirm(record, 2.0)
        outbox.disconnected()
    assert [stored.id for stored in outbox.suspicion.ending] == [records[2].id]
    assert bench.stats.stored == 4
    assert sessions == 5


def test_a_session_in_which_nothing_was_sent_did_not_end_by_the_size_of_a_record(bench: Bench) -> None:
    bench.outbox.connected()
    bench.add(1)
    bench.sent()
    assert bench.outbox.may_be_size
    bench.outbox.disconnected()
    assert not bench.outbox.may_be_size
    bench.outbox.connected()
    assert not bench.outbox.may_be_size
    bench.sent()
    assert bench.outbox.may_be_size
    bench.sent()
    bench.outbox.heard(next(iter(bench.outbox._flights)), 0, "Success", 1.0)
    assert not bench.outbox.may_be_size


def _next_all(bench: Bench) -> list[RecordId]:
    out = []
    while (flight := bench.outbox.next(1.0)) is not None:
        out.append(flight.stored.id)
    return out


def test_sessions_that_never_worked_suspect_nobody_for_good(bench: Bench) -> None:
    bench.add(1)
    for _ in range(10):
        bench.outbox.connected()
        bench.sent()
        bench.outbox.disconnected()
    assert bench.outbox.suspicion.ending == []
    bench.outbox.connected()
    assert bench.sent() == []
    bench.outbox.suspicion.works = True
    assert bench.sent() == [(b"1", True)]
