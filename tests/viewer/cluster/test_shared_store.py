"""What a share level lets through of a store, of figures and of medians: never more, however it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import date
from typing import Final

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.share.settings import LEVELS, Level
from pipelines.sinks.duckdb import DuckDbSink
from tests.viewer.cluster.members import CATALOG, KPI, NOW, RAW, SECRETS
from tests.viewer.one_shop import HOUR, MINUTE, SECOND, T0
from viewer.access.shared import MINUTE_NS, Share, SharedStore, names_something
from viewer.catalog import MachineInfo
from viewer.cluster.compare import Middle, Part, middle
from viewer.cluster.figures import PERIODS, over, told
from viewer.kpi import words
from viewer.kpi.result import Evidence, Result
from viewer.kpi.words import Amount, Text
from viewer.stores.base import Store
from viewer.stores.duckdb import DuckDbStore

MACHINE: Final[MachineInfo] = CATALOG.machines[KPI, "공장", SECRETS[KPI].machine]
FOREIGN: Final[MachineInfo] = CATALOG.machines[RAW, "공장", SECRETS[RAW].machine]
TAG: Final = SECRETS[KPI].tag
END: Final = T0 + HOUR + 30 * SECOND
EVERY: Final = 7 * SECOND


@pytest.fixture(scope="module")
def sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDbSink]:
    """An hour of readings of a tag; another machine's minutes as an edge shares them."""
    opened = DuckDbSink(tmp_path_factory.mktemp("shared") / "a.duckdb")
    for machine, tag in ((MACHINE, TAG), (FOREIGN, SECRETS[RAW].tag)):
        place = f"company={machine.company},site=공장,machine={machine.name}"
        lines = [f'press,{place} {tag}={at % 97},lot="L",lot_id=7i {at}' for at in range(T0, END, EVERY)]
        asyncio.run(opened.write(machine.company, "\n".join(lines).encode()))
    yield opened
    asyncio.run(opened.close())


@pytest.fixture(scope="module")
def store(sink: DuckDbSink) -> Store:
    return DuckDbStore(sink.cursor)


def shared(store: Store, level: Level, since_ns: int = 0, now_ns: int = END) -> SharedStore:
    return SharedStore(store, Share(KPI, level, since_ns), now_ns)


def nothing(of: SharedStore, machine: MachineInfo, tag: str) -> bool:
    """Whether neither minutes nor readings come."""
    counts = len(of.minutes(machine, tag, HOUR, MINUTE).count), len(of.readings(machine, tag, HOUR, 99).value)
    return counts == (0, 0) and not of.latest(machine)


@pytest.mark.parametrize("level", LEVELS)
def test_each_level_lets_through_what_it_says(store: Store, level: Level) -> None:
    of = shared(store, level)
    assert bool(len(of.minutes(MACHINE, TAG, HOUR, MINUTE).count)) == (level in {"aggregate", "raw"})
    assert bool(len(of.readings(MACHINE, TAG, HOUR, 99).value)) == (level == "raw")
    assert {one.field for one in of.latest(MACHINE)} == ({TAG, "lot", "lot_id"} if level == "raw" else set())
    assert bool(len(of.minutes(MACHINE, "lot_id", HOUR, MINUTE).count)) == (level == "raw")
    assert nothing(of, FOREIGN, SECRETS[RAW].tag), "another company's"
    for tag in (SECRETS[RAW].tag, "lot_quality", f"{TAG}_quality", "customer", "*", ""):
        assert not len(of.minutes(MACHINE, tag, HOUR, MINUTE).count)
        assert not len(of.readings(MACHINE, tag, HOUR, 99).value)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    back_s=st.integers(0, 3700),
    width=st.sampled_from([1, 2, 5]),
    since_s=st.integers(-600, 3700),
    hours=st.integers(1, 9),
)
def test_minutes_are_whole_over_and_not_before_the_agreement(
    store: Store, back_s: int, width: int, since_s: int, hours: int
) -> None:
    """However a picture is asked for, a bucket is the mean of a whole span that lies at whole minutes and is over."""
    now_ns, since_ns, width_ns = END - back_s * SECOND, T0 + since_s * SECOND, width * MINUTE
    trend = shared(store, "aggregate", since_ns, now_ns).minutes(MACHINE, TAG, hours * HOUR, width_ns)
    every = store.points(MACHINE.place(), TAG, 0, END)
    for start_ns, mean, count in zip(trend.time_ns.tolist(), trend.mean.tolist(), trend.count.tolist(), strict=True):
        assert start_ns % width_ns == 0
        assert start_ns >= since_ns
        assert start_ns + width_ns <= now_ns
        inside = every.value[(every.time_ns >= start_ns) & (every.time_ns < start_ns + width_ns)]
        assert (count, mean) == (len(inside), pytest.approx(inside.mean()))


