"""The broker is away for three days of points: they wait on disk, and then go beside what is read meanwhile."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from tests.faults.delivery.outage import SECOND_NS, TAGS, Options, row_values
from tests.services.mosquitto import Mosquitto

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.fault(3)]
LIVE_POINTS_PER_S = TAGS


class Child:
    """One of the two processes, and what it said."""

    def __init__(self, options: Options, part: str, work: Path) -> None:
        self.said: list[dict[str, Any]] = []
        self._log = work / f"{part}.log"
        with self._log.open("wb") as errors:
            self.process = subprocess.Popen(options.words(part), stdout=subprocess.PIPE, stderr=errors)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.said.extend(json.loads(line) for line in self.process.stdout)

    def until(self, met: Callable[[dict[str, Any]], object], deadline_s: float) -> dict[str, Any]:
        until_s = time.monotonic() + deadline_s
        while not (self.said and met(self.said[-1])):
            assert self.process.poll() is None, self._log.read_text()[-3000:]
            assert time.monotonic() < until_s, (self.said[-1:], self._log.read_text()[-3000:])
            time.sleep(0.05)
        return self.said[-1]

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(60)
        self._reader.join(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


def test_three_days_without_a_broker(tmp_path: Path, size: Any, figure: Any) -> None:
    before, rows = size(200, 20_000), size(1_200, 280_000)
    first_ns = (time.time_ns() // SECOND_NS - rows - 3600) * SECOND_NS
    with Mosquitto(tmp_path / "broker") as broker:
        options = Options(str(tmp_path / "state"), broker.port, first_ns, before, rows, size(1, 4) / 4)
        bridge = Child(replace(options, folder=str(tmp_path / "store")), "store", tmp_path)
        collector = Child(options, "collect", tmp_path)
        try:
            collector.until(lambda said: said["points"]["stored"] >= before * TAGS, 120)
            base_kib = max(one["rss_kib"] for one in collector.said)
            broker.kill()
            collector.until(lambda said: not said["broker"]["up"], 10)
            told = len(collector.said)
            collector.process.send_signal(signal.SIGUSR2)
            collector.until(lambda said: said["accepted"] >= rows and said["given"] > rows, 600)
            growth_mib = (max(one["rss_kib"] for one in collector.said[told:]) - base_kib) / 1024
            points = collector.said[-1]["points"]
            broker.start()
            begun = collector.until(lambda said: said["points"]["stored"] > points["stored"], 120)
            begun_s, live_from = time.monotonic(), len(begun["live"])
            collector.until(lambda said: said["points"]["stored"] >= points["stored"] + points["queued"], 1800)
            drained_s = time.monotonic() - begun_s
            drained = len(collector.said[-1]["live"])
            collector.until(lambda said: len(said["live"]) >= live_from + 4, 30)
            collector.process.send_signal(signal.SIGUSR1)
            end = collector.until(
                lambda said: said["stopped"] and said["idle"] and said["accepted"] == said["given"], 60
            )
        finally:
            collector.end()
            bridge.end()
    points, seen = end["points"], bridge.said[-1]
    wrong = differences(tmp_path / "store", options, end["live"])
    took_s = sorted(seen["took_s"][str(stamp)] for stamp in end["live"][live_from : max(drained, live_from + 4)])
    p95_s = took_s[len(took_s) * 95 // 100]
    rate = (rows - before) * TAGS / drained_s
    assert points["imbalance"] == 0
    assert points["dropped"] == points["quarantined"] == 0
    figure("points of the outage", asked="26 million (72 h at 100 a second)", measured=(rows - before) * TAGS)
    figure(
        "points missing, foreign or altered in the store (DuckDB), by series and time",
        asked="0",
        measured=wrong,
    )
    figure("growth of the collector's memory during the outage, MiB", asked="≤ 20", measured=growth_mib)
    figure("drain rate, times the live rate", asked="≥ 10", measured=rate / LIVE_POINTS_PER_S)
    figure("from reading to stored while draining, p95, s", asked="≤ 2", measured=p95_s)
    figure("live rows timed while draining", asked="-", measured=len(took_s))
    figure("inversions of a tag within live", asked="0", measured=seen["inversions"]["live"])
    figure("inversions of a tag within historical", asked="0", measured=seen["inversions"]["historical"])
    figure("records on the wire more than once", asked="-", measured=seen["repeated"])
    assert wrong == 0
    assert seen["inversions"] == {"live": 0, "historical": 0}
    assert growth_mib <= 20
    assert rate >= 10 * LIVE_POINTS_PER_S
    assert p95_s <= 2


def differences(folder: Path, options: Options, live: list[int]) -> int:
    """Points in which the store differs from what the device gave: each series whole, times and values."""
    outage_ns = options.first_ns + np.arange(options.rows, dtype=np.int64) * SECOND_NS
    time_ns = np.concatenate([outage_ns, np.array(live, dtype=np.int64)])
    value = row_values(0, len(time_ns)).reshape(-1, TAGS)
    wrong = 0
    with duckdb.connect(str(folder / "store.duckdb"), read_only=True) as connection:
        known = connection.execute(
            "SELECT field, id FROM series WHERE measurement = 'meter' AND field NOT LIKE '%\\_%' ESCAPE '\\'"
        )
        series = {str(name): int(number) for name, number in known.fetchall()}
        assert series.keys() == {f"t{tag}" for tag in range(TAGS)}
        for tag in range(TAGS):
            query = "SELECT time_ns, value FROM points_int WHERE series = ? ORDER BY time_ns"
            found = connection.execute(query, (series[f"t{tag}"],)).fetchnumpy()
            if len(found["time_ns"]) != len(time_ns):
                wrong += abs(len(found["time_ns"]) - len(time_ns))
            else:
                wrong += int(((found["time_ns"] != time_ns) | (found["value"] != value[:, tag])).sum())
    return wrong
