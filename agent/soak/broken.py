"""The promises a run broke, each as a sentence that says what, where and when. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final

from agent.soak.plan import Limits
from agent.soak.run import Injected
from simulators.judge import Finding

PROMISES: Final = {
    "missing": "nothing lost",
    "duplicated": "nothing doubled",
    "altered": "nothing altered",
}
_MOST: Final = 40
"""Sentences about readings; the rest is counted."""
_FEW: Final = 10
_HOUR_NS: Final = 3600 * 10**9


def about_readings(findings: Sequence[Finding], injected: Sequence[Injected]) -> list[str]:
    """A sentence for each tag, hour and kind of what is missing, doubled or altered."""
    groups: dict[tuple[str, str, int], list[Finding]] = {}
    for one in findings:
        groups.setdefault((one.kind, one.tag, one.time_ns // _HOUR_NS), []).append(one)
    found = []
    for (kind, tag, _), some in sorted(groups.items(), key=lambda group: min(one.time_ns for one in group[1])):
        first = min(some, key=lambda one: one.time_ns)
        count = "1 reading" if len(some) == 1 else f"{len(some)} readings"
        found.append(
            f"{PROMISES[kind]}: {tag}: {count} {kind} in the hour {shown(first.time_ns)[:13]}Z, the first at "
            f"{shown(first.time_ns)} ({first.words}); {nearest(first.time_ns, injected)}"
        )
    more = len(found) - _MOST
    return [*found[:_MOST], f"and the same of {more} more tags and hours"] if more > 0 else found


def about_faults(injected: Sequence[Injected], limits: Limits) -> list[str]:
    """A sentence for each fault from which the agent did not recover in time, or that could not be healed."""
    found = []
    for one in injected:
        where = f"{one.words} at {shown(one.begin_ns)}"
        if one.error:
            found.append(f"the fault could not be injected or healed: {where}: {one.error}")
        elif one.recovery_s is None:
            reason = f"not all links were up and the queue was not short {limits.recovery_s:g} s after it was over"
            found.append(f"recovers alone: {where}: {reason}")
        elif one.recovery_s > limits.recovery_s:
            reason = f"what had left the plant was stored {one.recovery_s:.1f} s after, at most {limits.recovery_s:g} s"
            found.append(f"recovers alone: {where}: {reason}")
    return found


def about_cost(growth: dict[str, float | None], limits: Limits) -> list[str]:
    """A sentence for each figure of the collector that grew more than the plan allows.

    Args:
        growth: `rss_slope_mb_h`, `fds_slope_h`, `threads_slope_h`; None = the run was too short to tell.
        limits: of the plan.
    """
    found = []
    rows = (
        ("rss_slope_mb_h", limits.rss_slope_mb_h, "memory", "MB"),
        ("fds_slope_h", limits.fd_slope_h, "open files", "files"),
        ("threads_slope_h", limits.fd_slope_h, "threads", "threads"),
    )
    for name, most, what, unit in rows:
        value = growth.get(name)
        if value is not None and most is not None and value > most:
            found.append(
                f"costs stay flat: {what} of the collector grew by {value:.2f} {unit} an hour, at most {most:g}"
            )
    return found


def about_ledger(ledger: Mapping[str, Any]) -> list[str]:
    """Sentences on series and hours in which the agent's ledger and the store differ, as `agent verify` tells them."""
    found = []
    differences = ledger["differences"]
    for one in differences[:_FEW]:
        what = ", ".join(f"{one[name]} {name}" for name in ("missing", "extra", "altered") if one[name])
        machine = one["tags"].get("machine", one["measurement"])
        found.append(f"ledger and store agree: {machine}/{one['field']}: {what} in the hour {one['hour']}")
    more = len(differences) - _FEW
    return [*found, f"ledger and store agree: the same of {more} more series and hours"] if more > 0 else found


def about_balance(worst: int, worst_ns: int, injected: Sequence[Injected]) -> list[str]:
    """A sentence when the agent's own counters did not add up."""
    if not worst:
        return []
    law = "queued_at_start + accepted = stored + queued + dropped + quarantined"
    return [f"conservation: {law} was off by {worst} points at {shown(worst_ns)}; {nearest(worst_ns, injected)}"]


def about_looks(looks: int, claimed: int, accepted: int) -> list[str]:
    """Sentences when there was nothing to judge: a promise that nobody looked at is not a promise kept.

    Args:
        looks: at the conservation law.
        claimed: readings that `agent verify` compared.
        accepted: points, by the agent's counter.
    """
    if not accepted:
        return ["nothing was judged: the collector accepted no point; see collector.log in the folder of --work"]
    found = [] if looks else ["nothing was judged: no status of the collector was ever seen, see collector.log"]
    return found if claimed else [*found, "nothing was judged: the ledger claims no reading, agent verify had nothing"]


def about_ends(ended_itself: dict[str, Sequence[int]], injected: Sequence[Injected]) -> list[str]:
    """A sentence for each part that ended although nobody killed it."""
    return [
        f"runs through: {name} ended by itself {len(times)} times, first at {shown(times[0])}; "
        f"{nearest(times[0], injected)}"
        for name, times in ended_itself.items()
        if times
    ]


def about_drops(dropped: Mapping[str, int]) -> list[str]:
    """A sentence when the agent gave up points; no plan fills the journal up to its cap."""
    given_up = {reason: count for reason, count in dropped.items() if count}
    if not given_up:
        return []
    words = ", ".join(f"{count} {reason}" for reason, count in given_up.items())
    return [f"nothing given up: the agent dropped points ({words}), although its journal never reached its cap"]


def about_quarantine(convicted: Sequence[bytes], injected: Sequence[Injected]) -> list[str]:
    """A sentence when lines are in quarantine that no store refused."""
    if not convicted:
        return []
    times = [(int(line.rpartition(b" ")[2]), line) for line in convicted if line.rpartition(b" ")[2].isdigit()]
    if not times:
        return [f"only culprits are refused: {len(convicted)} lines without a time are in quarantine"]
    time_ns, line = min(times)
    told = f"{len(convicted)} lines are in quarantine that the store did not refuse, the first of {shown(time_ns)}"
    where = f"({line[:80].decode(errors='replace')}…); {nearest(time_ns, injected)}"
    return [f"only culprits are refused: {told} {where}"]


def nearest(time_ns: int, injected: Sequence[Injected]) -> str:
    """The fault nearest in time, in words."""

    def away_ns(one: Injected) -> int:
        return max(0, one.begin_ns - time_ns, time_ns - (one.healed_ns or one.begin_ns))

    if not injected:
        return "nothing was injected"
    one = min(injected, key=away_ns)
    away_s = away_ns(one) / 1e9
    if not away_s:
        return f"during {one.words}"
    return f"{away_s:.1f} s {'before' if time_ns < one.begin_ns else 'after'} {one.words}"


def shown(time_ns: int) -> str:
    """A time as people read it, UTC, milliseconds."""
    seconds, rest_ns = divmod(time_ns, 10**9)
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%dT%H:%M:%S}.{rest_ns // 10**6:03d}Z"
