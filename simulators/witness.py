# mypy: disable-error-code="attr-defined, arg-type, union-attr, unused-ignore"
# (asyncua re-exports by star import and declares its integers as classes that nobody makes instances of)
"""What an OPC UA server tells the truth log, where it happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary

from simulators.panel import Panel
from simulators.points import Point, source_ns
from simulators.truth import TruthLog

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def ns_of(when: datetime) -> int:
    """Ns since 1970 UTC."""
    return (when.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1) * 1000


@dataclass
class Witness:
    """What the server classes need to bear witness: the panel, the log, the clock and the plant's nodes."""

    panel: Panel
    truth: TruthLog
    now_ns: Callable[[], int]
    points: dict[ua.NodeId, Point] = field(default_factory=dict)

    def value(self, node: ua.NodeId, attribute: int) -> ua.DataValue:
        """What a Read of one of its nodes' values answers: the same as subscriptions tell."""
        del attribute
        return struct_from_binary(ua.DataValue, Buffer(self.points[node].data))

    def item(self, event: str, sub: int, item: int, point: Point, queue: int) -> None:
        """Log a monitored item that came or went."""
        self.panel.asked = True
        shown = {"value": point.found[0], "time": point.time_ns, "status": point.found[1]}
        self.truth.write("item", event=event, id=point.number, sub=sub, item=item, queue=queue, **shown)

    def overflow(self, sub: int, point: Point, lost: bytes, oldest: bytes) -> None:
        """Log a value that fell out of a full queue, and the one that says so."""
        self.truth.write("overflow", id=point.number, sub=sub, lost=source_ns(lost), marked=source_ns(oldest))

    def read(self, params: ua.ReadParameters, results: list[ua.DataValue], t0: int) -> None:
        """Log a Read of values."""
        pairs = [
            (self.points[asked.NodeId].number, value)
            for asked, value in zip(params.NodesToRead, results, strict=True)
            if asked.AttributeId == ua.AttributeIds.Value and asked.NodeId in self.points
        ]
        if pairs:
            self.panel.asked = True
            self.truth.write(
                "read",
                device=self.panel.device.name,
                t0=t0,
                t1=self.now_ns(),
                ids=[signal for signal, _ in pairs],
                values=[value.Value.Value for _, value in pairs],
                times=[ns_of(value.SourceTimestamp) for _, value in pairs],
                status=[value.StatusCode.value for _, value in pairs],
            )
