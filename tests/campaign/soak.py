"""`agent soak` at full size: each report leaves its figures in docs/results/soak.md and itself in soak.json."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from tests.campaign import RESULTS

ROUNDS = int(os.environ.get("ROUNDS", "3"))
ROOT: Final = Path(__file__).parents[2]
HEAD: Final = """# agent soak

Each column is one run of a plan that ships ([what it does and what is judged](../soak.md)), on one machine with two
cores that did other work beside it, with real servers (mosquitto with TLS, influxd 1.6.7), the collector's state on an
ext4 of its own, and every fault the plan has. Reproduce with `make campaign ARGS=soak` (`ROUNDS=3` seeds of `standard`)
and `LONG=1 make campaign ARGS=soak` (`long`, two hours, too). The whole reports: [soak.json](soak.json).

"""
RECOVERY: Final = """\
Seconds from the end of a fault until all links were up and everything produced until then was stored; asked: ≤ 60.
"""
ROWS: Final = (
    ("broken promises", "0", lambda one: len(one["broken"])),
    ("complete", "yes", lambda one: "yes" if one["complete"] else "no"),
    ("faults injected", "", lambda one: sum(row["count"] for row in one["faults"].values())),
    ("produced", "", lambda one: one["produced"]),
    ("accepted", "", lambda one: one["accepted"]),
    ("stored", "", lambda one: one["stored"]),
    ("missing", "0", lambda one: one["missing"]),
    ("duplicated", "0", lambda one: one["duplicated"]),
    ("altered", "0", lambda one: one["altered"]),
    ("gap explained", "", lambda one: one["gap_explained"]),
    ("wire duplicates", "", lambda one: one["wire_duplicates"]),
    ("dropped", "0", lambda one: sum(one["dropped"].values())),
    ("lines in quarantine", "", lambda one: sum(one["quarantined"].values())),
    ("conservation, looks", "", lambda one: one["conservation"]["samples"]),
    ("conservation, worst imbalance", "0", lambda one: one["conservation"]["worst_imbalance"]),
    ("agent verify agrees", "yes", lambda one: "yes" if one["verify"]["agree"] else "no"),
    ("CPU s of the collector", "", lambda one: one["cpu_s"]),
    ("peak RSS MiB", "", lambda one: one["rss_peak_mib"]),
    ("RSS slope MB/h", "≤ 1", lambda one: one["rss_slope_mb_h"]),
    ("open files slope /h", "≤ 4", lambda one: one["fds_slope_h"]),
    ("threads slope /h", "≤ 4", lambda one: one["threads_slope_h"]),
    ("bytes written a point", "", lambda one: one["written_bytes_per_point"]),
    ("fsyncs a second", "", lambda one: one["fsyncs_per_s"]),
)


def main(_: Sequence[str] = ()) -> bool:
    """Run everything and write the table; whether every promise was kept."""
    runs = [("standard", seed) for seed in range(1, ROUNDS + 1)]
    runs += [("long", 1)] if os.environ.get("LONG") else []
    answers = []
    for plan, seed in runs:
        answers.append(soak(plan, seed))
        write([answers[-1], *_kept([(plan, seed)])])
    return not any(one["broken"] or not one["complete"] for one in answers)


def soak(plan: str, seed: int) -> dict[str, Any]:
    """The report of one run; ends the campaign when there is none."""
    with tempfile.TemporaryDirectory(prefix="sf-soak-") as folder:
        command = [sys.executable, "-m", "agent.cli", "soak", plan, "--seed", str(seed), "--json", "--work", folder]
        ran = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=False)
    if not ran.stdout:
        sys.exit(f"agent soak {plan} --seed {seed} ended with {ran.returncode} and no report: its words stand above")
    answer: dict[str, Any] = json.loads(ran.stdout)
    return answer


def write(answers: list[dict[str, Any]]) -> None:
    """The table and the reports."""
    answers.sort(key=lambda one: (one["plan"] != "standard", one["seed"]))
    lines = [json.dumps(one, ensure_ascii=False) for one in answers]
    (RESULTS / "soak.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")
    titles = [f"{one['plan']}, seed {one['seed']}" for one in answers]
    faults = sorted({name for one in answers for name in one["faults"]})
    figures = _table(
        ["", "asked", *titles],
        ([name, asked, *(_shown(figure(one)) for one in answers)] for name, asked, figure in ROWS),
    )
    recovery = _table(
        ["fault", *titles], ([fault, *(_recovery(one["faults"].get(fault)) for one in answers)] for fault in faults)
    )
    (RESULTS / "soak.md").write_text(f"{HEAD}{figures}\n{RECOVERY}\n{recovery}")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["|" + "".join(f" {cell} |" if cell else " |" for cell in row) for row in [head, *rows]]
    lines.insert(1, "|---|" + "--:|" * (len(head) - 1))
    return "".join(f"{line}\n" for line in lines)


def _shown(cell: Any) -> str:
    if cell is None:
        return "–"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def _recovery(row: dict[str, Any] | None) -> str:
    if row is None:
        return "–"
    times = row["recovery_s"]
    return f"{row['count']}×: p50 {times['p50']}, p95 {times['p95']}, max {times['max']}"


def _kept(again: list[tuple[str, int]]) -> list[dict[str, Any]]:
    path = RESULTS / "soak.json"
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return [one for one in before if (one["plan"], one["seed"]) not in again]
