"""What `agent status`, `/readyz` and the metrics say of a collector: counters, and in words what is not well."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from agent.collector import Collector

_FULL: Final = 0.8
"""Part of the journal's cap from which on it is told that points will be given up."""


def troubles(collector: Collector) -> list[str]:
    """What is not well now, in words; empty when all is."""
    journal = collector.journal
    found = [*collector.time.troubles(), *(text for one in collector.readings for text in one.troubles())]
    if refused := collector.reload.refused:
        found.append(f"{refused}; the configuration from before is in use")
    found += collector.flow.troubles
    found += collector.alarming.troubles()
    found += [
        f"rule {name} is set aside: {reason}; what it derives is missing. `agent reload`, or a restart, tries it again"
        for name, reason in collector.links.engine.aside.items()
    ]
    if journal.bytes_used > _FULL * journal.settings.max_bytes:
        share = 100 * journal.bytes_used // journal.settings.max_bytes
        what = "the oldest points are given up" if journal.settings.at_cap == "drop_oldest" else "sources will wait"
        found.append(f"{journal.folder}: {share} % of max_bytes are used; at 100 % {what}")
    if reason := collector.uplink.error or collector.outbox.deaf:
        found.append(f"{collector.site.mqtt.endpoint}: {reason}")
    found += [text for one in collector.destinations for text in one.troubles]
    quarantine = collector.quarantine
    if quarantine.trouble:
        found.append(f"{quarantine.path}: {quarantine.trouble}")
    if quarantine.records:
        found.append(
            f"{quarantine.path}: {quarantine.points} points were refused by the store; `agent quarantine list`"
        )
    if imbalance := collector.flow.imbalance:
        found.append(
            f"{journal.folder}: {imbalance:+d} points are in no account (stored, queued, dropped, quarantined): a bug "
            "of this program; keep the state folder and tell its makers"
        )
    return found


def status(collector: Collector) -> dict[str, Any]:
    """Everything `agent status` shows."""
    found = troubles(collector)
    return {
        "agent": collector.agent,
        "company": collector.site.company,
        "site": collector.site.site,
        "epoch": collector.journal.epoch,
        "ready": collector.ready,
        "healthy": not found,
        "troubles": found,
        "connections": {one.name: one.status() for one in collector.readings},
        "broker": _broker(collector),
        "points": _points(collector),
        "journal": _journal(collector),
        "ledger": {"bytes": collector.ledger.bytes_used},
        "quarantine": _quarantine(collector),
        "records": _records(collector),
        "clock": collector.time.status(),
        "share": {one.name: one.status() for one in collector.destinations},
        "alarms": collector.alarming.status(),
        "rules": {"running": len(collector.links.engine.rules), "set_aside": collector.links.engine.aside},
    }


def status_line(collector: Collector) -> str:
    """One line for the service manager."""
    up = sum(one.stats.connected for one in collector.readings)
    return f"{up}/{len(collector.readings)} devices, {collector.flow.points_queued} points queued"


def _broker(collector: Collector) -> dict[str, Any]:
    error = collector.uplink.error or collector.outbox.deaf
    return {
        "endpoint": collector.site.mqtt.endpoint,
        "up": not error,
        "error": error,
        "reconnects": max(0, collector.uplink.sessions - 1),
        "foreign_confirmations": collector.uplink.answers.foreign,
    }


def _records(collector: Collector) -> dict[str, Any]:
    outbox = collector.outbox
    return {
        "published": collector.stats.published,
        "in_flight": outbox.in_flight,
        "held": outbox.later.records,
        "held_until_ns": outbox.later.until_ns,
        "oldest_s": None if outbox.oldest_ns is None else outbox.oldest_ns / 1e9,
        "drain_points_per_s": round(outbox.drain.points_per_s(time.monotonic())),
    }


def _points(collector: Collector) -> dict[str, Any]:
    """The accounts of the conservation law, and what never became a point."""
    flow, stats = collector.flow, collector.stats
    return {
        "queued_at_start": stats.queued_at_start,
        "accepted": stats.accepted,
        "stored": stats.stored,
        "queued": flow.points_queued,
        "dropped": sum(flow.dropped.values()),
        "dropped_by": flow.dropped,
        "quarantined": stats.quarantined,
        "retried": stats.retried,
        "derived": collector.links.engine.points,
        "suppressed": stats.suppressed,
        "imbalance": flow.imbalance,
    }


def _quarantine(collector: Collector) -> dict[str, Any]:
    """What is kept there now, from earlier processes too."""
    kept = collector.quarantine
    return {"records": kept.records, "points": kept.points, "bytes": kept.bytes_used, "ok": not kept.trouble}


def _journal(collector: Collector) -> dict[str, Any]:
    journal = collector.journal
    return {
        "bytes": journal.bytes_used,
        "max_bytes": journal.settings.max_bytes,
        "segments": len(journal.segments),
        "fsyncs": journal.fsyncs,
        "sync_errors": journal.sync_errors,
        "bytes_written": journal.bytes_written,
        "fsync": {"buckets": journal.sync_took.buckets, "sum_s": journal.sync_took.sum_s},
        "damaged_bytes": journal.damaged_bytes,
        "ok": collector.flow.healthy,
    }