def test_readings_are_not_older_than_the_agreement_and_bounded(store: Store) -> None:
    since_ns = END - 5 * MINUTE
    found = shared(store, "raw", since_ns).readings(MACHINE, TAG, HOUR, 10)
    assert len(found.value) == 10
    assert found.time_ns[-1] > END - EVERY
    assert len(shared(store, "raw", since_ns).readings(MACHINE, TAG, HOUR, 999).value) == 5 * MINUTE // EVERY + 1
    assert nothing(shared(store, "raw", END + 1), MACHINE, TAG)


@pytest.mark.parametrize("width_ns", [0, -MINUTE_NS, 1, MINUTE_NS - 1, 90 * SECOND])
def test_buckets_of_no_whole_minutes_are_refused(store: Store, width_ns: int) -> None:
    with pytest.raises(ValueError, match="no whole minutes"):
        shared(store, "raw").minutes(MACHINE, TAG, HOUR, width_ns)


def test_what_an_edge_shared_by_the_minute_is_drawn_where_there_are_no_readings(sink: DuckDbSink, store: Store) -> None:
    tag = "state"
    place = f"aggregate,company={KPI},site=공장,machine={MACHINE.name}"
    lines = [
        f"{place} {tag}_min={n},{tag}_mean={n + 1},{tag}_max={n + 2},{tag}_count=6 {T0 + n * MINUTE}" for n in range(4)
    ]
    asyncio.run(sink.write(KPI, "\n".join(lines).encode()))
    trend = shared(store, "aggregate").minutes(MACHINE, tag, 2 * HOUR, 2 * MINUTE)
    assert [trend.low.tolist(), trend.mean.tolist(), trend.high.tolist()] == [[0, 2], [1.5, 3.5], [3, 5]]
    assert trend.count.tolist() == [12, 12]
    assert not len(shared(store, "kpi").minutes(MACHINE, tag, 2 * HOUR, 2 * MINUTE).count)
    assert not len(shared(store, "raw").readings(MACHINE, tag, HOUR, 9).value), "the edge sent no readings"


def test_tags_that_name_something() -> None:
    naming = (
        "lot", "lot_id", "product_code", "pack_id", "program", "customer", "batch", "batch_id", "LOT_NO", "LotId",
        "current_lot", "work_order", "workOrderNo", "lot1", "lot_2", "orderno", "part_no", "barcode", "worker_id",
        "로트", "로트번호", "주문번호", "현재_로트", "품번", "작업자명", "거래처",
    )  # fmt: skip
    measuring = (
        "product_t", "product_temp_c", "spm", "lot_temp", "packing_speed", "orders", "pilot", "apart", "lot_size",
        "order_qty", "온도", "제품온도", "압력2", "pack_v",
    )  # fmt: skip
    assert [tag for tag in naming if not names_something(tag)] == []
    assert [tag for tag in measuring if names_something(tag)] == []


# ── figures ─────────────────────────────────────────────────────────────────────────────────────────────────────────

PART: Final = Amount(Text("생산수량", "pieces"), 700, words.PIECES)


