"""The status as Prometheus metrics (prometheus.io, "Metric and label naming"); docs/metrics.md is made from it."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final, Literal

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

Status = Mapping[str, Any]
Samples = Iterable[tuple[tuple[str, ...], float]]
"""Values of the labels, and the value."""


@dataclass(frozen=True, slots=True)
class Family:
    """One metric.

    Attributes:
        name: as it is scraped, without the `_total` of a counter.
        kind: what it is; a counter only grows while the process lives.
        meaning: one line.
        samples: takes them from a status.
        labels: names of its labels.
    """

    name: str
    kind: Literal["counter", "gauge"]
    meaning: str
    samples: Callable[[Status], Samples]
    labels: tuple[str, ...] = ()

    @property
    def scraped(self) -> str:
        """The name that a scraper sees."""
        return f"{self.name}_total" if self.kind == "counter" else self.name

    def metric(self, status: Status) -> Metric:
        """Its samples of now."""
        made = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        family = made(self.name, self.meaning, labels=self.labels)
        for labels, value in self.samples(status):
            family.add_metric(labels, value)
        return family


def _one(*keys: str) -> Callable[[Status], Samples]:
    """What stands under these keys; nothing where it is None."""

    def samples(status: Status) -> Samples:
        found: Any = status
        for key in keys:
            found = found[key]
        return () if found is None else (((), float(found)),)

    return samples


def _each(*keys: str) -> Callable[[Status], Samples]:
    """What stands under these keys, by reason."""

    def samples(status: Status) -> Samples:
        found: Any = status
        for key in keys:
            found = found[key]
        return (((reason,), float(count)) for reason, count in found.items())

    return samples


def _link(value: Callable[[Status], float | None]) -> Callable[[Status], Samples]:
    """One value of each connection; nothing where it is None."""

    def samples(status: Status) -> Samples:
        found = ((name, value(link)) for name, link in status["connections"].items())
        return (((name,), float(one)) for name, one in found if one is not None)

    return samples


def _share(key: str) -> Callable[[Status], Samples]:
    """One value of each destination."""

    def samples(status: Status) -> Samples:
        return (((name,), float(one[key])) for name, one in status["share"].items())

    return samples


def _rejected(status: Status) -> Samples:
    for name, link in status["connections"].items():
        for reason, count in link["rejected"].items():
            yield (name, reason), count


def _point(name: str, meaning: str) -> Family:
    return Family(f"shopfloor_points_{name}", "counter", meaning, _one("points", name))


_OF_LINK: Final = ("connection",)
FAMILIES: Final = (
    _point("accepted", "Points on disk for good, since the start."),
    _point("stored", "Points whose storing the store confirmed, since the start."),
    _point("quarantined", "Points the store refused for good; they are kept, see `agent quarantine`."),
    _point("retried", "Points out of quarantine, accepted anew, since the start."),
    _point("suppressed", "Readings held back by a deadband; they never became points."),
    Family(
        "shopfloor_points_dropped", "counter", "Points given up, by reason.", _each("points", "dropped_by"), ("reason",)
    ),
    Family("shopfloor_points_queued", "gauge", "Points on disk and not yet stored.", _one("points", "queued")),
    Family(
        "shopfloor_points_imbalance",
        "gauge",
        "queued at the start + accepted - stored - queued - dropped - quarantined: must be 0. Alert on anything else.",
        _one("points", "imbalance"),
    ),
    Family("shopfloor_queue_bytes", "gauge", "Bytes that count against the cap.", _one("journal", "bytes")),
    Family("shopfloor_queue_max_bytes", "gauge", "The cap: journal.max_bytes.", _one("journal", "max_bytes")),
    Family("shopfloor_ledger_bytes", "gauge", "Bytes of the ledger, of those above.", _one("ledger", "bytes")),
    Family("shopfloor_queue_takes", "gauge", "1 while the journal takes what it is given.", _one("journal", "ok")),
    Family(
        "shopfloor_queue_oldest_point_timestamp_seconds",
        "gauge",
        "Time of the oldest point that is not stored; absent while there is none.",
        _one("records", "oldest_s"),
    ),
    Family("shopfloor_queue_damaged_bytes", "gauge", "Bytes damaged on disk.", _one("journal", "damaged_bytes")),
    Family(
        "shopfloor_quarantine_points",
        "gauge",
        "Points in quarantine, of earlier processes too.",
        _one("quarantine", "points"),
    ),
    Family(
        "shopfloor_quarantine_bytes",
        "gauge",
        "Bytes of the quarantine; they count against the cap.",
        _one("quarantine", "bytes"),
    ),
    Family(
        "shopfloor_quarantine_takes",
        "gauge",
        "1 while the quarantine takes what the store refuses.",
        _one("quarantine", "ok"),
    ),
    Family("shopfloor_share_up", "gauge", "1 while records reach a destination.", _share("up"), ("destination",)),
    Family("shopfloor_share_stored", "counter", "Points a destination has.", _share("stored"), ("destination",)),
    Family("shopfloor_share_queued", "gauge", "Points that wait for it.", _share("queued"), ("destination",)),
    Family("shopfloor_share_dropped", "counter", "Points given up for it.", _share("dropped"), ("destination",)),
    Family("shopfloor_broker_up", "gauge", "1 while records reach the broker.", _one("broker", "up")),
    Family("shopfloor_broker_reconnects", "counter", "Sessions after the first one.", _one("broker", "reconnects")),
    Family(
        "shopfloor_foreign_confirmations",
        "counter",
        "Confirmations of records that no process of this state folder made; nothing is released for them.",
        _one("broker", "foreign_confirmations"),
    ),
    Family(
        "shopfloor_drain_points_per_second", "gauge", "Backlog stored lately.", _one("records", "drain_points_per_s")
    ),
    Family("shopfloor_records_published", "counter", "Records sent, repeats included.", _one("records", "published")),
    Family("shopfloor_records_held", "gauge", "Records stamped ahead of time that wait.", _one("records", "held")),
    Family(
        "shopfloor_clock_unsynced", "gauge", "1 while nobody vouches for our clock.", _one("clock", "time_unsynced")
    ),
    Family("shopfloor_clock_believed", "gauge", "0 while times are estimated.", _one("clock", "believed")),
    Family("shopfloor_clock_jumps", "counter", "Jumps of our clock since the start.", _one("clock", "jumps")),
    Family("shopfloor_records_in_flight", "gauge", "Records sent and not yet stored.", _one("records", "in_flight")),
    Family(
        "shopfloor_source_up", "gauge", "1 while the link is open.", _link(lambda link: link["connected"]), _OF_LINK
    ),
    Family(
        "shopfloor_source_last_good_timestamp_seconds",
        "gauge",
        "When the device last said a good value; absent before the first.",
        _link(lambda link: link["last_good_ns"] / 1e9 if link["last_good_ns"] else None),
        _OF_LINK,
    ),
    Family(
        "shopfloor_source_readings", "counter", "Readings delivered.", _link(lambda link: link["readings"]), _OF_LINK
    ),
    Family(
        "shopfloor_source_overruns",
        "counter",
        "Scheduled reads that were skipped because the one before was late.",
        _link(lambda link: link["overruns"]),
        _OF_LINK,
    ),
    Family(
        "shopfloor_source_reconnects",
        "counter",
        "Links opened again.",
        _link(lambda link: max(0, link["opened"] - 1)),
        _OF_LINK,
    ),
    Family(
        "shopfloor_source_refused_tags",
        "gauge",
        "Tags the device refuses.",
        _link(lambda link: len(link["refused"])),
        _OF_LINK,
    ),
    Family(
        "shopfloor_source_stale_tags",
        "gauge",
        "Tags that say nothing for longer than they promised.",
        _link(lambda link: len(link["stale"])),
        _OF_LINK,
    ),
    Family(
        "shopfloor_source_clock_skew_seconds",
        "gauge",
        "The device's clock minus ours; absent where it tells no time.",
        _link(lambda link: link["skew_s"]),
        _OF_LINK,
    ),
    Family("shopfloor_rejected_replies", "counter", "Replies refused, by reason.", _rejected, ("connection", "reason")),
    Family(
        "shopfloor_alarms_active",
        "gauge",
        "Alarms that stand, latched ones too; not those that are shelved or suppressed.",
        _each("alarms", "active"),
        ("priority",),
    ),
    Family(
        "shopfloor_alarms_unacknowledged",
        "gauge",
        "Alarms that wait for a person.",
        _each("alarms", "unacknowledged"),
        ("priority",),
    ),
    Family("shopfloor_alarms_shelved", "gauge", "Alarms put aside for a time.", _one("alarms", "shelved")),
    Family(
        "shopfloor_alarms_last_10_minutes",
        "gauge",
        "Alarms raised in the last 10 minutes: 1 is what a person handles well, more than 10 are a flood.",
        _one("alarms", "last_10_minutes"),
    ),
    Family(
        "shopfloor_alarms_chattering",
        "gauge",
        "Alarms that came three times within a minute, of the last 10 minutes.",
        lambda all_: [((), len(all_["alarms"]["chattering"]))],
    ),
    Family(
        "shopfloor_alarms_stale",
        "gauge",
        "Alarms that have stood for more than a day.",
        lambda all_: [((), len(all_["alarms"]["stale"]))],
    ),
    Family("shopfloor_rules_running", "gauge", "Rules that derive points.", _one("rules", "running")),
    Family(
        "shopfloor_rules_set_aside",
        "gauge",
        "Rules that failed and are left out until a reload or a restart: alert on anything but 0.",
        lambda all_: [((), len(all_["rules"]["set_aside"]))],
    ),
    Family(
        "shopfloor_troubles", "gauge", "Lines of trouble in `agent status`.", lambda all_: [((), len(all_["troubles"]))]
    ),
)
"""Every counter and gauge. A part that adds one adds a line here and its value to the status."""
FSYNC: Final = ("shopfloor_fsync_duration_seconds", "How long the disk takes to make a commit durable.")
BUILD: Final = ("shopfloor_build", "Version of the program and of Python.")


class StatusMetrics(Collector):
    """Metrics made from a status when they are asked for.

    Args:
        status: gives the status of `Collector.status`.
    """

    def __init__(self, status: Callable[[], dict[str, Any]]) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        """Every metric once."""
        status = self._status()
        for family in FAMILIES:
            yield family.metric(status)
        synced = status["journal"]["fsync"]
        yield HistogramMetricFamily(*FSYNC, buckets=synced["buckets"], sum_value=synced["sum_s"])
        yield InfoMetricFamily(
            *BUILD, value={"version": version("shopfloor-agent"), "python": platform.python_version()}
        )
