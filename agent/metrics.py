"""The status as Prometheus metrics (prometheus.io, "Metric and label naming")."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_TOTALS: Final = ("accepted", "stored", "quarantined", "suppressed")


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
        points = status["points"]
        for name in _TOTALS:
            yield CounterMetricFamily(f"shopfloor_points_{name}", f"Points {name} since the start.", points[name])
        dropped = CounterMetricFamily("shopfloor_points_dropped", "Points given up, by reason.", labels=["reason"])
        for reason, count in points["dropped_by"].items():
            dropped.add_metric([reason], count)
        yield dropped
        yield GaugeMetricFamily("shopfloor_points_queued", "Durable and not yet stored.", points["queued"])
        yield GaugeMetricFamily(
            "shopfloor_points_imbalance",
            "queued_at_start + accepted - stored - queued - dropped - quarantined; must be 0.",
            points["imbalance"],
        )
        yield GaugeMetricFamily("shopfloor_journal_bytes", "Bytes of the journal.", status["journal"]["bytes"])
        yield CounterMetricFamily("shopfloor_journal_fsyncs", "fdatasync calls.", status["journal"]["fsyncs"])
        up = GaugeMetricFamily("shopfloor_link_up", "Whether the link is open.", labels=["connection"])
        last = GaugeMetricFamily(
            "shopfloor_source_last_reading_timestamp_seconds", "Time of the newest reading.", labels=["connection"]
        )
        readings = CounterMetricFamily("shopfloor_readings", "Readings delivered.", labels=["connection"])
        rejected = CounterMetricFamily(
            "shopfloor_rejected_replies", "Replies refused, by reason.", labels=["connection", "reason"]
        )
        refused = GaugeMetricFamily("shopfloor_refused_tags", "Tags the device refuses.", labels=["connection"])
        stale = GaugeMetricFamily("shopfloor_stale_tags", "Tags silent for too long.", labels=["connection"])
        for name, link in status["connections"].items():
            refused.add_metric([name], len(link["refused"]))
            stale.add_metric([name], len(link["stale"]))
            up.add_metric([name], float(link["connected"]))
            last.add_metric([name], link["last_reading_ns"] / 1e9)
            readings.add_metric([name], link["readings"])
            for reason, count in link["rejected"].items():
                rejected.add_metric([name, reason], count)
        yield from (up, last, readings, rejected, refused, stale)