def test_a_figure_without_what_it_was_made_of() -> None:
    names = Text("제외: 비밀설비 (설정 없음)", "without: secret press (not configured)")
    summed = Text(*(text.format(3) for text in words.SUMMED))
    evidence = Evidence(period=(1, 2), samples=7, cover=99.0, left_out=(PART,), seen_ns=5)
    result = Result("P-OEE", 77.95, evidence, (PART,), notes=(words.CHECK_IDEAL, names, summed))
    for level in LEVELS:
        found = told(result, level)
        assert (found.value, found.evidence.samples, found.evidence.cover) == (77.95, 7, 99.0)
        assert not found.evidence.at_least
        if level in {"aggregate", "raw"}:
            assert found == result
        else:
            assert (found.parts, found.evidence.left_out, found.evidence.seen_ns) == ((), (), None)
            assert found.notes[:2] == (words.CHECK_IDEAL, summed)
            assert "secret" not in str(found)
            assert "비밀" not in str(found)


@pytest.mark.parametrize(("pieces", "said"), [(9, 9), (10, 10), (19, 10), (479, 400), (99_999, 90_000)])
def test_a_rate_and_its_samples_do_not_tell_how_many_were_made(pieces: int, said: int) -> None:
    """2.30 % of 479 pieces are 11 defects: who agreed to the figure alone did not agree to that."""
    result = Result("Q-PDR", 11 / 479 * 100, Evidence(period=(1, 2), samples=pieces))
    found = told(result, "kpi").evidence
    assert (found.samples, found.at_least) == (said, said >= 10)
    assert told(result, "aggregate").evidence.samples == pieces
    own = Result("D-OTD", 50.0, Evidence(period=(1, 2), samples=pieces))
    assert told(own, "kpi").evidence.samples == pieces, "its own orders it knows"


def test_periods_are_production_days_that_are_over() -> None:
    calendar = next(iter(CATALOG.sites.values())).calendar
    today = calendar.day_span(date(2026, 9, 8))[0]
    assert {name: over(calendar, name, NOW)[1] for name in PERIODS} == {
        "days7": today, "days30": today, "yesterday": today, "last_month": calendar.day_span(date(2026, 8, 31))[1],
    }  # fmt: skip
    assert over(calendar, "yesterday", NOW)[0] == T0
    assert over(calendar, "days7", NOW)[0] == calendar.day_span(date(2026, 9, 1))[0]
    for name in PERIODS:
        assert over(calendar, name, NOW) == over(calendar, name, today + HOUR), "the same all day long"
    with pytest.raises(ValueError, match="none of"):
        over(calendar, "today", NOW)


# ── medians ─────────────────────────────────────────────────────────────────────────────────────────────────────────

values = st.none() | st.floats(0, 100)
PARTS: Final = st.lists(st.builds(Part, st.sampled_from("ABCDEFGHIJ"), values, st.booleans()), max_size=14)


@given(PARTS)
def test_what_fewer_than_five_do_not_share_changes_no_median(parts: list[Part]) -> None:
    unseen = {one.company for one in parts if not one.shared and one.value is not None}
    known = [one for one in parts if one.shared]
    found = middle(parts)
    if len(unseen) < 5:
        assert found == middle(known)
        assert found.unseen == 0
    else:
        assert found.unseen == len(unseen)
        of: dict[str, list[float]] = {}
        for one in parts:
            if one.value is not None:
                of.setdefault(one.company, []).append(one.value)
        assert found.value == pytest.approx(np.median([np.median(values) for values in of.values()]))


def test_a_median_by_hand() -> None:
    seen = [Part("A", 80.0, shared=True), Part("B", 60.0, shared=True), Part("C", None, shared=True)]
    four = [Part(name, 10.0, shared=False) for name in "DEFG"]
    assert middle(seen) == middle([*seen, *four]) == Middle(70.0, 2)
    assert middle([*seen, *four, Part("H", 10.0, shared=False)]) == Middle(10.0, 7, 5)
    assert middle(seen, least=5) == Middle(None, 2)
    assert middle([]) == Middle(None, 0)


def test_a_company_with_many_sites_has_one_voice() -> None:
    """Else the median of five would be a value of the one that has most of the sites."""
    great = [Part("A", 97.0 + site / 10, shared=False) for site in range(20)]
    small = [Part(name, value, shared=False) for name, value in zip("BCDE", (10.0, 20.0, 30.0, 40.0), strict=True)]
    assert middle([*great, *small]) == Middle(30.0, 5, 5)
