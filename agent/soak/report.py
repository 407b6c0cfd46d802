"""The report of a run: everything in one object, and the same for people."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from agent.simulate.judging import Judged
from agent.soak import broken
from agent.soak.aside import Aside
from agent.soak.run import Injected, Run
from agent.soak.samples import slope_per_h, total

_MB = 1e6


def report(run: Run, judged: Judged, aside: Aside, ledger: dict[str, Any], name: str) -> dict[str, Any]:
    """What held and what did not; `broken` is empty when every promise was kept.

    Args:
        run: it is over.
        judged: the plant's truth against the store and what is kept aside.
        aside: what the store was made to refuse.
        ledger: what `agent verify` says.
        name: of the plan.
    """
    simulation, sums = run.simulation, judged.verdict.total
    for one in run.injected:
        before = judged.left_ns <= one.healed_ns
        last_ns = int(judged.accepted_ns[before].max(initial=one.healed_ns))
        one.stored_s = max(0.0, (last_ns - one.healed_ns) / 1e9)
    dropped: Counter[str] = Counter()
    for life in simulation.lives.values():
        dropped.update(life["points"]["dropped_by"])
    growth = _growth(run)
    accepted = simulation.points("accepted")
    fsyncs = sum(life["journal"]["fsyncs"] for life in simulation.lives.values())
    written, points = total(run.samples, "written_bytes"), accepted
    if run.calm_bytes and run.calm_points:
        written, points = run.calm_bytes, run.calm_points
    limits = run.plan.limits
    found = broken.about_readings(judged.verdict.findings, run.injected)
    found += judged.verdict.wrong
    found += broken.about_ledger(ledger)
    found += broken.about_looks(run.balance.samples, ledger["claimed"], accepted)
    found += broken.about_balance(run.balance.worst, run.balance.worst_ns, run.injected)
    found += broken.about_drops(dropped)
    found += broken.about_quarantine(aside.convicted, run.injected)
    found += broken.about_ends({name: one.ended_itself for name, one in simulation.children.items()}, run.injected)
    found += broken.about_faults(run.injected, limits)
    found += broken.about_cost(growth, limits)
    return {
        "plan": name,
        "seed": run.seed,
        "lines": list(run.plan.lines),
        "elapsed_s": round(run.elapsed_s, 1),
        "complete": not run.skipped and not run.interrupted,
        "interrupted": run.interrupted,
        "not_run": [{"fault": one.fault, "reason": one.reason} for one in run.skipped],
        "notes": run.setting.notes,
        "broken": found,
        "produced": sums.produced,
        "suppressed": sums.suppressed,
        "accepted": accepted,
        "stored": sums.stored,
        "missing": sums.missing,
        "duplicated": sums.duplicated,
        "altered": sums.altered,
        "gap_explained": sums.gap_explained,
        "wire_duplicates": simulation.witness.wire_duplicates,
        "longest_stall_s": round(max((end - start for start, end in simulation.stalls), default=0) / 1e9, 2),
        "dropped": dict(dropped),
        "quarantined": dict(aside.reasons),
        "latency_ms": _quantiles(judged.latency_ms.tolist(), (50, 95, 99)),
        "faults": _faults(run.injected),
        "cpu_s": round(total(run.samples, "cpu_s"), 1),
        "rss_peak_mib": round(max((one.rss_bytes for one in run.samples), default=0) / 2**20, 1),
        **growth,
        "written_bytes_per_point": round(written / points, 1) if points else None,
        "written_is": "what reached the disk between faults" if run.calm_bytes else "what the collector wrote",
        "fsyncs_per_s": round(fsyncs / run.elapsed_s, 2) if run.elapsed_s else None,
        "conservation": {"samples": run.balance.samples, "worst_imbalance": run.balance.worst},
        "verify": {key: value for key, value in ledger.items() if key != "differences"},
    }


def markdown(answer: dict[str, Any]) -> str:
    """The report as a page."""
    title = f"# agent soak {answer['plan']}, seed {answer['seed']}"
    count = len(answer["broken"])
    verdict = "모든 약속을 지켰습니다 · Every promise was kept."
    if count:
        verdict = f"깨진 약속 {count}개 · {count} promises were broken."
    if not answer["complete"]:
        verdict += " 계획대로 끝나지 않은 시험입니다 · The plan was not carried out in full."
    lines = [title, "", verdict, ""]
    lines += [f"- broken: {one}" for one in answer["broken"]]
    lines += [f"- not run: {one['fault']}: {one['reason']}" for one in answer["not_run"]]
    lines += [f"- not here: {one}" for one in answer["notes"]]
    lines += ["", "| figure | value |", "|---|--:|"]
    skip = {"plan", "seed", "broken", "not_run", "notes", "faults"}
    lines += [f"| {key} | {_cell(value)} |" for key, value in answer.items() if key not in skip]
    lines += ["", "| fault | times | recovery p50 s | p95 s | max s | not in time |", "|---|--:|--:|--:|--:|--:|"]
    for name, one in answer["faults"].items():
        times = one["recovery_s"]
        row = (name, one["count"], times["p50"], times["p95"], times["max"], one["not_in_time"])
        lines.append("| " + " | ".join(_cell(cell) for cell in row) + " |")
    return "\n".join(lines) + "\n"


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_cell(one)}" for key, one in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "–" if value is None else str(value)


def _growth(run: Run) -> dict[str, float | None]:
    names = ("rss_bytes", "fds", "threads")
    rss, fds, threads = (slope_per_h(run.samples, name, run.plan.limits.warm_up) for name in names)
    return {
        "rss_slope_mb_h": None if rss is None else round(rss / _MB, 3),
        "fds_slope_h": None if fds is None else round(fds, 2),
        "threads_slope_h": None if threads is None else round(threads, 2),
    }


def _faults(injected: list[Injected]) -> dict[str, Any]:
    names = sorted({one.name for one in injected})
    rows: dict[str, Any] = {}
    for name in names:
        some = [one for one in injected if one.name == name]
        times = [one.recovery_s for one in some if one.recovery_s is not None]
        late = sum(one.recovery_s is None for one in some)
        rows[name] = {"count": len(some), "recovery_s": _quantiles(times, (50, 95)), "not_in_time": late}
        rows[name]["recovery_s"]["max"] = round(max(times), 1) if times else None
    return rows


def _quantiles(values: list[float], points: tuple[int, ...]) -> dict[str, float | None]:
    if not values:
        return {f"p{point}": None for point in points}
    return {f"p{point}": round(float(np.percentile(values, point)), 1) for point in points}
