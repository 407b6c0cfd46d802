"""What is said of a broken promise, and how growth is measured."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from agent.commands.soak import exit_code
from agent.soak.broken import (
    about_balance,
    about_cost,
    about_drops,
    about_ends,
    about_faults,
    about_ledger,
    about_looks,
    about_readings,
)
from agent.soak.plan import Limits
from agent.soak.run import Injected
from agent.soak.samples import Sample, look, slope_per_h, total
from agent.soak.stalls import LEAST_NS, Stalls, waited_ns
from simulators.judge import Finding

T = 1_795_330_800_000_000_000
S = 10**9


def fault(at_s: float, healed_s: float, name: str = "power_cut", up_s: float | None = 1.0) -> Injected:
    return Injected(name, f"{name}()", T + int(at_s * S), T + int(healed_s * S), up_s)


def test_readings_are_told_by_tag_hour_and_nearest_fault() -> None:
    findings = [
        Finding("IMM-01/oil_t", "missing", T + 5 * S, "missing: 3.0"),
        Finding("IMM-01/oil_t", "missing", T + 4 * S, "missing: 2.0"),
        Finding("IMM-01/oil_t", "missing", T + 3700 * S, "missing: 9.0"),
        Finding("MTR-02/kwh", "duplicated", T + 6 * S, "duplicated: 1"),
    ]
    told = about_readings(findings, [fault(1, 3), fault(100, 110, "kill")])
    assert told[0] == (
        "nothing lost: IMM-01/oil_t: 2 readings missing in the hour 2026-11-22T07Z, the first at "
        "2026-11-22T07:00:04.000Z (missing: 2.0); 1.0 s after power_cut()"
    )
    assert told[1].startswith("nothing doubled: MTR-02/kwh: 1 reading duplicated in the hour 2026-11-22T07Z")
    assert "in the hour 2026-11-22T08Z" in told[2]
    assert told[2].endswith("3590.0 s after kill()")
    assert len(told) == 3


def test_many_sentences_become_a_count() -> None:
    findings = [Finding(f"m/{number}", "missing", T, "missing") for number in range(50)]
    assert len(about_readings(findings, [])) == 41
    assert about_readings(findings, [])[-1] == "and the same of 10 more tags and hours"


def test_faults_that_were_not_recovered_from() -> None:
    late, slow, unhealed = fault(1, 2, up_s=None), fault(1, 2, up_s=3.0), fault(1, 2)
    slow.stored_s, unhealed.error = 70.0, "disk: no"
    told = about_faults([fault(1, 2), late, slow, unhealed], Limits(recovery_s=60))
    assert len(told) == 3
    assert "queue was not short 60 s after" in told[0]
    assert "stored 70.0 s after" in told[1]
    assert told[2].endswith("disk: no")


def test_costs_balance_ends_and_drops() -> None:
    limits = Limits(rss_slope_mb_h=1.0, fd_slope_h=2.0)
    flat = {"rss_slope_mb_h": 0.9, "fds_slope_h": None, "threads_slope_h": 0.0}
    assert about_cost(flat, limits) == []
    assert (
        "memory of the collector grew by 1.10 MB an hour, at most 1" in about_cost({"rss_slope_mb_h": 1.1}, limits)[0]
    )
    assert about_cost({"rss_slope_mb_h": 99.0}, Limits()) == []
    assert about_balance(0, 0, []) == []
    assert "was off by -3 points" in about_balance(-3, T, [fault(1, 2)])[0]
    assert about_ends({"collector": []}, []) == []
    assert "collector ended by itself 2 times" in about_ends({"collector": [T, T + 1]}, [])[0]
    assert about_drops({"cap": 0, "damaged": 0}) == []
    assert "dropped points (4 cap)" in about_drops({"cap": 4, "damaged": 0})[0]


def test_what_nobody_looked_at_is_no_promise_kept() -> None:
    assert about_looks(3, 100, 120) == []
    assert len(about_looks(0, 0, 0)) == 1
    assert "accepted no point" in about_looks(5, 0, 0)[0]
    assert "no status" in about_looks(0, 100, 120)[0]
    assert "the ledger claims no reading" in about_looks(5, 0, 120)[0]


def lives(slope_b_s: float) -> list[Sample]:
    """Three lives of 20 minutes, each warming up for five and with a level and noise of its own."""
    noise = random.Random(5)
    found = []
    for life in range(3):
        for second in range(0, 1200, 2):
            warm = min(second, 290) * 1e5
            rss = 50e6 + life * 1e6 + warm + second * slope_b_s + noise.uniform(-2e5, 2e5)
            found.append(Sample(life * 1300.0 + second, life, int(rss), 20, 4, second * 0.01, second * 100))
    return found


@pytest.mark.parametrize("mb_h", [0.0, 5.0, -5.0])
def test_growth_is_found_under_levels_warm_up_and_noise(mb_h: float) -> None:
    samples = lives(mb_h * 1e6 / 3600)
    assert slope_per_h(samples, "rss_bytes", 290) == pytest.approx(mb_h * 1e6, abs=3e5)
    assert slope_per_h(samples, "fds", 290) == 0
    assert slope_per_h(samples, "rss_bytes", 299) is None, "less than a quarter of an hour behind the warm-up"
    assert total(samples, "written_bytes") == 3 * 1198 * 100


def test_waits_for_a_processor_are_kept_when_they_matter() -> None:
    stalls = Stalls(lambda: T, lambda: 0, Path())
    stalls.take(LEAST_NS - 1, T)
    stalls.take(300_000_000, T)
    assert stalls.seen == [(T - 300_000_000, T)]
    assert waited_ns(os.getpid()) > 0
    assert waited_ns(2**22 + 1) == 0


def test_a_process_is_looked_at_until_it_is_gone() -> None:
    sample = look(os.getpid(), 1.0)
    assert sample is not None
    assert sample.rss_bytes > 1 << 20
    assert sample.fds > 2
    assert sample.threads >= 1
    assert look(2**22 + 1, 1.0) is None


def test_differences_of_the_ledger() -> None:
    one = {"measurement": "m", "tags": {"machine": "IMM-01"}, "field": "oil_t", "hour": "2026-11-22T07:00Z"}
    wrong = one | {"missing": 3, "extra": 0, "altered": 1, "at_ns": []}
    forgotten = one | {"missing": 0, "extra": 1, "altered": 0, "at_ns": [T]}
    assert len(about_ledger({"differences": [forgotten]})) == 1
    assert about_ledger({"differences": []}) == []
    told = about_ledger({"differences": [wrong] * 12})
    assert told[0] == "ledger and store agree: IMM-01/oil_t: 3 missing, 1 altered in the hour 2026-11-22T07:00Z"
    assert len(told) == 11
    assert told[-1].endswith("2 more series and hours")


@pytest.mark.parametrize(
    ("broken", "not_run", "interrupted", "allow", "code"),
    [
        ([], [], False, False, 0),
        (["nothing lost: x"], [], False, True, 1),
        ([], [{"fault": "kill"}], False, False, 1),
        ([], [{"fault": "kill"}], False, True, 0),
        ([], [], True, True, 1),
    ],
)
def test_the_exit_code(broken: list[str], not_run: list[object], interrupted: bool, allow: bool, code: int) -> None:
    answer = {"broken": broken, "not_run": not_run, "interrupted": interrupted}
    assert exit_code(answer, allow_not_run=allow) == code
