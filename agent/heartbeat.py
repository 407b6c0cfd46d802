"""What an agent says of itself in the store every ten seconds, measurement `agent`: there it is seen that it lives.

Fields are as few as dashboards need; `/metrics` has the rest. docs/metrics.md is made from the meanings here.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent import health
from pipelines.encode.line import line
from pipelines.lines import Lines

if TYPE_CHECKING:
    from agent.collector import Collector
    from agent.reading import Reading

MEANINGS: Final[Mapping[str, str]] = {
    "connections": "Connections that are configured.",
    "connected": "Connections whose link is open.",
    "refused_tags": "Tags that devices refuse.",
    "stale_tags": "Tags that say nothing for longer than they promised.",
    "accepted": "Points on disk for good, since the start.",
    "stored": "Points whose storing the store confirmed, since the start.",
    "queued": "Points on disk and not yet stored.",
    "dropped": "Points given up, since the start.",
    "quarantined": "Points the store refused for good, since the start.",
    "imbalance": "Points in no account: must be 0.",
    "lag_s": "Age of the oldest point that is not stored, seconds; 0 while there is none.",
    "buffer_bytes": "Bytes that count against the cap of the journal.",
    "buffer_max_bytes": "The cap: journal.max_bytes.",
    "broker_up": "1 while records reach the broker, else 0.",
    "alarms_active": "Alarms that stand, latched ones too; not those that are shelved or suppressed.",
    "troubles": "Lines of trouble in `agent status`.",
    "time_unsynced": "True while nobody vouches for the agent's clock.",
    "rss_bytes": "Resident memory of the agent's process.",
    "cpu_s": "CPU seconds of the agent's process, since its start.",
}
"""Fields of the agent's own point."""
LINK_MEANINGS: Final[Mapping[str, str]] = {
    "up": "1 while the link is open, else 0.",
    "readings": "Readings delivered, since the start.",
    "reconnects": "Links opened again, since the start.",
    "silent_s": "Seconds since the device last said a good value; absent before the first.",
    "skew_s": "The device's clock minus the agent's, seconds; absent where it tells no time.",
}
"""Fields of the point of each of its connections, with the series tag `connection`."""
_STATM: Final = Path("/proc/self/statm")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


def counts(collector: Collector) -> dict[str, object]:
    """How many of its devices are there: what destinations are told too."""
    found = [one.stats.connected for one in collector.readings]
    return {"connections": len(found), "connected": sum(found)}


def heartbeat(collector: Collector, now_ns: int) -> Lines:
    """The points of one heartbeat; the conservation law does not count them."""
    place = collector.place
    body = line(place.series(), _agent(collector, now_ns), now_ns)
    for one in collector.readings:
        body += line(place.series(extra=(("connection", one.name),)), _link(one, now_ns), now_ns)
    return Lines(body, 0, (now_ns, now_ns), {})


def _agent(collector: Collector, now_ns: int) -> dict[str, object]:
    flow, stats, journal, oldest_ns = collector.flow, collector.stats, collector.journal, collector.outbox.oldest_ns
    return {
        **counts(collector),
        "refused_tags": sum(len(one.stats.refused) for one in collector.readings),
        "stale_tags": sum(len(one.source.stale) for one in collector.readings),
        "accepted": stats.accepted,
        "stored": stats.stored,
        "queued": flow.points_queued,
        "dropped": sum(flow.dropped.values()),
        "quarantined": stats.quarantined,
        "imbalance": flow.imbalance,
        "lag_s": 0.0 if oldest_ns is None else _age_s(oldest_ns, now_ns),
        "buffer_bytes": journal.bytes_used,
        "buffer_max_bytes": journal.settings.max_bytes,
        "broker_up": int(not (collector.uplink.error or collector.outbox.deaf)),
        "alarms_active": sum(collector.alarming.status()["active"].values()),
        "troubles": len(health.troubles(collector)),
        "time_unsynced": collector.time.unsynced,
        "rss_bytes": _rss_bytes(),
        "cpu_s": round(time.process_time(), 3),
    }


def _link(one: Reading, now_ns: int) -> dict[str, object]:
    stats, skew_s = one.stats, one.skew.seconds
    silent = {"silent_s": _age_s(stats.last_good_ns, now_ns)} if stats.last_good_ns else {}
    skew = {} if skew_s is None else {"skew_s": skew_s}
    reconnects = max(0, stats.opened - 1)
    return {"up": int(stats.connected), "readings": stats.readings, "reconnects": reconnects, **silent, **skew}


def _age_s(then_ns: int, now_ns: int) -> float:
    """Of a moment that lies ahead, since a clock was set or a device's is ahead, 0."""
    return max(0.0, (now_ns - then_ns) / 1e9)


def _rss_bytes() -> int:
    """proc(5), /proc/self/statm: the second number, in pages."""
    return int(_STATM.read_text(encoding="ascii").split()[1]) * _PAGE_BYTES
