"""One OPC UA server with 20,000 tags that change once a second, read for a while: docs/results/scale.md."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import getitem
from pathlib import Path
from statistics import median
from typing import Any

from agent.control.client import ask
from pipelines.errors import DependencyError
from simulators.truth import read_truth
from tests.campaign import RESULTS
from tests.campaign.big_line import write_line

TAGS = int(os.environ.get("TAGS", "20000"))
RUN_S = int(os.environ.get("RUN_S", "30"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
SETTLE_S = 5
"""Real seconds after the last subscription that do not count: initial values are on their way."""
PATIENCE_S = 300
"""Longest real time until every tag was subscribed."""
PARTS = ("plant", "collector", "serve")
_TICKS = os.sysconf("SC_CLK_TCK")
HEAD = """# One server, very many tags

`make scale`: a plant of one OPC UA server whose tags (Double, Float, UInt32, Boolean) each change once a second, read
by `agent simulate FOLDER --json` with broker and embedded store, and judged. CPU of each process, per cent of one core,
is that of the last 30 s before the plant is frozen; beside it CPU seconds of its whole life, with start, subscribing,
and what it did after the freeze. Start is that of `python -m simulators` until it is ready. The times in ms are from
the change in the plant to the word of the store that it has it. The load before says how many other programs wanted the
two cores. All runs of the last `make scale` are here; `ROUNDS`, `TAGS` and `RUN_S` change their number and size.

"""
COLUMNS = (
    ("tags", ("tags",), ".0f"),
    ("s", ("run_s",), ".0f"),
    ("changes/s", ("changes_per_s",), ".0f"),
    ("start s", ("start_s",), ".1f"),
    ("CPU s", ("start_cpu_s",), ".1f"),
    *(
        column
        for part, name in (("plant", "server"), ("collector", "collector"), ("serve", "site server"))
        for column in ((f"{name}: CPU", ("cpu", part), ".0%"), ("whole run s", ("cpu_s", part), ".1f"))
    ),
    ("produced", ("produced",), ".0f"),
    ("missing", ("missing",), ".0f"),
    ("duplicated", ("duplicated",), ".0f"),
    ("altered", ("altered",), ".0f"),
    ("p50 ms", ("latency_ms", "p50"), ".0f"),
    ("p95 ms", ("latency_ms", "p95"), ".0f"),
    ("collector MiB", ("agent_rss_mib",), ".0f"),
    ("load before", ("load",), ".1f"),
)
"""Of the page: its head, where a row has it, and how it is written."""


def cpu_s(pid: int) -> float:
    """CPU seconds of a process so far (proc(5))."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / _TICKS


def start(line: Path, folder: Path) -> tuple[float, float]:
    """Seconds and CPU seconds until the plant is ready."""
    began = time.monotonic()
    argv = [sys.executable, "-m", "simulators", "--line", str(line), "--truth", str(folder / "start.jsonl")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as plant:
        assert plant.stdout is not None
        plant.stdout.readline()
        found = time.monotonic() - began, cpu_s(plant.pid)
        plant.terminate()
    return found


def subscribed(work: Path) -> bool:
    """Whether the collector has a first reading of every tag."""
    try:
        status = json.loads(ask(work / "agent"))
    except DependencyError:
        return False
    return all(link["connected"] and link["readings"] >= TAGS for link in status["connections"].values())


def watched(argv: Sequence[str], work: Path) -> tuple[dict[str, Any], list[tuple[int, dict[str, float]]]]:
    """Run it for `RUN_S` after every tag was subscribed and told.

    Returns:
        What it printed, and CPU seconds of each part once a second with the time, ns since 1970.
    """
    samples: list[tuple[int, dict[str, float]]] = []
    due_s, counted = time.monotonic() + PATIENCE_S, False
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as run:
        while run.poll() is None:
            if not counted and subscribed(work):
                due_s, counted = time.monotonic() + SETTLE_S + RUN_S, True
            elif time.monotonic() > due_s:
                due_s = float("inf")
                run.send_signal(signal.SIGINT)
                if not counted:
                    sys.exit(f"not every tag was subscribed within {PATIENCE_S} s")
            try:
                pids = json.loads((work / "pids.json").read_bytes())
                samples.append((time.time_ns(), {name: cpu_s(pids[name]) for name in PARTS}))
            except (FileNotFoundError, ProcessLookupError, KeyError):
                pass
            time.sleep(1)
        assert run.stdout is not None
        said = run.stdout.read()
    if not said:
        sys.exit(f"agent simulate ended with {run.returncode} and no answer: its words stand above")
    return json.loads(said), samples


def window(truth: Path) -> tuple[int, int, int]:
    """The last `RUN_S` before the freeze, ns since 1970, and changes within."""
    times: Counter[int] = Counter()
    end_ns = 0
    for line in read_truth(truth):
        if line["k"] == "change":
            times[line["time"]] += 1
        elif line["k"] == "freeze":
            end_ns = line["time"]
            break
    begin_ns = end_ns - RUN_S * 1_000_000_000
    return begin_ns, end_ns, sum(count for time_ns, count in times.items() if time_ns >= begin_ns)


def measured() -> dict[str, Any]:
    """The figures of one run."""
    with tempfile.TemporaryDirectory(prefix="sf-scale-") as name:
        folder = Path(name)
        line, work = write_line(folder / "big", TAGS), folder / "work"
        load = os.getloadavg()[0]
        start_s, start_cpu_s = start(line, folder)
        argv = [sys.executable, "-m", "agent.cli", "simulate", str(line), "--work", str(work), "--json"]
        answer, samples = watched(argv, work)
        begin_ns, end_ns, changes = window(work / "truth.jsonl")
    within = [one for one in samples if begin_ns <= one[0] <= end_ns]
    (first_ns, first), (last_ns, last) = within[0], within[-1]
    took_s = (last_ns - first_ns) / 1e9
    return {
        "tags": TAGS,
        "run_s": RUN_S,
        "changes_per_s": round(changes / RUN_S),
        "start_s": round(start_s, 1),
        "start_cpu_s": round(start_cpu_s, 1),
        "load": round(load, 1),
        "cpu": {part: round((last[part] - first[part]) / took_s, 3) for part in PARTS},
        "cpu_s": {part: round(samples[-1][1][part], 1) for part in PARTS},
        **{key: answer[key] for key in ("produced", "stored", "missing", "gap_explained", "duplicated", "altered")},
        "latency_ms": answer["latency_ms"],
        "agent_rss_mib": answer["agent_rss_mib"],
    }


def main() -> bool:
    """Run `ROUNDS` times and write the page; whether nothing was lost, doubled or altered."""
    rows = []
    for _ in range(ROUNDS):
        rows.append(measured())
        sys.stdout.write(json.dumps(rows[-1]) + "\n")
        sys.stdout.flush()
        (RESULTS / "scale.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        (RESULTS / "scale.md").write_text(HEAD + table(rows), encoding="utf-8")
    return not any(row["missing"] or row["duplicated"] or row["altered"] or row["gap_explained"] for row in rows)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as the page has them, and the median of each column below."""
    figures = [[reduce(getitem, where, row) for _, where, _ in COLUMNS] for row in rows]
    named = [(str(number), one) for number, one in enumerate(figures, 1)]
    named.append(("median", list(map(median, zip(*figures, strict=True)))))
    lines = [("run", *(head for head, *_ in COLUMNS)), ("---", *("--:" for _ in COLUMNS))]
    lines += [(name, *(f"{one:{form}}" for one, (*_, form) in zip(row, COLUMNS, strict=True))) for name, row in named]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
